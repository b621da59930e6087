import { expect, test } from "vitest";
import {
  findAuthorization,
  headersWith,
  isBlank,
  readAuthorization,
  replaceAuthorization,
} from "./headers";

test("a key is shown as a bearer; none leaves room for one", () => {
  expect(JSON.parse(headersWith("k"))).toEqual({ Authorization: "Bearer k" });
  expect(JSON.parse(headersWith(null))).toEqual({ Authorization: "Bearer " });
});

test("the name may be written in any case", () => {
  expect(findAuthorization({ AUTHORIZATION: "Bearer k" })).toBe("Bearer k");
  expect(findAuthorization({ other: "x" })).toBeNull();
  expect(readAuthorization('{"authorization":"Bearer k"}')).toBe("Bearer k");
});

test("only a scheme without a key is blank", () => {
  expect(isBlank(readAuthorization(headersWith(null)) ?? "?")).toBe(true);
  expect(isBlank("")).toBe(true);
  expect(isBlank("Bearer k")).toBe(false);
});

test("a replacement leaves the other headers alone", () => {
  const text = '{"authorization":"Bearer old","x-heliograph-explain":"1"}';
  expect(JSON.parse(replaceAuthorization(text, "Bearer new"))).toEqual({
    authorization: "Bearer new",
    "x-heliograph-explain": "1",
  });
});

test.each(["", "{", "[]", "7", "{}"])("%j has no key to read or to replace", (text) => {
  expect(readAuthorization(text)).toBeNull();
  expect(replaceAuthorization(text, "Bearer new")).toBe(text);
});
