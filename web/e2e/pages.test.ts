/** States of the pages that a healthy demo does not show, against the mock gateway. */
import type { Page } from "playwright-core";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openBrowser, type Browser } from "./browser";
import { answer, openTab, picture, read, ready, run, tabs, write } from "./graphiql-page";
import { startMockGateway, type MockGateway } from "./mock-gateway";

const KEY = "key-of-this-run";

let gateway: MockGateway;
let browser: Browser;

beforeEach(async () => {
  gateway = await startMockGateway({ apiKey: KEY, demo: true });
  browser = await openBrowser();
});

afterEach(async () => {
  const strayed = browser?.strayed;
  await browser?.close();
  await gateway?.close();
  expect(strayed).toEqual([]);
});

test("without a demo the page says how to set a key, and carries it to every tab", async () => {
  gateway.become({ apiKey: KEY, demo: false });
  const page = await browser.open(`${gateway.url}/graphiql`);
  await ready(page);
  await page.getByText("Set your key").waitFor();
  await picture(page, "graphiql-no-key");

  await write(page, "request-headers.json", `{"Authorization":"Bearer ${KEY}"}`);
  await page.getByText("Set your key").waitFor({ state: "detached" });
  await openTab(page, "CreateByAddress");
  await run(page);
  await answer(page, '"projectId"');

  await savesInTabs(page, '"activeTabIndex":1');
  expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain(KEY);
  expect(browser.complaints).toEqual([]);
});

test("a refused socket is explained in the response pane", async () => {
  const page = await browser.open(`${gateway.url}/graphiql`);
  await ready(page);
  await openTab(page, "WatchDesigns");
  await write(page, "request-headers.json", '{"Authorization":"Bearer wrong"}');
  await run(page);

  const { errors } = await answer<{ errors: { message: string }[] }>(page, "4403");

  expect(errors[0]?.message).toMatch(/closed the connection: 4403 Forbidden\. Check the key/);
  await picture(page, "graphiql-refused");

  // The next run opens a new socket with the key that is in the editor by then.
  await write(page, "request-headers.json", `{"Authorization":"Bearer ${KEY}"}`);
  const acknowledged = page
    .waitForEvent("websocket")
    .then((socket) =>
      socket.waitForEvent("framereceived", ({ payload }) => payload.includes("connection_ack")),
    );
  await run(page);
  await acknowledged;
});

test("saved tabs get the key of this run", async () => {
  const page = await browser.open(`${gateway.url}/graphiql`);
  await ready(page);
  await page.getByRole("button", { name: "Open settings dialog" }).click();
  await page.getByRole("button", { name: "On", exact: true }).click();
  await page.keyboard.press("Escape");
  await openTab(page, "DesignSummary");
  await savesInTabs(page, KEY);

  gateway.become({ apiKey: "key-of-the-next-run", demo: true });
  await page.reload();
  await ready(page);

  expect(await tabs(page).count()).toBe(6);
  for (const title of ["Explore", "WatchDesigns", "DesignSummary"]) {
    await openTab(page, title);
    expect(await read(page, "request-headers.json")).toContain("key-of-the-next-run");
  }
  expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain("key-of-this-run");
});

test("tabs survive a reload, each with its variables", async () => {
  const page = await browser.open(`${gateway.url}/graphiql`);
  await ready(page);
  await openTab(page, "DesignSummary");
  await write(page, "variables.json", '{"designId":"design-7"}');
  await savesInTabs(page, "design-7");
  await page.reload();
  await ready(page);

  expect(await tabs(page).count()).toBe(6);
  expect(await read(page, "operation.graphql")).toContain("query DesignSummary");
  expect(await read(page, "variables.json")).toContain("design-7");
  await run(page);
  await answer(page, '"designSummary"');
  expect(browser.complaints).toEqual([]);
});

test("the landing page gives a line to paste and says whether the gateway runs", async () => {
  const page = await browser.open(`${gateway.url}/`);
  await page.getByText("Running · 0.1.0 · demo").waitFor();
  const line = page.locator("pre").filter({ hasText: "curl" });

  expect(await line.textContent()).toContain(`${gateway.url}/graphql`);
  expect(await line.textContent()).toContain(`Bearer ${KEY}`);
  await picture(page, "landing-light");
  expect(browser.complaints).toEqual([]);
});

test("both pages are drawn for the dark", async () => {
  await browser.close();
  browser = await openBrowser("dark");
  const landing = await browser.open(`${gateway.url}/`);
  await landing.getByText("Running").waitFor();
  await picture(landing, "landing-dark");

  const page = await browser.open(`${gateway.url}/graphiql`);
  await ready(page);
  await run(page);
  await answer(page, '"viewer"');
  await picture(page, "graphiql-dark");
  expect(browser.complaints).toEqual([]);
});

/** Resolves when GraphiQL, which saves with a delay, has saved its tabs with `part` in them. */
async function savesInTabs(page: Page, part: string): Promise<void> {
  await page.waitForFunction(
    (wanted) =>
      Object.entries(localStorage).some(
        ([key, value]) => key.endsWith(":tabState") && String(value).includes(wanted),
      ),
    part,
  );
}
