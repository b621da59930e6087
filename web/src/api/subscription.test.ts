import { expect, test } from "vitest";
import { explain } from "./subscription";

test("errors of the gateway are shown as they came", () => {
  const errors = [{ message: "no", extensions: { code: "CURSOR_EXPIRED" } }];
  expect(explain(errors)).toBe(errors);
});

test("a refused key says where to look", () => {
  const [error] = explain({ code: 4403, reason: "Forbidden" });
  expect(error?.message).toBe(
    'The gateway closed the connection: 4403 Forbidden. Check the key under "Headers": it must read "Bearer", a space and a key of this gateway.',
  );
  expect(error?.extensions).toEqual({ closeCode: 4403 });
});

test("a gateway that is away is asked for", () => {
  expect(explain({ code: 1006, reason: "" })[0]?.message).toContain("is the gateway running?");
});

test("any other close says how to miss nothing", () => {
  expect(explain({ code: 4999, reason: "too slow" })[0]?.message).toBe(
    "The gateway closed the connection: 4999 too slow. Run it again, with the last cursor as `after`, to miss nothing.",
  );
});

test("anything else is one sentence", () => {
  expect(explain(new Error("odd"))).toEqual([
    { message: "The subscription could not be started: odd" },
  ]);
});

test("the gateway's own close codes are explained as it means them", () => {
  const said = (code: number) => explain({ code, reason: "" })[0]?.message;
  expect(said(4429)).toContain("greeted the gateway twice");
  expect(said(1001)).toContain("did not answer two pings");
  expect(said(1012)).toContain("is restarting");
});
