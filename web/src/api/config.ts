/**
 * What the gateway says of itself to a page that has no credential yet.
 *
 * The answer is parsed here, once; behind this file a `Config` is trusted.
 */

/** The ready key of `heliograph demo`. It opens a sandbox on loopback and nothing else. */
export interface Demo {
  readonly apiKey: string;
  readonly tenantId: string;
}

export interface Config {
  readonly version: string;
  /** Null at every gateway but that of `heliograph demo`. */
  readonly demo: Demo | null;
  /** Whether GraphiQL is served: an operator can switch it off. */
  readonly explorer: boolean;
}

/** Where the gateway serves it, open to everyone. */
export const CONFIG_PATH = "/graphiql/config.json";

export async function fetchConfig(): Promise<Config> {
  const response = await fetch(CONFIG_PATH, { cache: "no-store" });
  if (!response.ok) throw new Error(`${CONFIG_PATH} answered ${response.status}`);
  return parseConfig(await response.json());
}

/** @throws {Error} naming the part that is not as promised. */
export function parseConfig(json: unknown): Config {
  const config = record(json, "config.json");
  const demo = config.demo ?? null;
  return {
    version: text(config.version, "version"),
    demo: demo === null ? null : parseDemo(record(demo, "demo")),
    explorer: config.explorer !== false,
  };
}

function parseDemo(demo: Record<string, unknown>): Demo {
  return {
    apiKey: text(demo.apiKey, "demo.apiKey"),
    tenantId: text(demo.tenantId, "demo.tenantId"),
  };
}

function record(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error(`${name} is not an object`);
  }
  return { ...value };
}

function text(value: unknown, name: string): string {
  if (typeof value !== "string" || value === "") throw new Error(`${name} is not a text`);
  return value;
}
