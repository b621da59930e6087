/**
 * `graphql-transport-ws`: with the client of the package that defines it, and by a bare socket where a
 * well-behaved client would never go.
 */
import { createClient, type Client, type ClientOptions } from "graphql-ws";
import { WebSocket } from "ws";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startGateway, type Gateway } from "./support/gateway";
import { all } from "./support/iterate";
import {
  CREATE,
  DESIGNS,
  VIEWER,
  beginDesign,
  hearOfADesign,
  type DesignsData,
} from "./support/operations";
import { Socket, refusedHandshake } from "./support/socket";
import { expectTheDesign } from "./support/values";
import { eventually } from "./support/wait";

const PROTOCOL = "graphql-transport-ws";

let gateway: Gateway;
let clients: Client[] = [];
let sockets: Socket[] = [];

beforeAll(async () => {
  gateway = await startGateway();
});

afterEach(async () => {
  await Promise.all(clients.map((client) => client.dispose()));
  sockets.forEach((socket) => socket.close());
  clients = [];
  sockets = [];
});

afterAll(() => gateway?.close());

function connect(options: Partial<ClientOptions> = {}): Client {
  const client = createClient({
    url: gateway.socket,
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: gateway.authorization },
    retryAttempts: 0,
    ...options,
  });
  clients.push(client);
  return client;
}

describe("the client", () => {
  test("queries", async () => {
    const [answer, ...more] = await all(connect().iterate({ query: VIEWER }));

    expect(answer).toMatchObject({ data: { viewer: { name: "demo" } } });
    expect(more).toEqual([]);
  });

  test("mutates", async () => {
    const answers = await all(
      connect().iterate({ query: CREATE, variables: { name: "By socket" } }),
    );

    expect(answers).toEqual([
      {
        data: {
          createProject: {
            project: {
              projectId: expect.any(String),
              name: "By socket",
              designs: [{ designId: expect.any(String) }],
            },
            userErrors: [],
          },
        },
      },
    ]);
  });

  test("hears of a design, and resumes behind what it has heard", async () => {
    const client = connect();
    const { heard, begun } = await hearOfADesign(gateway, () => client.iterate({ query: DESIGNS }));
    expectTheDesign(heard, begun);

    // The next design is finished while nobody listens.
    const second = await beginDesign(gateway);
    await gateway.sandbox.finish(second.designId);
    const { cursor: after } = (heard as { data: { designCompleted: { cursor: string } } }).data
      .designCompleted;
    for await (const answer of connect().iterate({ query: DESIGNS, variables: { after } })) {
      expectTheDesign(answer, second);
      break;
    }
  });

  test("comes back by itself when it is cut off, and goes on behind what it has heard", async () => {
    const opened: WebSocket[] = [];
    let letBack = () => {};
    const cutOff = new Promise<void>((resolve) => (letBack = resolve));
    const client = connect({
      retryAttempts: 5,
      retryWait: () => cutOff,
      on: { opened: (socket) => opened.push(socket as WebSocket) },
    });
    const heard: string[] = [];
    const failures: unknown[] = [];
    // As docs/subscriptions.md has it.
    const variables: { after: string | null } = { after: null };
    client.subscribe<DesignsData>(
      { query: DESIGNS, variables },
      {
        next({ data }) {
          if (!data) return;
          heard.push(data.designCompleted.designId);
          variables.after = data.designCompleted.cursor;
        },
        error: (cause) => failures.push(cause),
        complete() {},
      },
    );
    const hears = (count: number) =>
      eventually(`${count} designs`, 10_000, () => (heard.length === count ? true : undefined));
    await gateway.operationsBecome(1);
    const designs = [
      await beginDesign(gateway),
      await beginDesign(gateway),
      await beginDesign(gateway),
    ];
    const [first, second, third] = designs.map(({ designId }) => designId) as [
      string,
      string,
      string,
    ];

    await gateway.sandbox.finish(first);
    await hears(1);
    opened[0]?.terminate();
    await gateway.operationsBecome(0);
    await gateway.sandbox.finish(second);
    letBack();
    await hears(2);
    await gateway.sandbox.finish(third);
    await hears(3);

    expect(heard).toEqual([first, second, third]);
    expect([opened.length, failures]).toEqual([2, []]);
  });

  test("runs many operations over one socket, each with its own answer", async () => {
    let opened = 0;
    const client = connect({ on: { opened: () => (opened += 1) } });
    const ask = (name: string) => all(client.iterate({ query: `{ ${name}: viewer { name } }` }));

    const answers = await Promise.all(["a", "b", "c", "d"].map(ask));

    expect(answers.map(([answer]) => Object.keys(answer?.data ?? {}))).toEqual([
      ["a"],
      ["b"],
      ["c"],
      ["d"],
    ]);
    expect(opened).toBe(1);
  });

  test.each([
    ["that is none", "{", "GRAPHQL_PARSE_FAILED"],
    ["that does not fit", "subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"],
    ["with two root fields", `subscription { a: designCompleted { cursor } events { id } }`, ""],
  ])("is told by an error of a document %s", async (_what, query, code) => {
    const refused = all(connect().iterate({ query }));

    await expect(refused).rejects.toEqual([
      expect.objectContaining({
        message: expect.any(String),
        extensions: { code: code || "GRAPHQL_VALIDATION_FAILED", retryable: false },
      }),
    ]);
  });

  test("keeps its socket when an operation is refused", async () => {
    const client = connect({ lazy: false, onNonLazyError: () => undefined });
    await expect(all(client.iterate({ query: "{" }))).rejects.toBeDefined();

    const [answer] = await all(client.iterate({ query: VIEWER }));

    expect(answer).toMatchObject({ data: { viewer: { name: "demo" } } });
  });

  test.each([
    ["no credential", {}],
    ["a wrong one", { Authorization: "Bearer wrong-wrong-wrong" }],
  ])("is closed by 4403 with %s", async (_what, connectionParams) => {
    const refused = all(connect({ connectionParams }).iterate({ query: VIEWER }));

    await expect(refused).rejects.toMatchObject({ code: 4403, wasClean: true });
  });

  test.each([
    ["in lower case", () => ({ authorization: gateway.authorization })],
    ["under headers", () => ({ headers: { Authorization: gateway.authorization } })],
  ])("may show its credential %s", async (_where, connectionParams) => {
    const [answer] = await all(connect({ connectionParams }).iterate({ query: VIEWER }));

    expect(answer).toMatchObject({ data: { viewer: { name: "demo" } } });
  });

  test("gets its pongs", async () => {
    const ponged = new Promise<void>((resolve) => {
      const on = { pong: (received: boolean) => received && resolve() };
      connect({ lazy: false, keepAlive: 50, on, onNonLazyError: () => undefined });
    });

    await ponged;
  });
});

describe("a socket is closed by", () => {
  const init = () => ({
    type: "connection_init",
    payload: { Authorization: gateway.authorization },
  });
  const subscribe = (id: string) => ({ id, type: "subscribe", payload: { query: DESIGNS } });

  async function open(): Promise<Socket> {
    const socket = await Socket.open(gateway.socket, [PROTOCOL]);
    expect(socket.protocol).toBe(PROTOCOL);
    sockets.push(socket);
    return socket;
  }

  async function openAndAdmitted(): Promise<Socket> {
    const socket = await open();
    socket.say(init());
    expect(await socket.hear()).toEqual({ type: "connection_ack" });
    return socket;
  }

  test.each([
    ["no JSON", "hello"],
    ["no object", "[]"],
    ["no type", "{}"],
    ["an unknown type", '{"type":"hello"}'],
    ["a type of the older protocol", '{"type":"start","id":"1","payload":{"query":"{a}"}}'],
    ["a type of the server's", '{"type":"connection_ack"}'],
    ["no id", '{"type":"subscribe","payload":{"query":"{a}"}}'],
    ["an empty id", '{"type":"subscribe","id":"","payload":{"query":"{a}"}}'],
    ["no payload", '{"type":"subscribe","id":"1"}'],
    ["no query", '{"type":"subscribe","id":"1","payload":{}}'],
    ["a query that is no text", '{"type":"subscribe","id":"1","payload":{"query":7}}'],
    ["bytes", Buffer.from('{"type":"ping"}')],
  ])("4400 for a message with %s", async (_what, message) => {
    const socket = await openAndAdmitted();
    socket.say(message);

    expect(await socket.closed()).toMatchObject({ code: 4400, reason: expect.stringMatching(/./) });
  });

  test("4401 for an operation before any credential", async () => {
    const socket = await open();
    socket.say(subscribe("1"));

    expect(await socket.closed()).toEqual({ code: 4401, reason: "Unauthorized" });
  });

  test("4403 for a credential that is refused", async () => {
    const socket = await open();
    socket.say({ type: "connection_init", payload: { Authorization: "Bearer wrong" } });

    expect(await socket.closed()).toMatchObject({
      code: 4403,
      reason: expect.stringMatching(/^Forbidden/),
    });
  });

  test("4406 where no subprotocol is offered that is spoken here", async () => {
    const socket = await Socket.open(gateway.socket, []);

    expect(socket.protocol).toBe("");
    expect(await socket.closed()).toMatchObject({
      code: 4406,
      reason: expect.stringContaining(PROTOCOL),
    });
  });

  test.each(["mqtt", "GRAPHQL-TRANSPORT-WS"])("no agreement on %s", async (offered) => {
    const opened = Socket.open(gateway.socket, [offered]);

    await expect(opened).rejects.toThrow("no subprotocol");
  });

  test("4408 for saying nothing", async () => {
    const impatient = await startGateway({ LIMITS__INIT_TIMEOUT: "200ms" });
    const socket = await Socket.open(impatient.socket, [PROTOCOL]);

    const reason = "Connection initialisation timeout";
    expect(await socket.closed()).toEqual({ code: 4408, reason });
    await impatient.close();
  });

  test("4409 for an id that is taken, and not for one that is free again", async () => {
    const socket = await openAndAdmitted();
    socket.say(subscribe("1"));
    socket.say({ id: "1", type: "complete" });
    socket.say(subscribe("1"));
    socket.say({ type: "ping" });
    expect(await socket.hear()).toEqual({ type: "pong" });

    socket.say(subscribe("1"));

    expect(await socket.closed()).toMatchObject({ code: 4409 });
    await gateway.operationsBecome(0);
  });

  test("4429 for a second greeting", async () => {
    const socket = await openAndAdmitted();
    socket.say(init());

    const reason = "Too many initialisation requests";
    expect(await socket.closed()).toEqual({ code: 4429, reason });
  });
});

describe("a socket is never opened", () => {
  test("for a page of a foreign origin, whatever it knows", async () => {
    const headers = { origin: "https://evil.example.com", authorization: gateway.authorization };

    expect(await refusedHandshake(gateway.socket, [PROTOCOL], { headers })).toMatchObject({
      status: 403,
      body: { errors: [{ extensions: { code: "FORBIDDEN" } }] },
    });
  });
});
