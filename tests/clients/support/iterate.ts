/** Observables of others, as what the tests read: one answer after the other. */

export interface Observer<T> {
  readonly next: (value: T) => void;
  readonly error: (error: unknown) => void;
  readonly complete: () => void;
}

/** Gives what an observable gives. Leaving the loop unsubscribes. */
export async function* iterate<T>(
  subscribe: (observer: Observer<T>) => { unsubscribe: () => void },
): AsyncGenerator<T> {
  const heard: T[] = [];
  let ended: { error?: unknown } | undefined;
  let wake = () => {};
  const end = (how: { error?: unknown }) => {
    ended ??= how;
    wake();
  };
  const subscription = subscribe({
    next: (value) => {
      heard.push(value);
      wake();
    },
    error: (error) => end({ error }),
    complete: () => end({}),
  });
  try {
    for (;;) {
      for (let next = heard.shift(); next !== undefined; next = heard.shift()) yield next;
      if (ended !== undefined) {
        if ("error" in ended) throw ended.error;
        return;
      }
      await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    subscription.unsubscribe();
  }
}

/** All that comes until the end. */
export async function all<T>(answers: AsyncIterable<T>): Promise<T[]> {
  const heard: T[] = [];
  for await (const answer of answers) heard.push(answer);
  return heard;
}
