import { expect, test } from "vitest";
import { parseConfig } from "./config";

test("a gateway without a demo has only a version", () => {
  expect(parseConfig({ version: "1.2.3", demo: null })).toEqual({ version: "1.2.3", demo: null });
  expect(parseConfig({ version: "1.2.3" })).toEqual({ version: "1.2.3", demo: null });
});

test("a demo gives its key and its tenant", () => {
  const demo = { apiKey: "k", tenantId: "t" };
  expect(parseConfig({ version: "1.2.3", demo })).toEqual({ version: "1.2.3", demo });
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
