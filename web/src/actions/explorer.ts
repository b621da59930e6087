/** What GraphiQL starts with: the examples, the key where there is one, and where it saves its tabs. */
import { createFetcher } from "../api/graphql";
import type { Config } from "../api/config";
import { examples } from "../examples";
import { headersWith } from "../state/headers";
import { openDrawer } from "../storage";

export function prepareExplorer(config: Config, origin: string) {
  const { storage, persistsHeaders, hasTabs } = openDrawer(config);
  const headers = headersWith(config.demo?.apiKey ?? null);
  const defaultTabs = examples(config.demo?.tenantId ?? null).map(({ query, variables }) => ({
    query,
    variables: JSON.stringify(variables, null, 2),
    headers,
  }));
  return {
    fetcher: createFetcher(origin),
    storage,
    defaultTabs,
    defaultHeaders: headers,
    // GraphiQL does not show the first default tab's variables by itself; beside saved tabs the same
    // property would open one more tab.
    ...(!hasTabs && { initialVariables: defaultTabs[0]?.variables ?? "" }),
    shouldPersistHeaders: persistsHeaders,
    defaultEditorToolsVisibility:
      config.demo === null ? ("headers" as const) : ("variables" as const),
  };
}
