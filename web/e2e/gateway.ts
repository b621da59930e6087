/**
 * The gateway under test: `heliograph demo` from `HELIOGRAPH_BIN`, or a mock where the script asks
 * for it. There is no third way: a missing binary fails the tests instead of skipping them.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { startMockGateway } from "./mock-gateway";
import { eventually } from "./wait";

export interface Gateway {
  readonly url: string;
  readonly close: () => Promise<void>;
}

export async function startGateway(): Promise<Gateway> {
  if (process.env.MODE === "mock") return startMockGateway({ apiKey: "demo-key-1", demo: true });
  const binary = process.env.HELIOGRAPH_BIN;
  if (binary === undefined || binary === "") {
    throw new Error("HELIOGRAPH_BIN must name the heliograph binary (or run `npm run e2e:mock`)");
  }
  return startDemo(resolve(binary));
}

/** How long the binary may take to say its URL and then to answer there. */
const START_WITHIN_MS = 30_000;

/** How long it may take to stop when asked; it is killed after that. */
const STOP_WITHIN_MS = 10_000;

async function startDemo(binary: string): Promise<Gateway> {
  // A folder of its own: no `heliograph.toml` or database of this checkout gets into the test.
  const folder = await mkdtemp(join(tmpdir(), "heliograph-e2e-"));
  const child = spawn(binary, ["demo"], {
    cwd: folder,
    env: {
      ...withoutSettings(process.env),
      HELIOGRAPH_SERVER__LISTEN: "127.0.0.1:0",
      HELIOGRAPH_SERVER__ADMIN_LISTEN: "127.0.0.1:0",
      HELIOGRAPH_SANDBOX__LISTEN: "127.0.0.1:0",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  let failure: Error | null = null;
  child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  child.on("error", (cause) => (failure = cause));
  const ended = once(child, "exit").catch(() => undefined);

  const close = async () => {
    if (child.exitCode === null && child.signalCode === null && failure === null) {
      child.kill("SIGTERM");
      const killer = setTimeout(() => child.kill("SIGKILL"), STOP_WITHIN_MS);
      await ended;
      clearTimeout(killer);
    }
    await rm(folder, { recursive: true, force: true });
  };

  try {
    const url = await eventually("the demo says its URL", START_WITHIN_MS, () => {
      if (failure !== null) throw failure;
      if (child.exitCode !== null) throw new Error(`it exited with ${child.exitCode}`);
      return /(http:\/\/127\.0\.0\.1:\d+)\/graphiql/.exec(said)?.[1];
    });
    await eventually("the demo answers", START_WITHIN_MS, async () => {
      const response = await fetch(`${url}/graphiql/config.json`).catch(() => null);
      return response?.ok === true ? true : undefined;
    });
    return { url, close };
  } catch (cause) {
    await close();
    throw new Error(`heliograph demo did not start. It said:\n${said}`, { cause });
  }
}

/** The environment without the gateway's settings: it refuses unknown ones, such as `HELIOGRAPH_BIN`. */
function withoutSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const others = Object.entries(environment).filter(([name]) => !name.startsWith("HELIOGRAPH_"));
  return Object.fromEntries(others);
}
