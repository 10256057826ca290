/** All that the worker promises about speed, in one run: each part prints its own table, and the last one compares. */
import { campaignRate } from "./campaign-rate.ts";
import { engineAlone } from "./engine.ts";
import { engineCalls } from "./engine-calls.ts";
import { readingRate } from "./reading-rate.ts";
import { type Measurement, printColumns } from "./table.ts";

const callsPerSecond = 50;
const campaignSeconds = 60;

/** @param seconds of reading */
export async function ceiling(seconds: number): Promise<readonly Measurement[]> {
  const reading = await readingRate(seconds, callsPerSecond);
  const writing = await campaignRate([callsPerSecond, 200], campaignSeconds);
  const cost = await engineCalls();
  const engine = await engineAlone();
  const engineRate = Math.min(...engine.map(({ records, seconds: taken }) => records / taken));
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  const times = (ratio: number) => `${ratio.toFixed(1)} times`;
  const line = (what: string, promised: string, measured: string, isKept: boolean) => {
    return [what, promised, measured, isKept ? "yes" : "NO"];
  };
  const throttled = reading.throttled / reading.calls;
  printColumns([
    ["In short", "promised", "measured", "kept"],
    line("reading, of the ceiling", "90 %", percent(reading.share), reading.share >= 0.9),
    line("in its worst minute", "90 %", percent(reading.shareOfWorstMinute), reading.shareOfWorstMinute >= 0.9),
    line("429s", "1 %", percent(throttled), throttled <= 0.01),
    line("writing, of the configured rate", "95 %", percent(writing), writing >= 0.95),
    line("engine calls an insert", "1.05", cost.insert.toFixed(2), Math.max(cost.insert, cost.firstLoad) <= 1.05),
    line("engine calls an update of a profile", "1.05", cost.update.toFixed(2), cost.update <= 1.05),
    line("engine calls for no change", "0", cost.noChange.toFixed(2), Math.round(cost.noChange * 100) === 0),
    line(
      `engine alone, of ${callsPerSecond} calls/s`,
      times(10),
      times(engineRate / callsPerSecond),
      engineRate >= 10 * callsPerSecond,
    ),
    line(
      "engine alone, of the rate of reading",
      times(2),
      times(engineRate / reading.rowsPerSecond),
      engineRate >= 2 * reading.rowsPerSecond,
    ),
  ]);
  return engine;
}
