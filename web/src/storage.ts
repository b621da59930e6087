/**
 * Where GraphiQL saves its tabs in this browser.
 *
 * The demo has a drawer of its own. `heliograph serve` and `heliograph demo` may use one port, hence
 * one origin: tabs of real work must not meet the demo's throwaway key, nor the other way round.
 */
import { createLocalStorage } from "@graphiql/toolkit";
import type { Config } from "./api/config";
import { restoreSaved, SAVED } from "./state/saved";

export interface Drawer {
  readonly storage: ReturnType<typeof createLocalStorage>;
  /** True when the person ticked it in GraphiQL's settings. Keys are not saved otherwise. */
  readonly persistsHeaders: boolean;
  readonly hasTabs: boolean;
}

export function openDrawer({ demo }: Config): Drawer {
  const storage = createLocalStorage({
    namespace: demo === null ? "heliograph" : "heliograph-demo",
  });
  const hasTabs = restoreSaved(storage, demo);
  return {
    storage,
    hasTabs,
    persistsHeaders: storage.getItem(SAVED.persistsHeaders) === "true",
  };
}
