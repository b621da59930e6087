/**
 * Pages of a foreign origin, in a real browser: whatever they send, nothing runs. Aurora's sandbox is
 * the witness, for every operation here costs it a call.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openBrowser, startSite, type Browser, type Site } from "./support/browser";
import { openDoor, type Door } from "./support/door";
import { startGateway, type Gateway } from "./support/gateway";
import { CREATE_AT_AURORA } from "./support/operations";
import { PROBES, type Probe } from "./support/probes";
import { eventually } from "./support/wait";

const MUTATION = `mutation {
  createProject(input: { name: "Forged", location: { propertyAddress: "434 Brannan St, San Francisco" } }) {
    project { projectId }
  }
}`;

/** How long a browser may take to send what it was told to. */
const ARRIVES_WITHIN_MS = 10_000;

let own: Site;
let foreign: Site;
let gateway: Gateway;
/** Sees who comes, and lends nothing. */
let plain: Door;
/** Lends a key that may do everything. */
let lending: Door;
let browser: Browser;

beforeAll(async () => {
  own = await startSite("crm.example");
  foreign = await startSite("evil.example");
  gateway = await startGateway({ SERVER__ALLOWED_ORIGINS: own.origin });
  plain = await openDoor(gateway);
  lending = await openDoor(gateway, { lends: gateway.authorization });
  browser = await openBrowser();
});

beforeEach(() => gateway.sandbox.forgetCalls());

afterEach(() => {
  plain.forget();
  lending.forget();
});

afterAll(async () => {
  await browser?.close();
  await Promise.all([plain, lending, own, foreign].map((it) => it?.close()));
  await gateway?.close();
});

interface Attempt {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly query: string;
}

/** What a page of an origin reads when it sends JSON. */
async function fetchFrom(site: Site, attempt: Attempt): Promise<unknown> {
  const page = await browser.open(site.origin);
  try {
    return await page.evaluate(async ({ url, headers, query }) => {
      const body = JSON.stringify({ query });
      const all = { "content-type": "application/json", ...headers };
      const response = await fetch(url, { method: "POST", headers: all, body }).catch(String);
      return typeof response === "string" ? response : response.json();
    }, attempt);
  } finally {
    await page.close();
  }
}

const MADE = { data: { createProject: { project: { projectId: expect.any(String) } } } };

describe("a page of an allowed origin", () => {
  test("runs the operation with JSON and a key", async () => {
    const headers = { authorization: gateway.authorization };

    expect(await fetchFrom(own, { url: plain.http, headers, query: MUTATION })).toEqual(MADE);
    expect(await gateway.sandbox.calls(CREATE_AT_AURORA)).toBe(1);
  });

  test("runs it with a key that was lent at the door", async () => {
    expect(await fetchFrom(own, { url: lending.http, headers: {}, query: MUTATION })).toEqual(MADE);
    expect(await gateway.sandbox.calls(CREATE_AT_AURORA)).toBe(1);
  });

  test("runs it over a socket, with a key that was lent at the door", async () => {
    await attempt(own, lending, probe("a WebSocket of graphql-transport-ws"));

    expect(lending.seen).toMatchObject([{ method: "GET", status: 101 }]);
    expect(await gateway.sandbox.calls(CREATE_AT_AURORA)).toBe(1);
  });
});

describe.each([
  ["without a credential", () => plain, false],
  ["with a credential that is lent to whoever comes", () => lending, true],
])("a page of a foreign origin, %s,", (_what, door, hasCredential) => {
  test.each(PROBES)("runs nothing by $name", async (tried) => {
    await attempt(foreign, door(), tried);

    const [method, status] = tried.arrives;
    const isRead = status === 415 || status === 405;
    const answer = isRead && !hasCredential ? 401 : status;
    expect(door().seen).toEqual([{ method, status: answer }]);
    expect(await gateway.sandbox.calls()).toBe(0);
  });
});

describe("a page of a foreign origin", () => {
  test("cannot read what it could ask for", async () => {
    const query = encodeURIComponent("{ viewer { name } }");
    const page = await browser.open(foreign.origin);

    const read = page.evaluate(
      (url) => fetch(url).then(String, String),
      `${lending.http}?query=${query}`,
    );

    expect(await read).toMatch(/^TypeError/);
    expect(lending.seen).toEqual([{ method: "GET", status: 200 }]);
    await page.close();
  });

  test("would do harm by a form, were it not for the type that a form has", async () => {
    const habits = { lends: gateway.authorization, takesFor: "application/json" };
    const careless = await openDoor(gateway, habits);

    await attempt(foreign, careless, probe("a form as text/plain"));

    expect(careless.seen).toEqual([{ method: "POST", status: 200 }]);
    expect(await gateway.sandbox.calls(CREATE_AT_AURORA)).toBe(1);
    await careless.close();
  });
});

function probe(name: string): Probe {
  const found = PROBES.find((it) => it.name === name);
  if (found === undefined) throw new Error(`no probe is called ${name}`);
  return found;
}

/** Lets a page of a site do it, and waits until it has arrived. */
async function attempt(site: Site, door: Door, { run, word = "" }: Probe): Promise<void> {
  const { http, socket } = door;
  const page = await browser.open(site.origin);
  await page.evaluate(run, { http, socket, document: MUTATION, word });
  await eventually("it arrives", ARRIVES_WITHIN_MS, () => door.seen[0]);
  // Whatever the page has left to send, it sends before it goes.
  await page.close();
}
