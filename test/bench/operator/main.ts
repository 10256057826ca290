/**
 * `npm run bench -- operator [--workflows 200,1000]`: how fast and how frugal the operator is, on a real API server with
 * played nodes. What counts are the ratios to the floor, which is measured in the same run on the same machine.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { printColumns } from "../table.ts";
import { Ground } from "./ground.ts";
import { type Scale, scaleOf } from "./scale.ts";

export interface OperatorBenchOptions {
  /** How many, run after run, each on a control plane of its own. */
  readonly workflows: readonly number[];
  /** Where CPU profiles go; absent: none are made. */
  readonly profiles: string | undefined;
}

export async function operatorBench({ workflows, profiles }: OperatorBenchOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "bench-operator-"));
  try {
    const program = builtIn(folder);
    const scales: Scale[] = [];
    for (const count of workflows) {
      console.error(`bench: ${count} workflows ...`);
      const ground = await Ground.make(count);
      try {
        scales.push(await scaleOf(ground, { count, program, profiles }));
      } finally {
        await ground.end();
      }
    }
    print(scales);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What is measured is what users run: the built program. */
export function builtIn(folder: string): string {
  const script = fileURLToPath(import.meta.resolve("../../../scripts/build.ts"));
  const { status, stderr } = spawnSync(process.execPath, [script, folder], { encoding: "utf8" });
  if (status !== 0) throw new Error(`the program could not be built: ${stderr}`);
  // As in the image: else Node looks through each file for what kind of module it is.
  copyFileSync("package.json", join(folder, "package.json"));
  return join(folder, "main.js");
}

function print(scales: readonly Scale[]): void {
  const labels = scales[0]?.lines.map(([label]) => label) ?? [];
  printColumns([
    ["operator", ...scales.map(({ count }) => `${count.toLocaleString("en")} workflows`)],
    ...labels.map((label, line) => [label, ...scales.map(({ lines }) => lines[line]?.[1] ?? "")]),
  ]);
  for (const { count, requests, complaints } of scales) {
    console.log(`API requests with ${count.toLocaleString("en")} workflows, the lease apart:`);
    for (const [action, words] of requests) console.log(`  ${action}: ${words}`);
    console.log(complaints.length === 0 ? "  no warning in the log" : `  ${complaints.length} warnings in the log:`);
    for (const complaint of complaints.slice(0, 5)) console.log(`    ${complaint.slice(0, 300)}`);
    console.log();
  }
}
