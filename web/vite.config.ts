import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { constants, gzipSync } from "node:zlib";

import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Where `npm run dev` finds a gateway: the address that `heliograph demo` listens on by default. */
const gateway = process.env.HELIOGRAPH_URL ?? "http://127.0.0.1:4000";

/**
 * Puts a compressed copy beside each asset. The gateway sends that one as it is: compressing megabytes anew for whoever asks
 * would let a stranger keep its processors busy.
 */
function compressOnce(): Plugin {
  return {
    name: "compress-once",
    apply: "build",
    writeBundle({ dir }) {
      const folder = join(dir ?? "dist", "assets");
      for (const name of readdirSync(folder).filter((it) => !it.endsWith(".gz"))) {
        const compressed = gzipSync(readFileSync(join(folder, name)), {
          level: constants.Z_BEST_COMPRESSION,
        });
        writeFileSync(join(folder, `${name}.gz`), compressed);
      }
    },
  };
}

export default defineConfig({
  plugins: [compressOnce()],
  build: {
    // The gateway serves this folder at `/assets/`, so every file has a hashed name below it.
    assetsDir: "assets",
    // Files instead of `data:` URLs: the Content-Security-Policy then needs no exception for them.
    assetsInlineLimit: 0,
    // Monaco alone is larger than the default limit, and one file is what the gateway embeds best.
    chunkSizeWarningLimit: 4096,
    rolldownOptions: {
      input: ["index.html", "graphiql.html"],
      // "use client" speaks to server renderers, of which there is none here.
      onLog(level, log, next) {
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") next(level, log);
      },
    },
    target: "es2022",
  },
  server: {
    proxy: {
      "/graphql": { target: gateway, ws: true },
      "/graphiql/config.json": gateway,
      "/schema.graphql": gateway,
    },
  },
  test: { include: ["src/**/*.test.ts"], server: { deps: { inline: ["graphql"] } } },
  worker: { format: "es" },
});
