/** The explorer's page: GraphiQL, with the demo's key filled in where there is one. */
import "./monaco";
import "@graphiql/react/style.css";
import "@graphiql/plugin-doc-explorer/style.css";
import "graphiql/graphiql.css";
import "./view/theme.css";
import "./view/explorer.css";
import { createRoot } from "react-dom/client";
import { loadConfig } from "./actions/config";
import { loadSchema } from "./actions/schema";
import { createPageStore } from "./state/page";
import { Explorer } from "./view/explorer";

const store = createPageStore();
const root = document.getElementById("root");
if (root === null) throw new Error("graphiql.html has no #root");
createRoot(root).render(<Explorer store={store} />);

void loadConfig(store);
void loadSchema(store);
