/** How often a state is looked at while it is waited for. */
const LOOK_EVERY_MS = 50;

/** Waits for a state, never for a while: bounded, and it says what it missed. */
export async function eventually<T>(
  what: string,
  withinMs: number,
  look: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (Date.now() > deadline) throw new Error(`waited ${withinMs} ms in vain until: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
