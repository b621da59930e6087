/**
 * The gateway under test: `heliograph demo` from the binary that `HELIOGRAPH_BIN` names, on ports that
 * it picks itself. A missing binary fails the tests instead of skipping them.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Sandbox } from "./sandbox";
import { eventually } from "./wait";

export interface Gateway {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Where GraphQL is served, by HTTP and by WebSocket. */
  readonly http: string;
  readonly socket: string;
  /** A key that may read and write, and the header that shows it. */
  readonly key: string;
  readonly authorization: string;
  /** The Aurora behind it. */
  readonly sandbox: Sandbox;
  /** Waits until exactly so many operations run: a subscription counts as long as it is heard. */
  readonly operationsBecome: (count: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Variables without their `HELIOGRAPH_`. */
export type Settings = Readonly<Record<string, string>>;

/** How long the binary may take to say where it is, and then to be ready. */
const START_WITHIN_MS = 30_000;

/** How long operations may take to begin or to end. */
const SETTLE_WITHIN_MS = 10_000;

const USUAL: Settings = {
  SERVER__LISTEN: "127.0.0.1:0",
  SERVER__ADMIN_LISTEN: "127.0.0.1:0",
  SANDBOX__LISTEN: "127.0.0.1:0",
  // In a folder that is removed.
  STORE__PATH: "heliograph.db",
  // A design is complete when a test says so, and never by itself.
  SANDBOX__DESIGN_DELAY: "1h",
  // The limit is none of the clients' business.
  SANDBOX__REQUESTS_PER_MINUTE: "10000",
  AURORA__REQUESTS_PER_MINUTE: "10000",
};

export async function startGateway(settings: Settings = {}): Promise<Gateway> {
  const binary = process.env.HELIOGRAPH_BIN;
  if (binary === undefined || binary === "") {
    throw new Error("HELIOGRAPH_BIN must name the heliograph binary");
  }
  // A folder of its own: no `heliograph.toml` or database of this checkout gets into the test.
  const folder = await mkdtemp(join(tmpdir(), "heliograph-clients-"));
  const child = spawn(resolve(binary), ["demo"], {
    cwd: folder,
    env: { ...withoutSettings(process.env), ...asVariables({ ...USUAL, ...settings }) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  let failure: Error | null = null;
  child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  child.on("error", (cause) => (failure = cause));
  const ended = once(child, "exit").catch(() => undefined);

  const close = async () => {
    // It keeps nothing that anybody needs, and a polite stop would wait for balancers to notice.
    if (child.exitCode === null && child.signalCode === null && failure === null) {
      child.kill("SIGKILL");
      await ended;
    }
    await rm(folder, { recursive: true, force: true });
  };

  try {
    const { origin, admin, sandbox, key } = await eventually("it says all", START_WITHIN_MS, () => {
      if (failure !== null) throw failure;
      if (child.exitCode !== null) throw new Error(`it exited with ${child.exitCode}`);
      return readAnnouncement(said);
    });
    await eventually("it is ready", START_WITHIN_MS, async () => {
      const response = await fetch(`${admin}/readyz`).catch(() => null);
      return response?.ok === true ? true : undefined;
    });
    return {
      origin,
      http: `${origin}/graphql`,
      socket: `${origin.replace("http", "ws")}/graphql`,
      key,
      authorization: `Bearer ${key}`,
      sandbox: new Sandbox(sandbox),
      operationsBecome: (count) => operationsBecome(admin, count),
      close,
    };
  } catch (cause) {
    await close();
    throw new Error(`heliograph demo did not start. It said:\n${said}`, { cause });
  }
}

/** What the demo prints for people. The last line is waited for, so that all of it is there. */
function readAnnouncement(said: string) {
  if (!said.includes("Ctrl-C stops.")) return undefined;
  const find = (pattern: RegExp) => {
    const found = pattern.exec(said)?.[1];
    if (found === undefined) throw new Error(`nothing is like ${pattern}`);
    return found;
  };
  return {
    origin: find(/GraphQL +(http:\S+)\/graphql\n/),
    admin: find(/(http:\S+)\/healthz/),
    sandbox: find(/Aurora sandbox +(http:\S+)\n/),
    key: find(/API key +(\S+)/),
  };
}

async function operationsBecome(admin: string, count: number): Promise<void> {
  await eventually(`${count} operations run`, SETTLE_WITHIN_MS, async () => {
    const metrics = await (await fetch(`${admin}/metrics`)).text();
    const running = /^heliograph_operations_running (\d+)$/m.exec(metrics)?.[1];
    return running === String(count) ? true : undefined;
  });
}

function asVariables(settings: Settings): NodeJS.ProcessEnv {
  const variables = Object.entries(settings).map(([name, value]) => [`HELIOGRAPH_${name}`, value]);
  return Object.fromEntries(variables);
}

/** The environment without the gateway's settings: it refuses unknown ones, such as `HELIOGRAPH_BIN`. */
function withoutSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const others = Object.entries(environment).filter(([name]) => !name.startsWith("HELIOGRAPH_"));
  return Object.fromEntries(others);
}
