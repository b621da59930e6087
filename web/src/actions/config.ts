/** Asks the gateway what it is and tells the store. */
import { fetchConfig } from "../api/config";
import type { PageStore } from "../state/page";

/** How often the landing page asks whether the gateway still answers. */
const STATUS_EVERY_MS = 10_000;

export async function loadConfig(store: PageStore): Promise<void> {
  try {
    store.dispatch({ type: "configArrived", config: await fetchConfig() });
  } catch {
    store.dispatch({ type: "configFailed" });
  }
}

/** Follows the gateway for as long as somebody looks at the page. */
export function followGateway(store: PageStore): void {
  void loadConfig(store);
  setInterval(() => {
    if (document.visibilityState === "visible") void loadConfig(store);
  }, STATUS_EVERY_MS);
}
