/** One HTTP exchange, to the letter: `fetch` would add headers of its own. */
import { randomUUID } from "node:crypto";
import { request, type IncomingHttpHeaders } from "node:http";
import { expect } from "vitest";
import type { Gateway } from "./gateway";

export interface Outgoing {
  readonly method?: string;
  /** Parameters for the URL. Objects are written as JSON. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** Only these are sent, besides the key and a request id. Null leaves one of those out. */
  readonly headers?: Readonly<Record<string, string | null>>;
  /** Text is sent as it is, a list in chunks, anything else as JSON. */
  readonly body?: unknown;
}

export interface Incoming {
  readonly requestId: string;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export const GRAPHQL_RESPONSE = "application/graphql-response+json";
export const JSON_TYPE = "application/json";

export function get(gateway: Gateway, parameters: Outgoing["parameters"], headers = {}) {
  return exchange(gateway, { method: "GET", parameters: parameters ?? {}, headers });
}

export function post(gateway: Gateway, body: unknown, headers = {}) {
  return exchange(gateway, { body, headers: { "content-type": JSON_TYPE, ...headers } });
}

export async function exchange(gateway: Gateway, outgoing: Outgoing): Promise<Incoming> {
  const { method = "POST", body, parameters = {} } = outgoing;
  const url = new URL(gateway.http);
  for (const [name, value] of Object.entries(parameters)) {
    url.searchParams.append(name, typeof value === "string" ? value : JSON.stringify(value));
  }
  const requestId = randomUUID();
  const headers = Object.entries({
    authorization: gateway.authorization,
    "x-request-id": requestId,
    ...outgoing.headers,
  }).filter((entry): entry is [string, string] => entry[1] !== null);

  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers: Object.fromEntries(headers) }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("end", () =>
        resolve({ requestId, status: response.statusCode ?? 0, headers: response.headers, text }),
      );
      response.on("error", reject);
    });
    sent.on("error", reject);
    if (Array.isArray(body)) for (const chunk of body) sent.write(chunk);
    else if (body !== undefined) sent.write(typeof body === "string" ? body : JSON.stringify(body));
    sent.end();
  });
}

interface GraphQLBody {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly {
    readonly message: string;
    readonly path?: readonly unknown[];
    readonly extensions: { readonly code: string; readonly retryable: boolean };
  }[];
}

export function bodyOf(answer: Incoming): GraphQLBody {
  return JSON.parse(answer.text) as GraphQLBody;
}

/** Nothing ran, and the answer says why: in GraphQL's own shape, under the caller's own request id. */
export function expectRefusal(
  answer: Incoming,
  status: number,
  code: string,
  type = JSON_TYPE,
): void {
  expect({ status: answer.status, body: bodyOf(answer) }).toEqual({
    status,
    body: {
      errors: [
        {
          message: expect.stringMatching(/./),
          extensions: { code, retryable: expect.any(Boolean) },
        },
      ],
    },
  });
  expect(answer.headers["content-type"]).toBe(`${type}; charset=utf-8`);
  expect(answer.headers["x-request-id"]).toBe(answer.requestId);
}

/** It ran, and all went well. */
export function expectData(answer: Incoming, data: unknown, type = JSON_TYPE): void {
  expect({ status: answer.status, body: bodyOf(answer) }).toEqual({ status: 200, body: { data } });
  expect(answer.headers["content-type"]).toBe(`${type}; charset=utf-8`);
  expect(answer.headers["x-request-id"]).toBe(answer.requestId);
}
