/** Fetches the schema and tells the store. A file of its own: the landing page needs no GraphQL. */
import { fetchSchema } from "../api/schema";
import type { PageStore } from "../state/page";

export async function loadSchema(store: PageStore): Promise<void> {
  try {
    store.dispatch({ type: "schemaArrived", schema: await fetchSchema() });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    store.dispatch({ type: "schemaFailed", reason });
  }
}
