/**
 * Many storms: how many the worker comes through, and what it looked like when it did not.
 * `npm run bench -- storm --seeds 1000 [--from 1] [--parallel 6] [--flow egress] [--store postgres --replicas 4]`. Control-C lets the storms under way end, and says how to go on;
 * once more, or SIGTERM, ends them at once.
 */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StormResult } from "../storm/course.ts";
import { type FlowName, flows } from "../storm/flows.ts";
import type { MakeStore } from "../storm/ground.ts";
import { PostgresStores } from "../storm/postgres-store.ts";
import { inSqlite } from "../storm/store.ts";

export interface ManyStorms {
  readonly flow: FlowName;
  readonly seeds: number;
  readonly from: number;
  readonly parallel: number;
  /** Processes on one PostgreSQL database; undefined: one on SQLite. */
  readonly replicas: number | undefined;
}

/** @returns whether the worker came through all of them */
export async function manyStorms(storms: ManyStorms): Promise<boolean> {
  const { replicas, flow } = storms;
  const how = flow === "ingress" ? "" : ` --flow ${flow}`;
  if (replicas === undefined) return storm(storms, inSqlite, how);
  const stores = await PostgresStores.prepare();
  try {
    return await storm(storms, stores.make(replicas), `${how} --store postgres --replicas ${replicas}`);
  } finally {
    await stores.end();
  }
}

/** @param how the options that ask for such a store */
async function storm({ flow, seeds, from, parallel }: ManyStorms, makeStore: MakeStore, how: string): Promise<boolean> {
  const { run, large } = flows[flow];
  const end = from + seeds;
  const logs = mkdtempSync(join(tmpdir(), "storms-"));
  const startedAt = performance.now();
  let next = from;
  let isEnding = false;
  let done = 0;
  let broken = 0;
  const leftOut = new Set<string>();
  const interrupt = () => {
    console.log(`ending: to go on, npm run bench -- storm --seeds ${end - next} --from ${next}${how}`);
    isEnding = true;
    process.once("SIGINT", endAtOnce);
  };
  const endAtOnce = () => process.kill(process.pid, "SIGTERM");
  process.once("SIGINT", interrupt);

  const report = (seed: number, { faults, diary, secondsToCalm, workerLog, ...result }: StormResult): void => {
    done += 1;
    for (const what of result.leftOut) leftOut.add(what);
    const calm = `${secondsToCalm.toFixed(1)} s to calm`;
    if (faults.length === 0) {
      console.log(`seed ${seed}: sound, ${calm}`);
      return;
    }
    broken += 1;
    const path = join(logs, `seed-${seed}.log`);
    writeFileSync(path, [...faults, "", ...diary, "", workerLog].join("\n"));
    console.log(`seed ${seed}: BROKEN, ${calm}, all of it in ${path}\n  ${faults.slice(0, 5).join("\n  ")}`);
    console.log(`  once more: npm run bench -- storm --seeds 1 --from ${seed}${how}`);
  };
  const storms = async (): Promise<void> => {
    while (next < end && !isEnding) {
      const seed = next++;
      report(seed, await run({ ...large, seed, makeStore }));
    }
  };
  await Promise.all(Array.from({ length: parallel }, storms));
  process.off("SIGINT", interrupt);
  process.off("SIGINT", endAtOnce);
  for (const what of leftOut) console.log(`left out: ${what}`);
  const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1);
  console.log(`${done} storms from seed ${from}, ${broken} broken, in ${minutes} minutes`);
  return broken === 0;
}
