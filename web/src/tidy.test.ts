/** The folder's rules, held by a test: state, view, action, api, and back to state. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const SOURCE = new URL(".", import.meta.url);

const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" })
  .filter((path) => /\.tsx?$/.test(path) && !path.endsWith(".test.ts"))
  .map((path) => ({ path, text: readFileSync(new URL(path, SOURCE), "utf8") }));

test("only the api fetches or opens a socket", () => {
  const elsewhere = files.filter(({ path }) => !path.startsWith("api/"));
  expect(matching(elsewhere, /\bfetch\(|\bWebSocket\(|\bEventSource\(|"graphql-ws"/)).toEqual([]);
});

test("a view knows the api's types at most", () => {
  const views = files.filter(({ path }) => path.startsWith("view/"));
  expect(views.length).toBeGreaterThan(0);
  expect(matching(views, /^import (?!type\b).*"\.\.\/api\//m)).toEqual([]);
});

test("the state knows no browser", () => {
  const state = files.filter(({ path }) => path.startsWith("state/"));
  expect(matching(state, /\b(window|document|navigator|localStorage)\b|from "react"/)).toEqual([]);
});

function matching(among: typeof files, pattern: RegExp): readonly string[] {
  return among.filter(({ text }) => pattern.test(text)).map(({ path }) => path);
}
