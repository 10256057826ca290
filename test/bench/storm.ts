/**
 * Many storms: how many the worker comes through, and what it looked like when it did not.
 * `node test/bench/storm.ts --seeds 100 [--from 1] [--parallel 3]`
 */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runStorm, type StormResult } from "../storm/storm.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "20" },
    from: { type: "string", default: String(Date.now() % 1_000_000) },
    parallel: { type: "string", default: "3" },
  },
});
const from = Number(values.from);
const end = from + Number(values.seeds);
const logs = mkdtempSync(join(tmpdir(), "storms-"));

let next = from;
let broken = 0;

async function storms(): Promise<void> {
  while (next < end) {
    const seed = next++;
    report(seed, await runStorm({ seed, contacts: 120, happenings: 45, calmSeconds: 90 }));
  }
}

function report(seed: number, { faults, diary, secondsToCalm, workerLog }: StormResult): void {
  const calm = `${secondsToCalm.toFixed(1)} s to calm`;
  if (faults.length === 0) {
    console.log(`seed ${seed}: sound, ${calm}`);
    return;
  }
  broken += 1;
  const path = join(logs, `seed-${seed}.log`);
  writeFileSync(path, [...faults, "", ...diary, "", workerLog].join("\n"));
  console.log(`seed ${seed}: BROKEN, ${calm}, all of it in ${path}\n  ${faults.slice(0, 5).join("\n  ")}`);
}

await Promise.all(Array.from({ length: Number(values.parallel) }, storms));
console.log(`${end - from} storms from seed ${from}, ${broken} broken`);
process.exitCode = broken === 0 ? 0 : 1;
