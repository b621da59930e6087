/** Apollo Client, with each of its links that reach a server. */
import { createHash } from "node:crypto";
import {
  ApolloClient,
  ApolloLink,
  CombinedGraphQLErrors,
  gql,
  HttpLink,
  InMemoryCache,
  type TypedDocumentNode,
} from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { afterAll, describe, expect, test, vi } from "vitest";
import { startGateway } from "./support/gateway";
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

const gateway = await startGateway();

// In a browser there is one, and Apollo's link looks for it when it is told of an error.
vi.stubGlobal("WebSocket", WebSocket);

afterAll(() => gateway.close());

function client(link: ApolloLink): ApolloClient {
  return new ApolloClient({ link, cache: new InMemoryCache() });
}

function http(options: HttpLink.Options = {}): HttpLink {
  const { authorization } = gateway;
  return new HttpLink({ uri: gateway.http, headers: { authorization }, ...options });
}

/** What a client hears, one result after the other. */
function subscribe(to: ApolloClient) {
  const query = gql(DESIGNS) as TypedDocumentNode<DesignsData>;
  return iterate((observer) => to.subscribe({ query }).subscribe(observer));
}

describe("HttpLink", () => {
  test("queries", async () => {
    const { data } = await client(http()).query<ViewerData>({ query: gql(VIEWER) });

    expect(data?.viewer.name).toBe("demo");
  });

  test("queries by GET", async () => {
    const { fetch, sent } = wiretap();
    const link = http({ useGETForQueries: true, fetch });

    const { data } = await client(link).query<ViewerData>({ query: gql(VIEWER) });

    expect(data?.viewer.name).toBe("demo");
    expect(sent).toMatchObject([{ method: "GET", status: 200 }]);
  });

  test("mutates", async () => {
    const { data } = await client(http()).mutate<CreateData>({
      mutation: gql(CREATE),
      variables: { name: "By Apollo" },
    });

    expect(data?.createProject.project?.name).toBe("By Apollo");
  });

  test("keeps what came beside an error", async () => {
    const query = gql`
      {
        viewer {
          name
          scopes
        }
        project(projectId: "none") {
          name
        }
      }
    `;

    const { data, error } = await client(http()).query({ query, errorPolicy: "all" });

    expect(data).toMatchObject({ viewer: { name: "demo" }, project: null });
    expect(CombinedGraphQLErrors.is(error) && error.errors).toMatchObject([
      { path: ["project"], extensions: { code: "NOT_FOUND" } },
    ]);
  });

  test("reads why a document was refused", async () => {
    const refused = client(http()).query({ query: gql("{ nothing }") });

    const errors = [{ extensions: { code: "GRAPHQL_VALIDATION_FAILED" } }];
    await expect(refused).rejects.toSatisfy(CombinedGraphQLErrors.is);
    await expect(refused).rejects.toMatchObject({ errors });
  });

  test("reads that its key was refused", async () => {
    const link = http({ headers: { authorization: "Bearer wrong-wrong-wrong" } });

    const refused = client(link).query({ query: gql(VIEWER) });

    await expect(refused).rejects.toSatisfy(CombinedGraphQLErrors.is);
    await expect(refused).rejects.toMatchObject({
      errors: [{ extensions: { code: "UNAUTHENTICATED" } }],
    });
  });
});

describe("HttpLink, by multipart", () => {
  test("hears of a design", async () => {
    const { heard, begun } = await hearOfADesign(gateway, () => subscribe(client(http())));

    expectTheDesign(withoutTypenames(heard), begun);
  });

  test("reads why a subscription was refused", async () => {
    const query = gql("subscription { nothing }");
    const refused = iterate((observer) => client(http()).subscribe({ query }).subscribe(observer));

    const { value } = (await refused.next()) as { value: { error?: unknown } };

    expect(CombinedGraphQLErrors.is(value.error)).toBe(true);
  });
});

describe("GraphQLWsLink", () => {
  function socket() {
    return createClient({
      url: gateway.socket,
      webSocketImpl: WebSocket,
      connectionParams: { Authorization: gateway.authorization },
      retryAttempts: 0,
    });
  }

  test("queries and mutates", async () => {
    const overSocket = client(new GraphQLWsLink(socket()));

    const asked = await overSocket.query<ViewerData>({ query: gql(VIEWER) });
    const variables = { name: "By link" };
    const made = await overSocket.mutate<CreateData>({ mutation: gql(CREATE), variables });

    expect(asked.data?.viewer.name).toBe("demo");
    expect(made.data?.createProject.project?.name).toBe("By link");
  });

  test("hears of a design", async () => {
    const overSocket = client(new GraphQLWsLink(socket()));

    const { heard, begun } = await hearOfADesign(gateway, () => subscribe(overSocket));

    expectTheDesign(withoutTypenames(heard), begun);
  });

  test("reads why a subscription was refused", async () => {
    const query = gql("subscription { nothing }");
    const link = client(new GraphQLWsLink(socket()));
    const refused = iterate((observer) => link.subscribe({ query }).subscribe(observer));

    const { value } = (await refused.next()) as { value: { error?: unknown } };
    expect(CombinedGraphQLErrors.is(value.error) && value.error.errors).toMatchObject([
      { extensions: { code: "GRAPHQL_VALIDATION_FAILED" } },
    ]);
  });
});

describe("PersistedQueryLink", () => {
  const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

  function persisted(useGETForHashedQueries: boolean) {
    const { fetch, sent } = wiretap();
    const hashes = new PersistedQueryLink({ sha256, useGETForHashedQueries });
    return { link: ApolloLink.from([hashes, http({ fetch })]), sent };
  }

  test.each([
    ["POST", false, "query ByPost { viewer { name } }"],
    ["GET", true, "query ByGet { viewer { name } }"],
  ])("sends a text once, and then its hash by %s", async (method, byGet, text) => {
    const { link, sent } = persisted(byGet);
    const query = gql(text);

    for (const _time of ["first", "second"]) {
      const { data } = await client(link).query<ViewerData>({ query });
      expect(data?.viewer.name).toBe("demo");
    }

    const shape = sent.map(({ method, members }) => [method, members.includes("query")]);
    expect(shape).toEqual([
      [method, false],
      [expect.stringMatching(/^(GET|POST)$/), true],
      [method, false],
    ]);
    expect(sent[2]?.status).toBe(200);
  });

  test("mutates by POST, whatever queries do", async () => {
    const { link, sent } = persisted(true);

    const variables = { name: "By hash" };
    const { data } = await client(link).mutate<CreateData>({ mutation: gql(CREATE), variables });

    expect(data?.createProject.project?.name).toBe("By hash");
    expect(new Set(sent.map(({ method }) => method))).toEqual(new Set(["POST"]));
  });
});

/** Apollo asks for type names as well; the other clients do not. */
function withoutTypenames(heard: unknown): unknown {
  const text = JSON.stringify(heard, (name, value: unknown) =>
    name === "__typename" ? undefined : value,
  );
  return JSON.parse(text);
}
