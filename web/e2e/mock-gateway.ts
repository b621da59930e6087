/**
 * A gateway made of canned answers, behind the real schema and under the real
 * Content-Security-Policy: it brings the pages into states that a healthy gateway does not show, and
 * runs where there is no Rust toolchain.
 */
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSchema, graphql } from "graphql";
import { useServer } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";
import { Canned } from "./mock-world";

const WEB = fileURLToPath(new URL("..", import.meta.url));

/** What the gateway sends with its pages. No origin but its own, and no script that is inline. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export interface MockOptions {
  /** The only key that is accepted. */
  readonly apiKey: string;
  /** Whether `config.json` gives the key away, as that of `heliograph demo` does. */
  readonly demo: boolean;
}

export interface MockGateway {
  readonly url: string;
  /** Lets the next requests be answered under other options. */
  readonly become: (options: MockOptions) => void;
  readonly close: () => Promise<void>;
}

export async function startMockGateway(initial: MockOptions): Promise<MockGateway> {
  let options = initial;
  const sdl = await readFile(join(WEB, "../schema.graphql"), "utf8");
  const schema = buildSchema(sdl);
  const canned = new Canned();

  const server = createServer((request, response) => {
    answer(request, response).catch((cause: unknown) => {
      response.writeHead(500).end(String(cause));
    });
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? "/", "http://mock").pathname;
    if (path === "/graphql") {
      if (request.headers.authorization !== `Bearer ${options.apiKey}`) {
        return json(response, 401, { errors: [UNAUTHENTICATED] });
      }
      const { query, variables, operationName } = JSON.parse(await text(request)) as Operation;
      const result = await graphql({
        schema,
        rootValue: canned,
        source: query,
        ...(variables && { variableValues: variables }),
        ...(operationName && { operationName }),
        typeResolver: () => "DesignCompletedEvent",
      });
      return json(response, 200, result);
    }
    if (path === "/graphiql/config.json") {
      const demo = options.demo ? { apiKey: options.apiKey, tenantId: canned.tenantId } : null;
      return json(response, 200, { version: "0.1.0", demo });
    }
    if (path === "/schema.graphql") return send(response, "text/plain; charset=utf-8", sdl);
    return page(path, response);
  }

  const sockets = new WebSocketServer({ server, path: "/graphql" });
  useServer(
    {
      schema,
      roots: { subscription: { designCompleted: () => canned.designCompleted() } },
      // False closes the socket with 4403, as the protocol has it.
      onConnect: ({ connectionParams }) =>
        connectionParams?.Authorization === `Bearer ${options.apiKey}`,
    },
    sockets,
  );

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    become: (next) => (options = next),
    async close() {
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Operation {
  readonly query: string;
  readonly variables?: Record<string, unknown>;
  readonly operationName?: string;
}

const UNAUTHENTICATED = {
  message: "The credential is missing or not known here",
  extensions: { code: "UNAUTHENTICATED", retryable: false },
};

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".ttf": "font/ttf",
};

async function page(path: string, response: ServerResponse): Promise<void> {
  const pages: Readonly<Record<string, string>> = {
    "/": "index.html",
    "/graphiql": "graphiql.html",
  };
  const file = pages[path] ?? (/^\/assets\/[\w.-]+$/.test(path) ? path.slice(1) : null);
  if (file === null) {
    response.writeHead(404).end();
    return;
  }
  send(response, TYPES[extname(file)] ?? "", await readFile(join(WEB, "dist", file)));
}

function send(response: ServerResponse, type: string, body: string | Buffer): void {
  response
    .writeHead(200, {
      "content-type": type,
      "content-security-policy": CONTENT_SECURITY_POLICY,
      "x-content-type-options": "nosniff",
    })
    .end(body);
}

function json(response: ServerResponse, status: number, body: object): void {
  response
    .writeHead(status, { "content-type": "application/json", "cache-control": "no-store" })
    .end(JSON.stringify(body));
}

async function text(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  return body;
}
