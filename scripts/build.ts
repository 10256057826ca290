/** `npm run build`: src/main.ts and all it needs as one file, dist/main.js. */
import { build } from "esbuild";

await build({
  entryPoints: ["src/main.ts"],
  outfile: "dist/main.js",
  bundle: true,
  platform: "node",
  target: "node26",
  format: "esm",
  sourcemap: "linked",
  legalComments: "linked",
  // Native code that ssh2 asks for and does without: it only chooses among ciphers by what the processor is quick at.
  external: ["cpu-features"],
  // CommonJS dependencies call require() for Node's own modules, and one asks where it is; an ES module has neither until it
  // makes them.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url); const __dirname = import.meta.dirname;',
  },
  logLevel: "warning",
});
