/** The operations that every client is given, and the story that ends in an event. */
import type { Gateway } from "./gateway";

export const VIEWER = "query Viewer { viewer { name scopes } }";

export interface ViewerData {
  readonly viewer: { readonly name: string; readonly scopes: readonly string[] };
}

export const CREATE = `mutation Create($name: String!) {
  createProject(
    input: { name: $name, location: { propertyAddress: "434 Brannan St, San Francisco, CA 94107" } }
  ) {
    project { projectId name designs { designId } }
    userErrors { code message }
  }
}`;

export interface CreateData {
  readonly createProject: {
    readonly project: {
      readonly projectId: string;
      readonly name: string;
      readonly designs: readonly { readonly designId: string }[];
    } | null;
    readonly userErrors: readonly unknown[];
  };
}

/** Where Aurora hears that a project is to be made. */
export const CREATE_AT_AURORA = { method: "POST", path: "/tenants/*/projects" };

export const DESIGNS = `subscription Designs($after: Cursor) {
  designCompleted(after: $after) {
    cursor
    designId
    projectId
    status
    summary { moduleCount systemSizeStc(unit: KILOWATT) }
  }
}`;

export interface DesignsData {
  readonly designCompleted: {
    readonly cursor: string;
    readonly designId: string;
    readonly projectId: string;
    readonly status: string;
    readonly summary: { readonly moduleCount: number; readonly systemSizeStc: number };
  };
}

/** A new project, as a CRM makes it, and the design that Aurora begins on it. */
export interface Begun {
  readonly projectId: string;
  readonly designId: string;
}

export async function beginDesign(gateway: Gateway): Promise<Begun> {
  const response = await fetch(gateway.http, {
    method: "POST",
    headers: { authorization: gateway.authorization, "content-type": "application/json" },
    body: JSON.stringify({ query: CREATE, variables: { name: "A roof" } }),
  });
  const answer = (await response.json()) as { data?: CreateData };
  const project = answer.data?.createProject.project;
  const design = project?.designs[0];
  if (project == null || design === undefined) throw new Error(JSON.stringify(answer));
  return { projectId: project.projectId, designId: design.designId };
}

/**
 * What a subscriber hears of a design that is completed while it listens: the sandbox simulates, its
 * webhook arrives, the gateway reads the summary and announces. `listen` begins the subscription and
 * gives its answers; it is left after the first.
 */
export async function hearOfADesign(
  gateway: Gateway,
  listen: () => AsyncIterable<unknown>,
): Promise<{ heard: unknown; begun: Begun }> {
  const begun = await beginDesign(gateway);
  await gateway.operationsBecome(0);
  const heard = first(listen());
  // A subscriber that fails at once is reported by what it failed of, below.
  heard.catch(() => undefined);
  await Promise.race([gateway.operationsBecome(1), heard]);
  await gateway.sandbox.finish(begun.designId);
  const answer = await heard;
  // It has left, and nothing of it stays behind.
  await gateway.operationsBecome(0);
  return { heard: answer, begun };
}

async function first<T>(answers: AsyncIterable<T>): Promise<T> {
  for await (const answer of answers) return answer;
  throw new Error("the subscription ended without an answer");
}
