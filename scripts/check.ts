/** `npm run check`: everything that can be said of the code without running it, in seconds. */
import { spawnSync } from "node:child_process";

const steps: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ["types", "tsc", "--noEmit"],
  ["types in the browser", "tsc", "--noEmit", "--project", "src/console/browser"],
  [
    "lint and format",
    "biome",
    "ci",
    "--error-on-warnings",
    process.stdout.isTTY ? "--colors=force" : "--colors=off",
    ".",
  ],
  ["unused code", "knip"],
  ["generated files", "node", "scripts/generate.ts", "--check"],
];

const failed: string[] = [];
for (const [name, command, ...args] of steps) {
  const started = performance.now();
  const result = spawnSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const ok = result.status === 0;
  console.log(`${ok ? "ok    " : "FAILED"}  ${name} (${seconds} s)`);
  if (!ok) {
    failed.push(name);
    console.log(`${result.stdout ?? ""}${result.stderr ?? ""}${result.error ? result.error.message : ""}`);
  }
}
if (failed.length > 0) {
  console.error(`check: ${failed.join(", ")} failed`);
  process.exitCode = 1;
}
