/**
 * `npm run build [-- <folder>] [--readable]`: each program with all it needs, and what it is made of, in dist or another folder;
 * readable, with the comments that say where each part is from.
 */
import { globSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { writeBillOfMaterials } from "./bill-of-materials.ts";
import { buildConsoleAssets } from "./console-assets.ts";
import { buildPlugin } from "./kubectl-plugin.ts";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { readable: { type: "boolean" } } });
const [folder = "dist"] = positionals;
const isReadable = values.readable === true;

const { metafile, outputFiles } = await build({
  bundle: true,
  platform: "node",
  format: "esm",
  // V8 keeps the text of what it runs: half of it is blanks and comments, and one letter in these that is not Latin doubles it.
  // Names stay, and lines short enough to be quoted: both stand in stack traces.
  minifyWhitespace: !isReadable,
  minifySyntax: !isReadable,
  lineLimit: 200,
  // The licences of all that is in it are in a file beside it (see `bill-of-materials.ts`).
  legalComments: "none",
  // CommonJS dependencies call require() for Node's own modules, and one asks where it is; an ES module has neither until it
  // makes them.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url); const __dirname = import.meta.dirname;',
  },
  logLevel: "warning",
  entryPoints: ["src/main.ts"],
  // Names of parts hold a hash of their source maps, whose paths start at the folder: the same one gives the same bytes.
  outdir: "dist",
  write: false,
  target: "node26",
  // A role loads its own parts alone: the whole in one file costs each of them some 50 MB. Beside main.js, where they look for
  // the console's assets.
  splitting: true,
  chunkNames: "part-[name]-[hash]",
  sourcemap: "linked",
  // Native code that ssh2 asks for and does without: it only chooses among ciphers by what the processor is quick at.
  external: ["cpu-features"],
  metafile: true,
});
const made = new Set<string>();
for (const { path, contents } of outputFiles) {
  const place = resolve(folder, relative(resolve("dist"), path));
  mkdirSync(dirname(place), { recursive: true });
  // main.js starts with the interpreter that runs it.
  writeFileSync(place, contents, { mode: path.endsWith("main.js") ? 0o755 : 0o644 });
  made.add(place);
}
for (const part of globSync(`${folder}/part-*`)) if (!made.has(resolve(part))) rmSync(part);

const assets = await buildConsoleAssets(join(folder, "console"));

writeBillOfMaterials(folder, [metafile, ...assets]);

await buildPlugin(folder, process.env["RELEASE_URL"] || "https://example.com/releases");
