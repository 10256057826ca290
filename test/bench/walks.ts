/**
 * Many random walks of the operator: how many it comes through, and what each was that it did not.
 * `npm run bench -- walks --count 100000 [--from 1] [--parallel 4]` walks in a model cluster, batches of 1,000 side by side.
 * `npm run bench -- walks --real --count 2000 [--from 1]` walks on a real API server, 240 at a time.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { manyWalks } from "../integration/operator/walks/many.ts";

export interface WalksOptions {
  readonly count: number;
  /** The first seed: each batch has its own. */
  readonly from: number;
  readonly parallel: number;
}

const batchOfModel = 1000;
const batchOfReal = 240;

/** @returns whether the operator came through all of them */
export async function modelWalks({ count, from, parallel }: WalksOptions): Promise<boolean> {
  const program = fileURLToPath(import.meta.resolve("./walks-batch.ts"));
  return batches(count, batchOfModel, from, parallel, async (seed, size) => {
    const child = spawn(process.execPath, [program, String(seed), String(size)], { stdio: "inherit" });
    const [code] = await once(child, "exit");
    return code === 0;
  });
}

/** @returns whether the operator came through all of them */
export async function realWalks({ count, from }: WalksOptions): Promise<boolean> {
  // One control plane at a time: its speed is what bounds them.
  return batches(count, batchOfReal, from, 1, async (seed, size) => {
    const { faults, fates } = await manyWalks({ count: size, steps: 14, seed, parallel: size });
    for (const fault of faults) console.log(fault);
    console.log(`operators were ${JSON.stringify([...fates])}`);
    return faults.length === 0;
  });
}

async function batches(
  count: number,
  size: number,
  from: number,
  parallel: number,
  walk: (seed: number, size: number) => Promise<boolean>,
): Promise<boolean> {
  const startedAt = performance.now();
  const sizes = Array.from({ length: Math.ceil(count / size) }, (_, batch) => Math.min(size, count - batch * size));
  const queue = sizes.entries();
  let isSound = true;
  await Promise.all(
    Array.from({ length: parallel }, async () => {
      for (const [batch, some] of queue) {
        const isBatchSound = await walk(from + batch, some);
        console.log(`seed ${from + batch}: ${some} walks, ${isBatchSound ? "sound" : "BROKEN"}`);
        isSound &&= isBatchSound;
      }
    }),
  );
  const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1);
  console.log(`${count.toLocaleString("en")} walks in ${minutes} minutes: ${isSound ? "all sound" : "BROKEN"}`);
  return isSound;
}
