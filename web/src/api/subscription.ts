/**
 * One subscription on one WebSocket of its own.
 *
 * A socket is authenticated once, when it opens. A new one for each run means that a key changed in
 * the Headers editor counts from the next run on. It is not reconnected silently: a gap in the
 * events would look like quiet, so the pane says that the connection ended.
 */
import type { FetcherParams, Observable } from "@graphiql/toolkit";
import { createClient, type ExecutionResult } from "graphql-ws";

export function subscribe(
  url: string,
  params: FetcherParams,
  authorization: string | null,
): Observable<ExecutionResult> {
  return {
    subscribe(observer: Observer | ((result: ExecutionResult) => void) | undefined) {
      const sink = toObserver(observer);
      const client = createClient({
        url,
        retryAttempts: 0,
        connectionParams: authorization === null ? {} : { Authorization: authorization },
      });
      const stop = client.subscribe<Record<string, unknown>>(
        {
          query: params.query,
          variables: params.variables as Record<string, unknown> | undefined,
          operationName: params.operationName,
        },
        {
          next: (result) => sink.next(result as ExecutionResult),
          error: (cause) => {
            sink.next({ errors: explain(cause) } as ExecutionResult);
            sink.complete();
          },
          complete: () => sink.complete(),
        },
      );
      return {
        unsubscribe() {
          stop();
          void client.dispose();
        },
      };
    },
  };
}

interface Observer {
  next: (result: ExecutionResult) => void;
  complete: () => void;
}

/** GraphiQL passes an observer; the type of an observable also allows a bare function. */
function toObserver(
  observer: Observer | ((result: ExecutionResult) => void) | undefined,
): Observer {
  if (typeof observer === "function") return { next: observer, complete: () => undefined };
  return observer ?? { next: () => undefined, complete: () => undefined };
}

interface ShownError {
  readonly message: string;
  readonly extensions?: Readonly<Record<string, unknown>>;
}

/** Turns whatever ended a subscription into errors for the response pane. */
export function explain(cause: unknown): readonly ShownError[] {
  if (Array.isArray(cause)) return cause as ShownError[];
  if (isClose(cause)) {
    const said = cause.reason === "" ? String(cause.code) : `${cause.code} ${cause.reason}`;
    const message = `The gateway closed the connection: ${said}.${hint(cause.code)}`;
    return [{ message, extensions: { closeCode: cause.code } }];
  }
  const why = cause instanceof Error ? cause.message : "no reason was given";
  return [{ message: `The subscription could not be started: ${why}` }];
}

function isClose(cause: unknown): cause is { code: number; reason: string } {
  return (
    typeof cause === "object" &&
    cause !== null &&
    "code" in cause &&
    typeof cause.code === "number" &&
    "reason" in cause &&
    typeof cause.reason === "string"
  );
}

/** What a person can do about a close code of `graphql-transport-ws` or of RFC 6455. */
function hint(code: number): string {
  switch (code) {
    case 4401:
    case 4403:
      return ' Check the key under "Headers": it must read "Bearer", a space and a key of this gateway.';
    case 4429:
      return " This page greeted the gateway twice on one connection: reload it.";
    case 1001:
      return " This page did not answer two pings: was the computer asleep? Run it again, with the last cursor as `after`.";
    case 1012:
      return " The gateway is restarting: run it again, with the last cursor as `after`.";
    case 1006:
      return " The connection was refused or cut: is the gateway running?";
    default:
      return " Run it again, with the last cursor as `after`, to miss nothing.";
  }
}
