/**
 * `npm test`: everything that says whether the project is sound, and at the end
 * what failed, and one line: N passed, N failed.
 * `npm test -- unit` runs one part; the parts are check, build, unit, storm, integration, e2e, run in this order.
 * Where a node cannot be had (not Linux, not root) e2e is skipped and the line says so; with CI set it must run.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { canHaveNode } from "../cluster/node.ts";
import type { TestCounts } from "./test-counts.ts";

const steps = { check: ["scripts/check.ts"], build: ["scripts/build.ts"] } as const;
const projects = ["unit", "storm", "integration", "e2e"] as const;
const parts: readonly string[] = [...Object.keys(steps), ...projects];

const asked = process.argv.slice(2);
const unknown = asked.filter((part) => !parts.includes(part));
if (unknown.length > 0) {
  console.error(`npm test knows no part "${unknown.join(" ")}": it knows ${parts.join(", ")}`);
  process.exit(2);
}
const wanted = (part: string): boolean => asked.length === 0 || asked.includes(part);

let passed = 0;
const failures: { test: string; error: string }[] = [];
const skipped: { test: string; reason: string }[] = [];
const folder = mkdtempSync(join(tmpdir(), "integration-workflow-test-"));

for (const [name, args] of Object.entries(steps)) {
  if (!wanted(name)) continue;
  console.log(`\n== ${name}`);
  if (run("node", args)) console.log(`${name} is sound`);
  else fail(name);
}
for (const project of projects) {
  if (!wanted(project)) continue;
  console.log(`\n== ${project}`);
  if (project === "e2e" && !canHaveNode() && !process.env["CI"]) {
    skipped.push({ test: "all end-to-end tests", reason: "a Kubernetes node needs Linux and root" });
    continue;
  }
  const countsPath = join(folder, `${project}.json`);
  const reporters = ["--reporter=default", "--reporter=./scripts/test-counts.ts"];
  const sound = run("vitest", ["run", "--project", project, ...reporters], { TEST_COUNTS: countsPath });
  // Written by TestCountsReporter; absent when vitest itself, or a project's setup, failed.
  const counts = existsSync(countsPath) ? (JSON.parse(readFileSync(countsPath, "utf8")) as TestCounts) : undefined;
  passed += counts?.passed ?? 0;
  if (!sound && (counts?.failures ?? []).length === 0) fail(project);
  failures.push(...(counts?.failures ?? []));
  skipped.push(...(counts?.skipped ?? []));
}
rmSync(folder, { recursive: true });

console.log("");
for (const { test, error } of failures) console.log(`failed: ${test}\n${error.replaceAll(/^/gm, "    ")}`);
for (const { test, reason } of skipped) console.log(`skipped: ${test} (${reason})`);
console.log(`${passed} passed, ${failures.length} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ""}`);
process.exitCode = failures.length > 0 ? 1 : 0;

/** A part that could not say itself what is wrong. */
function fail(part: string): void {
  failures.push({ test: part, error: "see above" });
}

function run(command: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): boolean {
  const { status, error } = spawnSync(command, args, {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, ...environment },
  });
  if (error !== undefined) console.error(`${command} cannot be run: ${error.message}`);
  return status === 0;
}
