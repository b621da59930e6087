/** The audits of `graphql-http`: GraphQL over HTTP as its specification's own working group checks it. */
import { serverAudits } from "graphql-http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startGateway, type Gateway } from "./support/gateway";

/** All that the pinned version has. Another number means that some no longer run, or that new ones exist. */
const AUDITS = 61;

let gateway: Gateway;

const audits = serverAudits({
  url: () => gateway.http,
  fetchFn: (url: string, init: RequestInit = {}) => {
    const headers = { ...init.headers, authorization: gateway.authorization };
    return fetch(url, { ...init, headers });
  },
});

beforeAll(async () => {
  gateway = await startGateway();
});

afterAll(() => gateway?.close());

test(`there are ${AUDITS} audits`, () => {
  expect(audits).toHaveLength(AUDITS);
});

describe("the server", () => {
  test.each(audits)("$name ($id)", async ({ fn }) => {
    const result = await fn();

    const reason = result.status === "ok" ? "" : `${result.status}: ${result.reason}`;
    expect(reason).toBe("");
  });
});
