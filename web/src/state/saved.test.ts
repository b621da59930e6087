import { expect, test } from "vitest";
import { restoreSaved, SAVED } from "./saved";

const DEMO = { apiKey: "new", tenantId: "tenant-new" };
const OLD = '{"Authorization":"Bearer old"}';

test("the demo's saved tabs get the key and the tenant of this run", () => {
  const saved = drawer({
    [SAVED.tabs]: state(1, [
      { query: "a", headers: OLD, variables: '{"tenantId":"tenant-old","x":1}' },
      { query: "b", headers: OLD, variables: '{"x":1}' },
    ]),
  });

  expect(restoreSaved(saved, DEMO)).toBe(true);

  const [a, b] = savedTabs(saved);
  expect(JSON.parse(a?.headers ?? "")).toEqual({ Authorization: "Bearer new" });
  expect(JSON.parse(a?.variables ?? "")).toEqual({ tenantId: "tenant-new", x: 1 });
  expect(JSON.parse(b?.headers ?? "")).toEqual({ Authorization: "Bearer new" });
  expect(b?.variables).toBe('{"x":1}');
});

test("outside the demo a saved key stays what it is", () => {
  const saved = drawer({ [SAVED.tabs]: state(0, [{ query: "a", headers: OLD, variables: null }]) });

  restoreSaved(saved, null);

  expect(savedTabs(saved)[0]?.headers).toBe(OLD);
});

test("the open editors are those of the open tab", () => {
  const saved = drawer({
    [SAVED.tabs]: state(1, [
      { query: "a", headers: null, variables: '{"x":1}' },
      { query: "b", headers: null, variables: null },
    ]),
    [SAVED.query]: "a, half edited",
    [SAVED.variables]: '{"x":1}',
    [SAVED.headers]: OLD,
  });

  restoreSaved(saved, null);

  expect(saved.getItem(SAVED.query)).toBe("b");
  expect(saved.getItem(SAVED.variables)).toBeNull();
  expect(saved.getItem(SAVED.headers)).toBeNull();
});

test.each(["", "{", "[]", '{"tabs":7}'])("saved tabs that read %j are forgotten", (text) => {
  const saved = drawer({
    [SAVED.tabs]: text,
    [SAVED.query]: "a",
    [SAVED.persistsHeaders]: "true",
  });

  expect(restoreSaved(saved, DEMO)).toBe(false);

  expect(saved.getItem(SAVED.tabs)).toBeNull();
  expect(saved.getItem(SAVED.query)).toBeNull();
  expect(saved.getItem(SAVED.persistsHeaders)).toBe("true");
});

interface SavedTab {
  readonly query: string;
  readonly headers: string | null;
  readonly variables: string | null;
}

function state(activeTabIndex: number, tabs: readonly SavedTab[]): string {
  return JSON.stringify({ activeTabIndex, tabs });
}

function savedTabs(saved: ReturnType<typeof drawer>): readonly SavedTab[] {
  return (JSON.parse(saved.getItem(SAVED.tabs) ?? "") as { tabs: SavedTab[] }).tabs;
}

function drawer(content: Record<string, string>) {
  const items = new Map(Object.entries(content));
  return {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
    removeItem: (key: string) => void items.delete(key),
  };
}
