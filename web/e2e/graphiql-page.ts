/** GraphiQL as a person uses it: open a tab, edit, press play, read the answer. */
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Locator, Page } from "playwright-core";

type Pane = "operation.graphql" | "variables.json" | "request-headers.json" | "response.json";

/** What GraphiQL's Monaco shows of itself to a page's scripts. */
interface Monaco {
  readonly editor: { getModels(): Model[] };
}

interface Model {
  readonly uri: { readonly path: string };
  getValue(): string;
  setValue(text: string): void;
}

declare global {
  var __MONACO: Monaco | undefined;
}

/** The page is ready when its editors are and the schema has been read. */
export async function ready(page: Page): Promise<void> {
  await page.locator(".graphiql-query-editor .view-line").first().waitFor();
  await page.locator(".graphiql-headers-editor, .graphiql-editor-tool").first().waitFor();
  await page.waitForFunction(() => (globalThis.__MONACO?.editor.getModels().length ?? 0) >= 4);
}

/** The titles of the tabs, each a button that opens its tab. */
export function tabs(page: Page): Locator {
  return page.locator('button[id^="graphiql-session-tab-"]');
}

export async function openTab(page: Page, title: string): Promise<void> {
  await tabs(page).filter({ hasText: title }).click();
  await page.waitForFunction(
    ([pane, name]) =>
      globalThis.__MONACO?.editor
        .getModels()
        .some((it) => it.uri.path.endsWith(pane) && it.getValue().includes(name)),
    ["operation.graphql", title] as const,
  );
}

export async function read(page: Page, pane: Pane): Promise<string> {
  return page.evaluate(
    (name) =>
      globalThis.__MONACO?.editor
        .getModels()
        .find((it) => it.uri.path.endsWith(name))
        ?.getValue() ?? "",
    pane,
  );
}

export async function write(page: Page, pane: Pane, text: string): Promise<void> {
  await page.evaluate(
    ([name, value]) =>
      globalThis.__MONACO?.editor
        .getModels()
        .find((it) => it.uri.path.endsWith(name))
        ?.setValue(value),
    [pane, text] as const,
  );
}

export async function setVariables(page: Page, change: Record<string, unknown>): Promise<void> {
  const before = JSON.parse(await read(page, "variables.json")) as Record<string, unknown>;
  await write(page, "variables.json", JSON.stringify({ ...before, ...change }, null, 2));
}

export async function run(page: Page): Promise<void> {
  await page.locator(".graphiql-execute-button").click();
}

/** The answer that the response pane shows, once it contains `part`. */
export async function answer<Answer>(page: Page, part: string, withinMs = 20_000): Promise<Answer> {
  await page.waitForFunction(
    (wanted) =>
      globalThis.__MONACO?.editor
        .getModels()
        .some((it) => it.uri.path.endsWith("response.json") && it.getValue().includes(wanted)),
    part,
    { timeout: withinMs },
  );
  return JSON.parse(await read(page, "response.json")) as Answer;
}

const PICTURES = fileURLToPath(new URL("../test-results/", import.meta.url));

export async function picture(page: Page, name: string): Promise<void> {
  await mkdir(PICTURES, { recursive: true });
  await page.screenshot({ path: `${PICTURES}${name}.png` });
}
