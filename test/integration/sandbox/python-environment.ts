import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "../../../cluster/binaries.ts";

const ofDataverse = {
  name: "dataverse-client",
  requirements: fileURLToPath(new URL("requirements.txt", import.meta.url)),
};

/**
 * The Python of a virtual environment with the pinned packages, made in the project's cache if it is not there.
 * @param packages what it is called in the cache, and the file that pins them
 * @returns the interpreter's path, or why it cannot be had
 */
export function pythonEnvironment(
  environment: NodeJS.ProcessEnv,
  { name, requirements }: { readonly name: string; readonly requirements: string } = ofDataverse,
): { python: string } | { reason: string } {
  const version = spawnSync("python3", ["--version"], { encoding: "utf8" });
  if (version.status !== 0) return { reason: "there is no python3" };
  const recipe = createHash("sha256").update(version.stdout).update(readFileSync(requirements)).digest("hex");
  const folder = join(cacheFolder(environment), "python", `${name}-${recipe.slice(0, 12)}`);
  const python = join(folder, "bin", "python");
  const whole = join(folder, "whole");
  if (existsSync(whole)) return { python };
  // A virtual environment knows its own path, so it is made in place; what was left half made goes first.
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const steps: readonly (readonly [string, readonly string[]])[] = [
    ["python3", ["-m", "venv", folder]],
    [python, ["-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:", "-r", requirements]],
  ];
  for (const [command, args] of steps) {
    const run = spawnSync(command, args, { encoding: "utf8", timeout: 170_000 });
    if (run.status === 0) continue;
    const last = `${run.stderr ?? ""}${run.error?.message ?? ""}`.trim().split("\n").at(-1);
    return { reason: `${command} ${args[1]} failed: ${last}` };
  }
  writeFileSync(`${whole}.new`, "");
  renameSync(`${whole}.new`, whole);
  return { python };
}
