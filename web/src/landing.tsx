/** The landing page: what this gateway is, whether it answers, and a line to paste. */
import "./view/theme.css";
import "./view/landing.css";
import { createRoot } from "react-dom/client";
import { followGateway } from "./actions/config";
import { createPageStore } from "./state/page";
import { Landing } from "./view/landing";

const store = createPageStore();
const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
createRoot(root).render(<Landing store={store} origin={window.location.origin} />);

followGateway(store);
