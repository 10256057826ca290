import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { type BuildOptions, build, type Metafile } from "esbuild";

const source = "src/console/browser";

/** Makes what browsers load of the console: one script, one style sheet, one icon. @returns what they are made of */
export async function buildConsoleAssets(directory: string): Promise<readonly Metafile[]> {
  const common = {
    bundle: true,
    minify: true,
    target: ["chrome120", "firefox121", "safari17.2"],
    logLevel: "warning",
    metafile: true,
  } satisfies BuildOptions;
  const bundles = [
    await build({
      ...common,
      entryPoints: [`${source}/main.ts`],
      outfile: join(directory, "console.js"),
      format: "esm",
    }),
    await build({ ...common, entryPoints: [`${source}/console.css`], outfile: join(directory, "console.css") }),
  ];
  copyFileSync(`${source}/icon.svg`, join(directory, "icon.svg"));
  return bundles.map(({ metafile }) => metafile);
}
