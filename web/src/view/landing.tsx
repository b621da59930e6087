/** The landing page's view: state in, elements out. */
import type { Config } from "../api/config";
import type { PageStore, State } from "../state/page";
import { Snippet } from "./snippet";
import sun from "./sun.svg";
import { usePage } from "./use-page";

export function Landing({ store, origin }: { store: PageStore; origin: string }) {
  const state = usePage(store);
  const demo = state.config?.demo ?? null;
  return (
    <main className="landing">
      <header>
        <img src={sun} alt="" width="56" height="56" />
        <h1>heliograph</h1>
        <Status state={state} />
      </header>

      <p className="lead">
        A GraphQL gateway over Aurora Solar, for CRM software. Create projects by address or by
        coordinates, read what a design will produce with the units you ask for, and hear of each
        finished design the moment Aurora reports it, over a subscription that can resume where it
        stopped.
      </p>

      <nav className="cards">
        {state.config?.explorer !== false && (
          <a className="card primary" href="/graphiql">
            <h2>GraphiQL</h2>
            <p>Ready-made operations: run, change, watch.</p>
          </a>
        )}
        <a className="card" href="/schema.graphql">
          <h2>Schema</h2>
          <p>Every type and field, with its unit.</p>
        </a>
      </nav>

      {demo && (
        <section>
          <h2>The key of this demo</h2>
          <p>
            It opens the sandbox that runs in this process, tenant <code>{demo.tenantId}</code>, and
            nothing else. GraphiQL has it filled in.
          </p>
          <Snippet label="demo key" text={demo.apiKey} />
        </section>
      )}

      <section>
        <h2>From a terminal</h2>
        <Snippet label="curl line" text={curl(origin, state.config)} />
        {!demo && <p>Put an API key of this gateway in place of YOUR_KEY.</p>}
      </section>

      <section>
        <h2>From your code</h2>
        <dl>
          <dt>Queries and mutations</dt>
          <dd>
            <code>POST {origin}/graphql</code>
          </dd>
          <dt>Subscriptions</dt>
          <dd>
            <code>{origin.replace(/^http/, "ws")}/graphql</code>, protocol{" "}
            <code>graphql-transport-ws</code>, the same <code>Authorization</code> in{" "}
            <code>connection_init</code>; or server-sent events with{" "}
            <code>Accept: text/event-stream</code>
          </dd>
          <dt>Errors</dt>
          <dd>
            <code>extensions.code</code> is one of a closed list; <code>retryable</code> says
            whether to try again
          </dd>
        </dl>
      </section>
    </main>
  );
}

function Status({ state }: { state: State }) {
  const version = state.config === null ? "" : ` · ${state.config.version}`;
  const mode = state.config?.demo ? " · demo" : "";
  switch (state.gateway) {
    case "unknown":
      return <p className="status">…</p>;
    case "answers":
      return <p className="status answers">{`Running${version}${mode}`}</p>;
    case "silent":
      return <p className="status silent">{`Not answering${version}`}</p>;
  }
}

function curl(origin: string, config: Config | null): string {
  const key = config?.demo?.apiKey ?? "YOUR_KEY";
  return [
    `curl -s ${origin}/graphql \\`,
    `  -H 'Authorization: Bearer ${key}' \\`,
    `  -H 'Content-Type: application/json' \\`,
    `  -d '{"query":"{ viewer { name scopes tenants { tenantId } } }"}'`,
  ].join("\n");
}
