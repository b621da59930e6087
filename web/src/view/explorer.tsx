/** The explorer's view: GraphiQL under a strip that says which key is in use, or how to set one. */
import { DOC_EXPLORER_PLUGIN } from "@graphiql/plugin-doc-explorer";
import { GraphiQL } from "graphiql";
import { useMemo } from "react";
import { prepareExplorer } from "../actions/explorer";
import type { Config } from "../api/config";
import type { PageStore, State } from "../state/page";
import { KeyCarrier } from "./key-carrier";
import { TopBar } from "./top-bar";
import { usePage } from "./use-page";

export function Explorer({ store }: { store: PageStore }) {
  const state = usePage(store);
  return (
    <div className="explorer">
      <TopBar
        links={
          <>
            <a href="/schema.graphql">Schema</a>
            <a href="/">About</a>
          </>
        }
      >
        <Notice state={state} />
      </TopBar>
      <main>{state.config && <Editors store={store} config={state.config} />}</main>
    </div>
  );
}

function Notice({ state }: { state: State }) {
  if (state.gateway === "silent") {
    return <span role="alert">The gateway does not answer. Start it, then reload this page.</span>;
  }
  if (state.schemaFailure !== null) {
    return (
      <span role="alert">
        No completion, no documentation: the schema could not be read. {state.schemaFailure}
      </span>
    );
  }
  if (state.keyMissing) {
    return (
      <span role="status" className="hint">
        Set your key: under <b>Headers</b>, write it after <code>Bearer</code>, then run.
      </span>
    );
  }
  if (state.config?.demo) {
    return <span role="status">Demo: the key of this run is filled in. Press play.</span>;
  }
  return null;
}

/**
 * GraphiQL itself. Its history is left out: it saves the headers of each run in the browser, whatever
 * the person decided about saving them.
 */
function Editors({ store, config }: { store: PageStore; config: Config }) {
  const { schema } = usePage(store);
  const setup = useMemo(() => prepareExplorer(config, window.location.origin), [config]);
  const onEditHeaders = useMemo(
    () => (text: string) => store.dispatch({ type: "headersShown", text }),
    [store],
  );
  return (
    <GraphiQL
      {...setup}
      schema={schema}
      onEditHeaders={onEditHeaders}
      plugins={NO_PLUGINS}
      referencePlugin={DOC_EXPLORER_PLUGIN}
      showPersistHeadersSettings
    >
      <GraphiQL.Logo>{config.version}</GraphiQL.Logo>
      <KeyCarrier store={store} />
    </GraphiQL>
  );
}

/** One value for all renderings: GraphiQL resets its panes when the list is another one. */
const NO_PLUGINS: never[] = [];
