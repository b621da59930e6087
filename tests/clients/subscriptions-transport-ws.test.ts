/**
 * The subprotocol `graphql-ws`, as the retired package subscriptions-transport-ws speaks it; and that
 * whichever subprotocol is agreed on is the one that is spoken.
 */
import { SubscriptionClient } from "subscriptions-transport-ws";
import { WebSocket } from "ws";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startGateway, type Gateway } from "./support/gateway";
import { all, iterate } from "./support/iterate";
import { CREATE, DESIGNS, hearOfADesign, VIEWER } from "./support/operations";
import { Socket } from "./support/socket";
import { expectTheDesign } from "./support/values";

let gateway: Gateway;
let clients: SubscriptionClient[] = [];
let sockets: Socket[] = [];

beforeAll(async () => {
  gateway = await startGateway();
});

afterEach(() => {
  clients.forEach((client) => client.close());
  sockets.forEach((socket) => socket.close());
  clients = [];
  sockets = [];
});

afterAll(() => gateway?.close());

describe("the client", () => {
  function connect(authorization = gateway.authorization): SubscriptionClient {
    const options = { connectionParams: { Authorization: authorization }, reconnect: false };
    const client = new SubscriptionClient(gateway.socket, options, WebSocket);
    clients.push(client);
    return client;
  }

  function ask(client: SubscriptionClient, query: string, variables = {}) {
    return iterate<unknown>((observer) => client.request({ query, variables }).subscribe(observer));
  }

  test("queries", async () => {
    const answers = await all(ask(connect(), VIEWER));

    expect(answers).toMatchObject([{ data: { viewer: { name: "demo" } } }]);
  });

  test("mutates", async () => {
    const answers = await all(ask(connect(), CREATE, { name: "By an old client" }));

    expect(answers).toMatchObject([
      { data: { createProject: { project: { name: "By an old client" } } } },
    ]);
  });

  test("hears of a design", async () => {
    const client = connect();

    const { heard, begun } = await hearOfADesign(gateway, () => ask(client, DESIGNS));

    expectTheDesign(heard, begun);
  });

  test("is told of a document that does not fit", async () => {
    const refused = all(ask(connect(), "subscription { nothing }"));

    await expect(refused).rejects.toMatchObject({ message: expect.stringContaining("nothing") });
  });

  test("is turned away with a wrong key", async () => {
    const client = connect("Bearer wrong-wrong-wrong");

    await new Promise<void>((resolve) => client.onDisconnected(() => resolve()));
  });
});

describe("what is agreed is what is spoken", () => {
  const CURRENT = "graphql-transport-ws";
  const OLD = "graphql-ws";

  test.each([
    [[CURRENT], CURRENT],
    [[OLD], OLD],
    [[CURRENT, OLD], CURRENT],
    [[OLD, CURRENT], CURRENT],
    [["mqtt", OLD], OLD],
  ])("of %j it is %s", async (offered, agreed) => {
    const socket = await Socket.open(gateway.socket, offered);
    sockets.push(socket);
    const words = {
      [CURRENT]: { begin: "subscribe", answer: "next" },
      [OLD]: { begin: "start", answer: "data" },
    }[agreed];

    expect(socket.protocol).toBe(agreed);
    socket.say({ type: "connection_init", payload: { Authorization: gateway.authorization } });
    expect(await socket.hear()).toEqual({ type: "connection_ack" });
    socket.say({ type: words?.begin, id: "1", payload: { query: "{ viewer { name } }" } });
    expect(await socket.hear()).toEqual({
      type: words?.answer,
      id: "1",
      payload: { data: { viewer: { name: "demo" } } },
    });
    expect(await socket.hear()).toEqual({ type: "complete", id: "1" });
  });

  test.each([
    [CURRENT, "start"],
    [OLD, "subscribe"],
  ])("%s does not know the word %s", async (agreed, type) => {
    const socket = await Socket.open(gateway.socket, [agreed]);
    sockets.push(socket);
    socket.say({ type: "connection_init", payload: { Authorization: gateway.authorization } });
    await socket.hear();

    socket.say({ type, id: "1", payload: { query: "{ viewer { name } }" } });

    expect(await socket.closed()).toMatchObject({ code: 4400 });
  });
});
