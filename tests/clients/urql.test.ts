/** urql, over HTTP, over a socket and over streams of its own. */
import { cacheExchange, Client, fetchExchange, subscriptionExchange } from "@urql/core";
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startGateway, type Gateway } from "./support/gateway";
import { iterate } from "./support/iterate";
import {
  CREATE,
  DESIGNS,
  hearOfADesign,
  VIEWER,
  type CreateData,
  type DesignsData,
  type ViewerData,
} from "./support/operations";
import { expectTheDesign } from "./support/values";
import { wiretap } from "./support/wiretap";

let gateway: Gateway;

beforeAll(async () => {
  gateway = await startGateway();
});

afterAll(() => gateway?.close());

function client(options: Partial<ConstructorParameters<typeof Client>[0]> = {}): Client {
  return new Client({
    url: gateway.http,
    preferGetMethod: false,
    fetchOptions: () => ({ headers: { authorization: gateway.authorization } }),
    exchanges: [cacheExchange, fetchExchange],
    ...options,
  });
}

/** What urql hears, as the data that came or the error that it made of it. */
function subscribe(to: Client) {
  return iterate<{ data: DesignsData | undefined }>((observer) =>
    to.subscription<DesignsData>(DESIGNS, {}).subscribe(({ data, error }) => {
      if (error === undefined) observer.next({ data });
      else observer.error(error);
    }),
  );
}

describe("over HTTP", () => {
  test("it queries", async () => {
    const { data, error } = await client().query<ViewerData>(VIEWER, {});

    expect([data?.viewer.name, error]).toEqual(["demo", undefined]);
  });

  test("it queries by GET, its own default", async () => {
    const { fetch, sent } = wiretap();
    const byGet = client({ preferGetMethod: "within-url-limit", fetch });

    const { data } = await byGet.query<ViewerData>(VIEWER, {});

    expect(data?.viewer.name).toBe("demo");
    expect(sent).toMatchObject([{ method: "GET", status: 200 }]);
  });

  test("it mutates", async () => {
    const { data } = await client().mutation<CreateData>(CREATE, { name: "By urql" });

    expect(data?.createProject.project?.name).toBe("By urql");
  });

  test("it keeps what came beside an error", async () => {
    const query = '{ viewer { name } project(projectId: "none") { name } }';

    const { data, error } = await client().query(query, {});

    expect(data).toMatchObject({ viewer: { name: "demo" }, project: null });
    expect(error?.graphQLErrors).toMatchObject([
      { path: ["project"], extensions: { code: "NOT_FOUND" } },
    ]);
  });

  test("it reads why it was refused", async () => {
    const unknown = await client().query("{ nothing }", {});
    const stranger = await client({ fetchOptions: {} }).query(VIEWER, {});

    const codes = [unknown, stranger].map(({ error }) => error?.graphQLErrors[0]?.extensions.code);
    expect(codes).toEqual(["GRAPHQL_VALIDATION_FAILED", "UNAUTHENTICATED"]);
  });
});

describe("over a socket", () => {
  const socket = { current: undefined as ReturnType<typeof createClient> | undefined };

  afterEach(() => socket.current?.dispose());

  test("it hears of a design", async () => {
    const connection = createClient({
      url: gateway.socket,
      webSocketImpl: WebSocket,
      connectionParams: { Authorization: gateway.authorization },
      retryAttempts: 0,
    });
    socket.current = connection;
    const forwarding = subscriptionExchange({
      forwardSubscription: ({ query = "", variables }) => ({
        subscribe: ({ next, error, complete }) => {
          // The two packages differ in whether `data` may be there and undefined.
          const sink = { next: (answer: object) => next(answer), error, complete };
          return {
            unsubscribe: connection.subscribe({ query, variables: { ...variables } }, sink),
          };
        },
      }),
    });
    const overSocket = client({ exchanges: [fetchExchange, forwarding] });

    const { heard, begun } = await hearOfADesign(gateway, () => subscribe(overSocket));

    expectTheDesign(heard, begun);
  });
});

describe("over a stream", () => {
  test("it hears of a design", async () => {
    const overFetch = client({ fetchSubscriptions: true });

    const { heard, begun } = await hearOfADesign(gateway, () => subscribe(overFetch));

    expectTheDesign(heard, begun);
  });
});
