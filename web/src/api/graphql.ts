/**
 * How GraphiQL talks to the gateway: queries and mutations by POST, subscriptions over a WebSocket.
 *
 * A failure never throws here. It becomes a GraphQL result with an `errors` list, so that the
 * response pane shows one sentence a person can act on instead of a stack.
 */
import type { Fetcher, FetcherParams } from "@graphiql/toolkit";
import { getOperationAST, parse, type DocumentNode, type OperationTypeNode } from "graphql";
import { findAuthorization, type Headers } from "../state/headers";
import { subscribe } from "./subscription";

const GRAPHQL_PATH = "/graphql";

/** `origin` is that of the page, `http://127.0.0.1:4000` say: the gateway serves both. */
export function createFetcher(origin: string): Fetcher {
  return (edited, opts) => {
    const headers = opts?.headers ?? {};
    const { params, kind } = understand(edited);
    return kind === "subscription"
      ? subscribe(socketUrl(origin), params, findAuthorization(headers))
      : post(params, headers);
  };
}

export function socketUrl(origin: string): string {
  return origin.replace(/^http/, "ws") + GRAPHQL_PATH;
}

interface Understood {
  readonly params: FetcherParams;
  /** Null for what does not parse, or names no operation: the gateway then says what is wrong. */
  readonly kind: OperationTypeNode | null;
}

/**
 * Finds the operation that is meant. GraphiQL notices a little late which operation an editor holds:
 * right after a change of tab it still names the one before, which a single operation overrules.
 */
export function understand(params: FetcherParams): Understood {
  let document: DocumentNode;
  try {
    document = parse(params.query);
  } catch {
    return { params, kind: null };
  }
  const only = getOperationAST(document);
  if (only !== null && only !== undefined) {
    return {
      params: { ...params, operationName: only.name?.value ?? null },
      kind: only.operation,
    };
  }
  return { params, kind: getOperationAST(document, params.operationName)?.operation ?? null };
}

interface Failure {
  readonly errors: readonly { readonly message: string }[];
}

async function post(params: FetcherParams, headers: Headers): Promise<object> {
  let response: Response;
  try {
    response = await fetch(GRAPHQL_PATH, {
      method: "POST",
      headers: requestHeaders(headers),
      body: JSON.stringify(params),
    });
  } catch (cause) {
    return failure(`The gateway did not answer: ${describe(cause)}`);
  }
  const body = await response.text();
  try {
    return JSON.parse(body) as object;
  } catch {
    return failure(
      `The gateway answered ${response.status} ${response.statusText} without JSON: ${body.slice(0, 200)}`,
    );
  }
}

/** The headers of the editor over those of the protocol; the editor may override. */
export function requestHeaders(edited: Headers): Record<string, string> {
  const sent = new Map([
    ["accept", "application/graphql-response+json, application/json;q=0.9"],
    ["content-type", "application/json"],
  ]);
  for (const [name, value] of Object.entries(edited)) sent.set(name.toLowerCase(), String(value));
  return Object.fromEntries(sent);
}

function failure(message: string): Failure {
  return { errors: [{ message }] };
}

function describe(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
