/**
 * GraphQL over HTTP beyond the audits: what each method, header and parameter may do, and that whatever
 * is refused is refused in GraphQL's own shape.
 */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  bodyOf,
  exchange,
  expectData,
  expectRefusal,
  get,
  GRAPHQL_RESPONSE,
  JSON_TYPE,
  post,
} from "./support/exchange";
import { startGateway, type Gateway } from "./support/gateway";
import { CREATE, CREATE_AT_AURORA, VIEWER } from "./support/operations";

const BODY_BYTES = 4096;
const ALLOWED_ORIGIN = "https://crm.example.com";

const NAME = "{ viewer { name } }";
const NAMED = { viewer: { name: "demo" } };
const EVERY_METHOD = "GET, HEAD, POST, OPTIONS";

let gateway: Gateway;

beforeAll(async () => {
  gateway = await startGateway({
    LIMITS__BODY_BYTES: String(BODY_BYTES),
    LIMITS__DOCUMENT_BYTES: "2048",
    SERVER__ALLOWED_ORIGINS: ALLOWED_ORIGIN,
  });
});

beforeEach(() => gateway.sandbox.forgetCalls());

afterAll(() => gateway?.close());

describe("a mutation by GET", () => {
  const parameters = { query: CREATE, variables: { name: "By GET" } };

  test.each(["GET", "HEAD"])("is refused for %s, and reaches nobody", async (method) => {
    const answer = await exchange(gateway, { method, parameters });

    expect([answer.status, answer.headers.allow]).toEqual([405, "POST"]);
    if (method === "GET") expectRefusal(answer, 405, "BAD_USER_INPUT");
    expect(await gateway.sandbox.calls()).toBe(0);
  });

  test("is refused as the operation that the name chooses, not as the document's first", async () => {
    const query = `${VIEWER} ${CREATE}`;
    const chosen = { ...parameters, query, operationName: "Create" };
    const other = { query, operationName: "Viewer" };

    expectRefusal(await get(gateway, chosen), 405, "BAD_USER_INPUT");
    expect((await get(gateway, other)).status).toBe(200);
    expect(await gateway.sandbox.calls()).toBe(0);
  });

  test("runs by POST, so that the refusals above mean something", async () => {
    const answer = await post(gateway, { query: CREATE, variables: { name: "By POST" } });

    expect(bodyOf(answer)).toMatchObject({ data: { createProject: { userErrors: [] } } });
    expect(await gateway.sandbox.calls(CREATE_AT_AURORA)).toBe(1);
  });
});

describe("GET", () => {
  const both = "query A { viewer { name } } query B { viewer { scopes } }";
  const withVariables = "query ($with: Boolean!) { viewer { name scopes @include(if: $with) } }";

  test("runs a query", async () => {
    expectData(await get(gateway, { query: NAME }), NAMED);
  });

  test("chooses by operationName", async () => {
    expectData(await get(gateway, { query: both, operationName: "A" }), NAMED);
  });

  test.each([{}, { operationName: "" }, { operationName: "C" }])(
    "runs none of several where the name is %j",
    async (name) => {
      const answer = await get(gateway, { query: both, ...name }, { accept: GRAPHQL_RESPONSE });

      expectRefusal(answer, 400, "GRAPHQL_VALIDATION_FAILED", GRAPHQL_RESPONSE);
    },
  );

  test("takes variables as JSON", async () => {
    const answer = await get(gateway, { query: withVariables, variables: { with: false } });

    expectData(answer, NAMED);
  });

  test("takes null and empty parameters for absent", async () => {
    const absent = { operationName: "", variables: "null", extensions: "" };

    expectData(await get(gateway, { query: NAME, ...absent }), NAMED);
  });

  test("knows a document by the hash in extensions, once its text was sent", async () => {
    const query = "{ viewer { name } } # by GET";
    const sha256Hash = createHash("sha256").update(query).digest("hex");
    const extensions = { persistedQuery: { version: 1, sha256Hash } };

    const unknown = await get(gateway, { extensions }, { accept: GRAPHQL_RESPONSE });
    expect(bodyOf(unknown).errors?.[0]?.extensions.code).toBe("PERSISTED_QUERY_NOT_FOUND");
    expectData(await get(gateway, { query, extensions }), NAMED);
    expectData(await get(gateway, { extensions }), NAMED);
  });

  test("passes over extensions and parameters that are other people's", async () => {
    const others = { extensions: { tracing: { on: true } }, utm_source: "mail" };

    expectData(await get(gateway, { query: NAME, ...others }), NAMED);
  });

  test.each([
    ["no query", {}],
    ["an empty query", { query: "" }],
    ["variables that are a list", { query: NAME, variables: [] }],
    ["variables that are not JSON", { query: NAME, variables: "{" }],
    ["extensions that are a number", { query: NAME, extensions: 7 }],
    [
      "a version of persistedQuery that nobody knows",
      { extensions: { persistedQuery: { version: 2 } } },
    ],
  ])("is refused with %s", async (_what, parameters) => {
    expectRefusal(await get(gateway, parameters), 400, "BAD_USER_INPUT");
  });

  test("is refused with a subscription that could not go on", async () => {
    const query = "subscription { designCompleted { cursor } }";

    expectRefusal(await get(gateway, { query }), 400, "BAD_USER_INPUT");
  });

  test("is answered by 304 to whoever has the answer", async () => {
    const { etag } = (await get(gateway, { query: NAME })).headers;

    const again = await get(gateway, { query: NAME }, { "if-none-match": etag });

    expect([again.status, again.text, again.headers.etag]).toEqual([304, "", etag]);
    expect(again.headers["x-request-id"]).toBe(again.requestId);
  });
});

describe("HEAD", () => {
  test.each([
    ["a query", { query: NAME }],
    ["a broken document", { query: "{" }],
    ["nothing at all", {}],
  ])("says of %s what GET says, without the body", async (_what, parameters) => {
    const accept = { accept: GRAPHQL_RESPONSE };
    const whole = await exchange(gateway, { method: "GET", parameters, headers: accept });
    const head = await exchange(gateway, { method: "HEAD", parameters, headers: accept });

    const said = ({ status, headers }: typeof head) => [
      status,
      headers["content-type"],
      headers.etag,
    ];
    expect(said(head)).toEqual(said(whole));
    expect(head.text).toBe("");
    expect(head.headers["x-request-id"]).toBe(head.requestId);
  });
});

describe("OPTIONS", () => {
  const asks = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type",
  };
  const ask = (headers: Record<string, string | null>) =>
    exchange(gateway, { method: "OPTIONS", headers: { authorization: null, ...headers } });

  test("tells what is served, without a key", async () => {
    const answer = await ask({});

    expect([answer.status, answer.headers.allow, answer.text]).toEqual([204, EVERY_METHOD, ""]);
    expect(answer.headers["x-request-id"]).toBe(answer.requestId);
  });

  test("lets a page of an allowed origin send what it needs, and take nothing for granted", async () => {
    const { status, headers } = await ask({ origin: ALLOWED_ORIGIN, ...asks });

    expect(status).toBe(204);
    expect(headers["access-control-allow-origin"]).toBe(ALLOWED_ORIGIN);
    expect(headers["access-control-allow-methods"]).toContain("POST");
    expect(headers["access-control-allow-headers"]).toMatch(/authorization.*content-type/);
    expect(headers["access-control-allow-credentials"]).toBeUndefined();
    expect(headers.vary).toMatch(/origin/i);
  });

  test.each(["https://evil.example.com", `${ALLOWED_ORIGIN}.evil.org`, "null"])(
    "tells a page of %s nothing that would let it read",
    async (origin) => {
      const { headers } = await ask({ origin, ...asks });

      const cors = Object.keys(headers).filter((name) => name.startsWith("access-control-"));
      expect(cors).toEqual([]);
    },
  );
});

describe("another method", () => {
  test.each(["PUT", "PATCH", "DELETE", "PROPFIND"])("%s is refused", async (method) => {
    const headers = { "content-type": JSON_TYPE };
    const answer = await exchange(gateway, { method, headers, body: { query: NAME } });

    expectRefusal(answer, 405, "BAD_USER_INPUT");
    expect(answer.headers.allow).toBe(EVERY_METHOD);
  });
});

describe("Accept", () => {
  test.each([
    ["not sent", null, JSON_TYPE],
    ["anything", "*/*", JSON_TYPE],
    ["old", JSON_TYPE, JSON_TYPE],
    ["new", GRAPHQL_RESPONSE, GRAPHQL_RESPONSE],
    ["both", `${JSON_TYPE}, ${GRAPHQL_RESPONSE}`, GRAPHQL_RESPONSE],
    ["old before new", `${GRAPHQL_RESPONSE};q=0.5, ${JSON_TYPE};q=0.9`, JSON_TYPE],
    ["among others", `text/plain, ${GRAPHQL_RESPONSE}; charset=utf-8`, GRAPHQL_RESPONSE],
  ])("%s gets the type it names", async (_what, accept, type) => {
    expectData(await post(gateway, { query: NAME }, { accept }), NAMED, type);
  });

  test.each([
    "text/plain",
    "image/png",
    "application/xml",
    `${JSON_TYPE};q=0`,
    `${JSON_TYPE}; charset=iso-8859-1`,
    "nonsense",
  ])("%s is refused, and nothing runs", async (accept) => {
    const body = { query: CREATE, variables: { name: "Unreadable" } };

    expectRefusal(await post(gateway, body, { accept }), 406, "BAD_USER_INPUT");
    expect(await gateway.sandbox.calls()).toBe(0);
  });
});

describe("a body", () => {
  const body = { query: CREATE, variables: { name: "A body" } };

  test.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/graphql",
    "application/xml",
    "text/json",
    `${JSON_TYPE}; charset=iso-8859-1`,
    `text/plain, ${JSON_TYPE}`,
    "",
    null,
  ])("that calls itself %j is refused, and nothing runs", async (type) => {
    const answer = await exchange(gateway, { body, headers: { "content-type": type } });

    expectRefusal(answer, 415, "BAD_USER_INPUT");
    expect(await gateway.sandbox.calls()).toBe(0);
  });

  test("that is compressed is refused, for it could unfold to anything", async () => {
    const answer = await post(gateway, body, { "content-encoding": "gzip" });

    expectRefusal(answer, 415, "BAD_USER_INPUT");
  });

  const long = JSON.stringify({ query: NAME, variables: { x: "x".repeat(BODY_BYTES) } });

  test("that announces more than the limit is refused", async () => {
    const headers = { "content-length": String(long.length) };

    expectRefusal(await post(gateway, long, headers), 413, "BAD_USER_INPUT");
  });

  test("that grows over the limit in chunks is refused", async () => {
    const chunks = [long.slice(0, 100), long.slice(100)];
    const headers = { "transfer-encoding": "chunked" };

    expectRefusal(await post(gateway, chunks, headers), 413, "BAD_USER_INPUT");
  });

  test("that just fits is read", async () => {
    const frame = JSON.stringify({ query: NAME, extensions: { x: "" } });
    const x = "x".repeat(BODY_BYTES - frame.length);

    expectData(await post(gateway, { query: NAME, extensions: { x } }), NAMED);
  });

  test("with a document over its own limit is refused", async () => {
    const query = `${NAME} # ${"x".repeat(2048)}`;
    const answer = await post(gateway, { query }, { accept: GRAPHQL_RESPONSE });

    expectRefusal(answer, 400, "OPERATION_TOO_EXPENSIVE", GRAPHQL_RESPONSE);
  });

  test.each([
    ["nothing", ""],
    ["half of it", '{"query":"{ viewer'],
    ["a number", "7"],
    ["a list", "[]"],
    ["a batch", JSON.stringify([{ query: NAME }])],
    ["no query", "{}"],
    ["a query that is null", '{"query":null}'],
    ["a query that is no text", '{"query":{}}'],
    ["half a surrogate pair", '{"query":"\\ud800"}'],
    ["a member twice", `{"query":"${NAME}","query":"${NAME}"}`],
    ["variables that are text", JSON.stringify({ query: NAME, variables: "{}" })],
    ["an operationName that is a number", JSON.stringify({ query: NAME, operationName: 7 })],
    ["extensions that are text", JSON.stringify({ query: NAME, extensions: "{}" })],
  ])("that is %s is refused whichever type is read", async (_what, text) => {
    for (const type of [JSON_TYPE, GRAPHQL_RESPONSE]) {
      expectRefusal(await post(gateway, text, { accept: type }), 400, "BAD_USER_INPUT", type);
    }
  });
});

describe("a credential", () => {
  test.each([null, "", "Bearer", "Bearer wrong-wrong-wrong", "Basic ZGVtbzpkZW1v"])(
    "%j is refused, and the answer says what would do",
    async (authorization) => {
      for (const type of [JSON_TYPE, GRAPHQL_RESPONSE]) {
        const answer = await post(gateway, { query: NAME }, { authorization, accept: type });

        expectRefusal(answer, 401, "UNAUTHENTICATED", type);
        expect(answer.headers["www-authenticate"]).toBe("Bearer");
      }
    },
  );
});

describe("a request id", () => {
  test.each(["", "two words", "x".repeat(129)])("%j is replaced", async (given) => {
    const answer = await post(gateway, { query: NAME }, { "x-request-id": given });

    expect(answer.headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
  });
});

/** Documents and variables that are refused before anything runs. */
const REQUEST_ERRORS: readonly [string, Record<string, unknown>, string][] = [
  ["a document that is none", { query: "{ viewer { name }" }, "GRAPHQL_PARSE_FAILED"],
  ["a document without an operation", { query: "fragment F on Query { __typename }" }, ""],
  ["an unknown field", { query: "{ nothing }" }, "GRAPHQL_VALIDATION_FAILED"],
  ["an argument of the wrong type", { query: "{ projects(first: true) { nodes { name } } }" }, ""],
  [
    "a variable that is missing",
    { query: "query ($id: ID!) { project(projectId: $id) { name } }" },
    "",
  ],
  [
    "a variable that is null",
    {
      query: "query ($id: ID!) { project(projectId: $id) { name } }",
      variables: { id: null },
    },
    "BAD_USER_INPUT",
  ],
  [
    "a variable of the wrong type",
    {
      query: "query ($first: Int) { projects(first: $first) { nodes { name } } }",
      variables: { first: "one" },
    },
    "BAD_USER_INPUT",
  ],
  [
    "a fraction for Int",
    {
      query: "query ($first: Int) { projects(first: $first) { nodes { name } } }",
      variables: { first: 1.5 },
    },
    "BAD_USER_INPUT",
  ],
  [
    "a value that the enum does not have",
    {
      query:
        "query ($unit: PowerUnit!) { designSummary(designId: 1) { systemSizeStc(unit: $unit) } }",
      variables: { unit: "HORSEPOWER" },
    },
    "BAD_USER_INPUT",
  ],
  [
    "an input object with an unknown member",
    {
      query: "mutation ($input: CreateProjectInput!) { createProject(input: $input) { replayed } }",
      variables: { input: { location: {}, colour: "red" } },
    },
    "BAD_USER_INPUT",
  ],
  [
    "an input object without a required member",
    {
      query: "mutation ($input: CreateProjectInput!) { createProject(input: $input) { replayed } }",
      variables: { input: { name: "Nowhere" } },
    },
    "BAD_USER_INPUT",
  ],
];

describe("a request error", () => {
  test.each(REQUEST_ERRORS)(
    "for %s has neither data nor path: 400, and 200 for who reads application/json",
    async (_what, body, code) => {
      for (const [type, status] of [
        [GRAPHQL_RESPONSE, 400],
        [JSON_TYPE, 200],
      ] as const) {
        const answer = await post(gateway, body, { accept: type });

        const { errors, ...others } = bodyOf(answer);
        expect({ status: answer.status, others }).toEqual({ status, others: {} });
        expect(answer.headers["content-type"]).toBe(`${type}; charset=utf-8`);
        expect(answer.headers["x-request-id"]).toBe(answer.requestId);
        expect(errors?.length).toBeGreaterThan(0);
        for (const error of errors ?? []) {
          expect(error).not.toHaveProperty("path");
          expect(error.message).not.toBe("");
          expect(error.extensions.code).toMatch(code === "" ? /^(BAD_|GRAPHQL_)/ : code);
        }
      }
      expect(await gateway.sandbox.calls()).toBe(0);
    },
  );
});

describe("a field error", () => {
  test.each([JSON_TYPE, GRAPHQL_RESPONSE])("leaves its siblings, as %s by 200", async (type) => {
    const query = '{ viewer { name } lost: project(projectId: "none") { name } }';
    const answer = await post(gateway, { query }, { accept: type });

    expect(answer.status).toBe(200);
    expect(answer.headers["content-type"]).toBe(`${type}; charset=utf-8`);
    expect(bodyOf(answer)).toEqual({
      data: { ...NAMED, lost: null },
      errors: [
        {
          message: expect.any(String),
          locations: [{ line: 1, column: 19 }],
          path: ["lost"],
          extensions: { code: "NOT_FOUND", retryable: false },
        },
      ],
    });
  });
});
