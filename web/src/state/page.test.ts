import { buildSchema } from "graphql";
import { expect, test } from "vitest";
import { headersWith } from "./headers";
import { initial, reduce, type State } from "./page";

const config = { version: "1.2.3", demo: null, explorer: true };

test("what the gateway said is kept while it is silent", () => {
  const answered = reduce(initial, { type: "configArrived", config });
  const silent = reduce(answered, { type: "configFailed" });

  expect(answered.gateway).toBe("answers");
  expect(silent).toMatchObject({ gateway: "silent", config });
});

test("a schema that arrives ends the complaint about it", () => {
  const failed = reduce(initial, { type: "schemaFailed", reason: "404" });
  const schema = buildSchema("type Query { ok: Boolean }");

  expect(failed.schemaFailure).toBe("404");
  expect(reduce(failed, { type: "schemaArrived", schema })).toMatchObject({
    schema,
    schemaFailure: null,
  });
});

test("a blank key is missed, and the last one that was typed is remembered", () => {
  const typed = show(initial, headersWith("k"));
  const other = show(typed, headersWith(null));

  expect(typed).toMatchObject({ keyMissing: false, lastAuthorization: "Bearer k" });
  expect(other).toMatchObject({ keyMissing: true, lastAuthorization: "Bearer k" });
});

test("nobody is asked for a key in the middle of typing", () => {
  expect(show(show(initial, headersWith(null)), '{"Authorization":"Bea').keyMissing).toBe(false);
});

function show(state: State, text: string): State {
  return reduce(state, { type: "headersShown", text });
}
