/**
 * A headless Chromium that may talk to loopback only and keeps a record of what went wrong.
 *
 * The pages promise to work with no internet, so a request to anywhere else is refused and noted, as
 * is every error on the console: violations of the Content-Security-Policy show up there.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type BrowserContext, type Page } from "playwright-core";

export interface Browser {
  readonly context: BrowserContext;
  /** Requests that would have left the machine. */
  readonly strayed: readonly string[];
  /** Console errors and warnings, and uncaught exceptions. */
  readonly complaints: readonly string[];
  readonly open: (url: string) => Promise<Page>;
  readonly close: () => Promise<void>;
}

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

export async function openBrowser(colorScheme: "light" | "dark" = "light"): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), "heliograph-chromium-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: FLAGS,
    viewport: { width: 1360, height: 860 },
    colorScheme,
  });
  const strayed: string[] = [];
  const complaints: string[] = [];
  const isOurs = (url: string) => {
    const { protocol, hostname } = new URL(url);
    return protocol === "data:" || protocol === "blob:" || LOOPBACK.has(hostname);
  };
  const note = (url: string) => {
    if (!isOurs(url)) strayed.push(url);
  };

  await context.route(
    (url) => !isOurs(url.href),
    (route) => route.abort(),
  );
  context.on("request", (request) => note(request.url()));
  context.on("weberror", (error) => complaints.push(String(error.error())));
  context.on("console", (message) => {
    const { type, text } = { type: message.type(), text: message.text() };
    if (type === "error" || type === "warning") complaints.push(text);
  });
  context.on("page", (page) => page.on("websocket", (socket) => note(socket.url())));

  return {
    context,
    strayed,
    complaints,
    async open(url) {
      const page = await context.newPage();
      await page.goto(url);
      return page;
    },
    async close() {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}
