import { useSyncExternalStore } from "react";
import type { PageStore, State } from "../state/page";

/** The store's state, drawn again whenever it changes. */
export function usePage(store: PageStore): State {
  return useSyncExternalStore(store.listen, store.get);
}
