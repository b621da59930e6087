/**
 * What GraphiQL left in the browser's storage, made fit for this visit.
 *
 * Two things go wrong without it. Each `heliograph demo` has a key of its own, and a tab saved with
 * the key of an earlier run would fail with `UNAUTHENTICATED` and no visible cause: the saved key and
 * tenant are replaced. And GraphiQL saves the open editors apart from the tabs, a moment later or
 * earlier: a page that is reloaded in between would open one tab more each time.
 */
import type { Demo } from "../api/config";
import { headersWith, readAuthorization, replaceAuthorization } from "./headers";

/** The keys under which GraphiQL saves, as its toolkit names them. */
export const SAVED = {
  tabs: "graphiql:tabState",
  query: "graphiql:query",
  variables: "graphiql:variables",
  headers: "graphiql:headers",
  persistsHeaders: "graphiql:shouldPersistHeaders",
} as const;

/** The part of the browser's `Storage` that is used here. */
export interface Saved {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** One saved tab, as far as it is of interest. GraphiQL saves null for what it was told not to. */
interface Tab {
  readonly query?: unknown;
  readonly variables?: unknown;
  readonly headers?: unknown;
}

/** True if there were tabs to restore. */
export function restoreSaved(saved: Saved, demo: Demo | null): boolean {
  const state = parseObject(saved.getItem(SAVED.tabs) ?? "");
  if (state === null || !Array.isArray(state.tabs)) {
    for (const key of Object.values(SAVED)) {
      if (key !== SAVED.persistsHeaders) saved.removeItem(key);
    }
    return false;
  }
  const stored: Tab[] = state.tabs.filter(
    (tab: unknown) => typeof tab === "object" && tab !== null,
  );
  const tabs = demo === null ? stored : stored.map((tab) => refreshTab(tab, demo));
  saved.setItem(SAVED.tabs, JSON.stringify({ ...state, tabs }));

  const open = tabs[Number(state.activeTabIndex)] ?? tabs[0];
  put(saved, SAVED.query, open?.query);
  put(saved, SAVED.variables, open?.variables);
  put(saved, SAVED.headers, open?.headers);
  return true;
}

function put(saved: Saved, key: string, value: unknown): void {
  if (typeof value === "string" && value !== "") saved.setItem(key, value);
  else saved.removeItem(key);
}

function refreshTab(tab: Tab, demo: Demo): Tab {
  return {
    ...tab,
    ...(typeof tab.headers === "string" && { headers: refreshHeaders(tab.headers, demo) }),
    ...(typeof tab.variables === "string" && { variables: refreshVariables(tab.variables, demo) }),
  };
}

function refreshHeaders(text: string, demo: Demo): string {
  const fresh = readAuthorization(headersWith(demo.apiKey));
  return fresh === null || readAuthorization(text) === fresh
    ? text
    : replaceAuthorization(text, fresh);
}

function refreshVariables(text: string, demo: Demo): string {
  const variables = parseObject(text);
  if (variables === null || typeof variables.tenantId !== "string") return text;
  if (variables.tenantId === demo.tenantId) return text;
  return JSON.stringify({ ...variables, tenantId: demo.tenantId }, null, 2);
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? { ...value }
      : null;
  } catch {
    return null;
  }
}
