/**
 * All that the pages know, and how each action changes it. Pure: no clock, no network, no browser.
 */
import type { GraphQLSchema } from "graphql";
import type { Config } from "../api/config";
import { isBlank, readAuthorization } from "./headers";
import { createStore, type Store } from "./store";

export interface State {
  /** What the gateway last said of itself. Kept while it does not answer. */
  readonly config: Config | null;
  readonly gateway: "unknown" | "answers" | "silent";
  readonly schema: GraphQLSchema | null;
  readonly schemaFailure: string | null;
  /** True while the open tab's `Authorization` waits for a key. */
  readonly keyMissing: boolean;
  /** The last key that was typed, for tabs that have none yet. In memory only. */
  readonly lastAuthorization: string | null;
}

export type Action =
  | { readonly type: "configArrived"; readonly config: Config }
  | { readonly type: "configFailed" }
  | { readonly type: "schemaArrived"; readonly schema: GraphQLSchema }
  | { readonly type: "schemaFailed"; readonly reason: string }
  | { readonly type: "headersShown"; readonly text: string };

export type PageStore = Store<State, Action>;

export function createPageStore(): PageStore {
  return createStore(reduce, initial);
}

export const initial: State = {
  config: null,
  gateway: "unknown",
  schema: null,
  schemaFailure: null,
  keyMissing: false,
  lastAuthorization: null,
};

export function reduce(state: State, action: Action): State {
  switch (action.type) {
    case "configArrived":
      return { ...state, config: action.config, gateway: "answers" };
    case "configFailed":
      return { ...state, gateway: "silent" };
    case "schemaArrived":
      return { ...state, schema: action.schema, schemaFailure: null };
    case "schemaFailed":
      return { ...state, schemaFailure: action.reason };
    case "headersShown":
      return withHeaders(state, readAuthorization(action.text));
  }
}

function withHeaders(state: State, authorization: string | null): State {
  if (authorization === null) return { ...state, keyMissing: false };
  if (isBlank(authorization)) return { ...state, keyMissing: true };
  return { ...state, keyMissing: false, lastAuthorization: authorization };
}
