/** The whole story in GraphiQL, as somebody lives it who has just run `heliograph demo`. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openBrowser, type Browser } from "./browser";
import { startGateway, type Gateway } from "./gateway";
import { answer, openTab, picture, read, ready, run, setVariables } from "./graphiql-page";

/** The sandbox finishes a design some seconds after its project was created. */
const DESIGN_WITHIN_MS = 45_000;

let gateway: Gateway;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  gateway = await startGateway();
  browser = await openBrowser();
  page = await browser.open(`${gateway.url}/graphiql`);
  await ready(page);
});

afterAll(async () => {
  await browser?.close();
  await gateway?.close();
});

test("the first thing to see is an operation that is ready to run", async () => {
  expect(await read(page, "operation.graphql")).toContain("query Explore");
  await run(page);

  const { data } = await answer<ViewerAnswer>(page, '"viewer"');

  expect(data.viewer.tenants.length).toBeGreaterThan(0);
  await picture(page, "graphiql-explore");
});

test("the documentation is there without introspection", async () => {
  await page.getByRole("button", { name: "Show Documentation Explorer" }).click();
  await page.locator(".graphiql-doc-explorer").getByRole("link", { name: "Mutation" }).waitFor();
  await picture(page, "graphiql-docs");
  await page.getByRole("button", { name: "Hide Documentation Explorer" }).click();
});

test("a project that was created is announced with the summary of its design", async () => {
  const watcher = await browser.open(`${gateway.url}/graphiql`);
  await ready(watcher);
  await openTab(watcher, "WatchDesigns");
  const subscribed = subscribes(watcher);
  await run(watcher);
  await subscribed;

  await openTab(page, "CreateByAddress");
  await run(page);
  const created = await answer<CreateAnswer>(page, '"createProject"');
  expect(created.errors).toBeUndefined();
  expect(created.data.createProject.userErrors).toEqual([]);
  const projectId = created.data.createProject.project?.projectId ?? "";
  expect(projectId).not.toBe("");
  await picture(page, "graphiql-create");

  await watcher.bringToFront();
  const live = await answer<EventAnswer>(watcher, projectId, DESIGN_WITHIN_MS);
  const { designId, cursor, summary } = live.data.designCompleted;
  expect(cursor).not.toBe("");
  expect(summary?.systemSizeStc).toBeGreaterThan(0);
  await watcher.locator(".graphiql-response").getByText(designId).first().waitFor();
  await picture(watcher, "graphiql-watch");
  await watcher.close();

  await openTab(page, "DesignSummary");
  await setVariables(page, { designId });
  await run(page);
  const { data } = await answer<SummaryAnswer>(page, '"designSummary"');
  expect(data.designSummary.designId).toBe(designId);
  expect(data.designSummary.systemSizeStcKilowatts).toBeCloseTo(
    data.designSummary.systemSizeStc / 1000,
  );
  await picture(page, "graphiql-summary");
});

test("a project is created from coordinates, and from both", async () => {
  for (const title of ["CreateByCoordinates", "CreateByBoth"]) {
    await openTab(page, title);
    await run(page);
    const created = await answer<CreateAnswer>(page, '"createProject"');
    expect(created.errors).toBeUndefined();
    expect(created.data.createProject.userErrors).toEqual([]);
    expect(created.data.createProject.project).not.toBeNull();
  }
});

test("nothing left the machine and nothing was complained of", () => {
  expect(browser.strayed).toEqual([]);
  expect(browser.complaints).toEqual([]);
});

/** Resolves when the page has sent a `subscribe` on a socket that it opens from now on. */
function subscribes(page: Page): Promise<void> {
  return new Promise((resolve) => {
    page.on("websocket", (socket) => {
      socket.on("framesent", ({ payload }) => {
        if (payload.toString().includes('"type":"subscribe"')) resolve();
      });
    });
  });
}

interface ViewerAnswer {
  readonly data: { readonly viewer: { readonly tenants: readonly { tenantId: string }[] } };
}

interface CreateAnswer {
  readonly errors?: readonly object[];
  readonly data: {
    readonly createProject: {
      readonly project: { readonly projectId: string } | null;
      readonly userErrors: readonly object[];
    };
  };
}

interface EventAnswer {
  readonly data: {
    readonly designCompleted: {
      readonly designId: string;
      readonly cursor: string;
      readonly summary: { readonly systemSizeStc: number | null } | null;
    };
  };
}

interface SummaryAnswer {
  readonly data: {
    readonly designSummary: {
      readonly designId: string;
      readonly systemSizeStc: number;
      readonly systemSizeStcKilowatts: number;
    };
  };
}
