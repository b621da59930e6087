/** Server-sent events, with the client of the package that defines the protocol: distinct connections mode. */
import { createClient, type ClientOptions } from "graphql-sse";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startGateway, type Gateway } from "./support/gateway";
import { all } from "./support/iterate";
import { CREATE, DESIGNS, VIEWER, hearOfADesign } from "./support/operations";
import { expectTheDesign } from "./support/values";

let gateway: Gateway;

beforeAll(async () => {
  gateway = await startGateway();
});

afterAll(() => gateway?.close());

function connect(options: Partial<ClientOptions> = {}) {
  return createClient({
    url: gateway.http,
    headers: { authorization: gateway.authorization },
    retryAttempts: 0,
    ...options,
  });
}

test("a query is one answer and the end", async () => {
  const answers = await all(connect().iterate({ query: VIEWER }));

  expect(answers).toEqual([{ data: { viewer: { name: "demo", scopes: expect.any(Array) } } }]);
});

test("a mutation is one answer and the end", async () => {
  const answers = await all(connect().iterate({ query: CREATE, variables: { name: "By events" } }));

  expect(answers).toMatchObject([{ data: { createProject: { project: { name: "By events" } } } }]);
});

test("a subscription hears of a design, and ends when it is left", async () => {
  const client = connect();

  const { heard, begun } = await hearOfADesign(gateway, () => client.iterate({ query: DESIGNS }));

  expectTheDesign(heard, begun);
});

test("a field that fails is part of the answer", async () => {
  const query = '{ viewer { name } project(projectId: "none") { name } }';

  expect(await all(connect().iterate({ query }))).toMatchObject([
    {
      data: { viewer: { name: "demo" }, project: null },
      errors: [{ path: ["project"], extensions: { code: "NOT_FOUND" } }],
    },
  ]);
});

test.each([
  ["a document that is none", { query: "{" }, 400],
  ["a document that does not fit", { query: "subscription { nothing }" }, 400],
  ["variables that do not fit", { query: DESIGNS, variables: { after: 7 } }, 400],
])("%s is refused before the stream begins", async (_what, request, status) => {
  const refused = all(connect().iterate(request));

  await expect(refused).rejects.toMatchObject({ response: expect.objectContaining({ status }) });
});

test("a wrong key is refused before the stream begins", async () => {
  const client = connect({ headers: { authorization: "Bearer wrong-wrong-wrong" } });

  const refused = all(client.iterate({ query: VIEWER }));

  await expect(refused).rejects.toMatchObject({
    response: expect.objectContaining({ status: 401 }),
  });
});
