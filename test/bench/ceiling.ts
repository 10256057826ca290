/** All that the worker promises about speed, in one run: each part prints its own table. */
import { campaignRate } from "./campaign-rate.ts";
import { engineAlone } from "./engine.ts";
import { engineCalls } from "./engine-calls.ts";
import { readingRate } from "./reading-rate.ts";
import type { Measurement } from "./table.ts";

const campaignSeconds = 60;

/** @param seconds of reading */
export async function ceiling(seconds: number): Promise<readonly Measurement[]> {
  const reading = await readingRate(seconds, 50);
  await campaignRate([50, 200], campaignSeconds);
  await engineCalls();
  const engine = await engineAlone();
  for (const { records, seconds: taken } of engine) {
    const rate = records / taken;
    console.log(
      `the engine alone: ${(rate / 50).toFixed(0)} times 50 calls/s, ${(rate / reading.rowsPerSecond).toFixed(1)} times the rate of reading above`,
    );
  }
  return engine;
}
