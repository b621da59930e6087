import { useGraphiQL } from "@graphiql/react";
import { useEffect } from "react";
import { isBlank, readAuthorization, replaceAuthorization } from "../state/headers";
import type { PageStore } from "../state/page";

/**
 * Carries a key that was typed in one tab to those that still wait for one. Each of GraphiQL's tabs
 * has headers of its own, and nobody wants to paste a key six times. Draws nothing.
 */
export function KeyCarrier({ store }: { store: PageStore }) {
  const { headerEditor, activeTabIndex } = useGraphiQL((state) => ({
    headerEditor: state.headerEditor,
    activeTabIndex: state.activeTabIndex,
  }));

  useEffect(() => {
    if (headerEditor === undefined) return;
    const text = headerEditor.getValue();
    const known = store.get().lastAuthorization;
    const shown = readAuthorization(text);
    const carried =
      known !== null && shown !== null && isBlank(shown) ? replaceAuthorization(text, known) : text;
    if (carried !== text) headerEditor.setValue(carried);
    store.dispatch({ type: "headersShown", text: carried });
  }, [headerEditor, activeTabIndex, store]);

  return null;
}
