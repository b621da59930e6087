import { defineConfig } from "vitest/config";

/** The browser tests: one at a time, for they share a gateway and two cores. */
export default defineConfig({
  test: {
    include: ["e2e/**/*.test.ts"],
    fileParallelism: false,
    // One copy of graphql for the mock gateway: Node would load it once as CommonJS, once as a module.
    server: { deps: { inline: ["graphql", "graphql-ws"] } },
    // The longest story waits for a design of the sandbox, and for Chromium to start on a busy machine.
    testTimeout: 90_000,
    hookTimeout: 60_000,
  },
});
