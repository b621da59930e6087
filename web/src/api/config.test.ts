import { expect, test } from "vitest";
import { parseConfig } from "./config";

test("a gateway without a demo has only a version", () => {
  const plain = { version: "1.2.3", demo: null, explorer: true };
  expect(parseConfig({ version: "1.2.3", demo: null })).toEqual(plain);
  expect(parseConfig({ version: "1.2.3" })).toEqual(plain);
});

test("a gateway says whether GraphiQL is switched off", () => {
  expect(parseConfig({ version: "1.2.3", explorer: true }).explorer).toBe(true);
  expect(parseConfig({ version: "1.2.3", explorer: false }).explorer).toBe(false);
});

test("a demo gives its key and its tenant", () => {
  const demo = { apiKey: "k", tenantId: "t" };
  expect(parseConfig({ version: "1.2.3", demo }).demo).toEqual(demo);
});

test.each([
  [null, "config.json is not an object"],
  [[], "config.json is not an object"],
  [{ demo: null }, "version is not a text"],
  [{ version: "1", demo: "yes" }, "demo is not an object"],
  [{ version: "1", demo: { apiKey: 7, tenantId: "t" } }, "demo.apiKey is not a text"],
  [{ version: "1", demo: { apiKey: "k", tenantId: "" } }, "demo.tenantId is not a text"],
])("%j is refused: %s", (json, reason) => {
  expect(() => parseConfig(json)).toThrow(reason);
});
