import { afterEach, expect, test, vi } from "vitest";
import { createFetcher, requestHeaders, socketUrl, understand } from "./graphql";

const ORIGIN = "http://127.0.0.1:4000";

afterEach(() => vi.unstubAllGlobals());

test("the headers of the editor go with the request, over those of the protocol", () => {
  expect(
    requestHeaders({ Authorization: "Bearer k", Accept: "application/json", "X-Try": 1 }),
  ).toEqual({
    authorization: "Bearer k",
    accept: "application/json",
    "content-type": "application/json",
    "x-try": "1",
  });
});

test("a query is posted to the page's own gateway", async () => {
  const fetched = stubFetch(() => new Response('{"data":{"ok":true}}'));
  const fetcher = createFetcher(ORIGIN);

  const result = await fetcher({ query: "{ ok }" }, { headers: { Authorization: "Bearer k" } });

  expect(result).toEqual({ data: { ok: true } });
  const [path, init] = fetched.mock.calls[0] ?? [];
  expect(path).toBe("/graphql");
  expect(new Headers(init?.headers).get("authorization")).toBe("Bearer k");
});

test("a gateway that is away is an error to read, not an exception", async () => {
  stubFetch(() => {
    throw new TypeError("Failed to fetch");
  });

  expect(await createFetcher(ORIGIN)({ query: "{ ok }" })).toEqual({
    errors: [{ message: "The gateway did not answer: Failed to fetch" }],
  });
});

test("an answer that is not JSON says so with its status", async () => {
  stubFetch(() => new Response("<html>", { status: 502, statusText: "Bad Gateway" }));

  expect(await createFetcher(ORIGIN)({ query: "{ ok }" })).toEqual({
    errors: [{ message: "The gateway answered 502 Bad Gateway without JSON: <html>" }],
  });
});

test("the socket is where the page came from, as safe as the page", () => {
  expect(socketUrl("http://127.0.0.1:4000")).toBe("ws://127.0.0.1:4000/graphql");
  expect(socketUrl("https://gateway.example")).toBe("wss://gateway.example/graphql");
});

test("a single operation overrules the name of the tab before", () => {
  const { params, kind } = understand({ query: "subscription B { b }", operationName: "A" });
  expect(params.operationName).toBe("B");
  expect(kind).toBe("subscription");
});

test("of several operations the named one counts", () => {
  const query = "query A { a } subscription B { b }";
  expect(understand({ query, operationName: "A" }).kind).toBe("query");
  expect(understand({ query, operationName: "B" }).kind).toBe("subscription");
  expect(understand({ query, operationName: "C" }).kind).toBeNull();
});

test("what does not parse is left to the gateway", () => {
  expect(understand({ query: "subscription {" })).toEqual({
    params: { query: "subscription {" },
    kind: null,
  });
});

function stubFetch(answer: () => Response) {
  const stub = vi.fn<typeof fetch>(async () => answer());
  vi.stubGlobal("fetch", stub);
  return stub;
}
