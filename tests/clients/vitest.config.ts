import { defineConfig } from "vitest/config";

/** One file at a time, each with a gateway of its own: two cores are soon busy. */
export default defineConfig({
  test: {
    include: ["*.test.ts"],
    fileParallelism: false,
    // The longest story starts Chromium on a busy machine.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Documents are the names of tests: let them be read.
    chaiConfig: { truncateThreshold: 200 },
  },
});
