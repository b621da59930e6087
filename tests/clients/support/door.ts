/**
 * A door before the gateway that sees who comes, and lends its own key to whoever comes without one, as
 * a proxy may that knows people by a cookie or by their network. Behind such a door nothing but the
 * gateway's own care keeps a foreign page from acting for the person who looks at it.
 */
import { once } from "node:events";
import { createServer, request, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { Gateway } from "./gateway";

export interface Seen {
  readonly method: string;
  readonly status: number;
}

export interface Door {
  readonly http: string;
  readonly socket: string;
  /** What came to `/graphql`, and how the gateway answered it, once it did. */
  readonly seen: readonly Seen[];
  readonly forget: () => void;
  readonly close: () => Promise<void>;
}

export interface Habits {
  /** The credential that it lends. */
  readonly lends?: string;
  /** The type that it takes every body for, as a careless proxy might. */
  readonly takesFor?: string;
}

export async function openDoor(gateway: Gateway, habits: Habits = {}): Promise<Door> {
  const { lends, takesFor } = habits;
  let seen: Seen[] = [];

  const pass = (came: IncomingMessage) => {
    const headers: OutgoingHttpHeaders = { ...came.headers };
    if (lends !== undefined) headers.authorization ??= lends;
    if (takesFor !== undefined) headers["content-type"] = takesFor;
    const passed = request(new URL(came.url ?? "/", gateway.origin), {
      method: came.method ?? "GET",
      headers,
    });
    came.pipe(passed);
    return passed;
  };
  const note = (came: IncomingMessage, { statusCode: status = 0 }: IncomingMessage) => {
    // Where a browser is shown GraphiQL, it loads that too.
    if (came.url?.split("?")[0] === "/graphql") seen.push({ method: came.method ?? "", status });
  };

  const server = createServer((came, answer) => {
    const passed = pass(came);
    passed.on("response", (response) => {
      note(came, response);
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    passed.on("error", () => answer.destroy());
    answer.on("close", () => passed.destroy());
  });
  server.on("upgrade", (came: IncomingMessage, stream: Duplex) => {
    const passed = pass(came);
    // A browser resets the connection of a socket that it is refused, before it is let in or after.
    stream.on("error", () => passed.destroy());
    const write = ({ statusCode, statusMessage, rawHeaders }: IncomingMessage) => {
      const lines = [`HTTP/1.1 ${statusCode} ${statusMessage}`];
      for (let at = 0; at < rawHeaders.length; at += 2) {
        lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
      }
      stream.write(`${lines.join("\r\n")}\r\n\r\n`);
    };
    passed.on("upgrade", (response, socket) => {
      note(came, response);
      write(response);
      socket.pipe(stream).pipe(socket);
      socket.on("error", () => stream.destroy());
      stream.on("error", () => socket.destroy());
    });
    passed.on("response", (response) => {
      note(came, response);
      write(response);
      response.pipe(stream);
    });
    passed.on("error", () => stream.destroy());
    passed.end();
  });

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const host = `127.0.0.1:${port}`;
  return {
    http: `http://${host}/graphql`,
    socket: `ws://${host}/graphql`,
    get seen() {
      return seen;
    },
    forget: () => (seen = []),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
