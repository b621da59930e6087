/** A bare WebSocket, for what no client says of its own accord. */
import { once } from "node:events";
import { WebSocket, type ClientOptions } from "ws";
import { eventually } from "./wait";

/** How long the gateway may take for one message. */
const HEAR_WITHIN_MS = 10_000;

export type Message = Readonly<Record<string, unknown>>;

export class Socket {
  readonly #socket: WebSocket;
  readonly #heard: Message[] = [];
  #closed: { code: number; reason: string } | undefined;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data) => this.#heard.push(JSON.parse(String(data)) as Message));
    socket.on("close", (code, reason) => (this.#closed = { code, reason: String(reason) }));
    socket.on("error", () => undefined);
  }

  static async open(url: string, offered: string[], options: ClientOptions = {}): Promise<Socket> {
    const socket = new WebSocket(url, offered, options);
    const opened = new Socket(socket);
    await once(socket, "open");
    return opened;
  }

  /** The subprotocol that was agreed on. */
  get protocol(): string {
    return this.#socket.protocol;
  }

  say(message: Message | string | Buffer): void {
    const isRaw = typeof message === "string" || Buffer.isBuffer(message);
    this.#socket.send(isRaw ? message : JSON.stringify(message));
  }

  hear(): Promise<Message> {
    return eventually("the gateway says something", HEAR_WITHIN_MS, () => {
      const next = this.#heard.shift();
      if (next === undefined && this.#closed !== undefined) {
        throw new Error(`closed: ${this.#closed.code} ${this.#closed.reason}`);
      }
      return next;
    });
  }

  /** How the gateway closed it, whatever it said before. */
  closed(): Promise<{ code: number; reason: string }> {
    return eventually("the gateway closes the socket", HEAR_WITHIN_MS, () => this.#closed);
  }

  close(): void {
    this.#socket.terminate();
  }
}

/** What a handshake that is refused is answered with. */
export function refusedHandshake(
  url: string,
  offered: string[],
  options: ClientOptions = {},
): Promise<{ status: number; body: unknown; requestId: string | undefined }> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, offered, options);
    socket.on("error", reject);
    socket.on("open", () => {
      socket.terminate();
      reject(new Error("the socket was opened"));
    });
    socket.on("unexpected-response", (_request, response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => {
        const requestId = response.headers["x-request-id"];
        const body: unknown = JSON.parse(text);
        resolve({ status: response.statusCode ?? 0, body, requestId: String(requestId) });
      });
    });
  });
}
