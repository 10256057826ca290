/** How near to its configured rate the worker writes, with a backlog that does not end. */
import { setTimeout as sleep } from "node:timers/promises";
import { BenchWorld } from "./bench-processes.ts";
import { campaignMilliseconds, mostIn } from "./exchanges.ts";
import { benchMapping } from "./mapping.ts";
import { printColumns } from "./table.ts";

/** Until parallelism has grown to what the rate needs. */
const rampSeconds = 5;

interface Writing {
  readonly rate: number;
  /** Calls a second. */
  readonly achieved: number;
  readonly line: readonly string[];
}

/** @returns the lowest share of a rate that was achieved */
export async function campaignRate(rates: readonly number[], seconds: number): Promise<number> {
  const found: Writing[] = [];
  for (const rate of rates) found.push(await measured(rate, seconds));
  printColumns([
    [
      "Campaign: writing, calls/s configured",
      "achieved",
      "",
      "most in any 1 s",
      "most in any 10 s",
      "allowed",
      "latency, ms",
    ],
    ...found.map(({ line }) => line),
  ]);
  return Math.min(...found.map(({ rate, achieved }) => achieved / rate));
}

async function measured(rate: number, seconds: number): Promise<Writing> {
  const world = await BenchWorld.make({ contacts: Math.ceil(rate * (seconds + rampSeconds) * 1.2), tables: [] });
  try {
    const action = { kind: "slow", milliseconds: campaignMilliseconds } as const;
    await world.control.addFault({ side: "campaign", action });
    const worker = world.start([benchMapping], rate);
    const calls = () => worker.exchanges.filter(({ origin }) => world.isCampaign(origin));
    while (!calls().some(({ method }) => method === "POST")) {
      if (worker.hasEnded) throw new Error("the worker ended by itself");
      await sleep(50);
    }
    const from = Date.now() + rampSeconds * 1000;
    await sleep((rampSeconds + seconds) * 1000);
    const inTime = calls().filter(({ at }) => at > from && at <= from + seconds * 1000);
    const latencies = inTime.map(({ milliseconds }) => milliseconds);
    const mean = latencies.reduce((sum, one) => sum + one, 0) / latencies.length;
    const burst = Math.max(1, rate / 10);
    const achieved = inTime.length / seconds;
    const line = [
      String(rate),
      achieved.toFixed(1),
      `${((achieved / rate) * 100).toFixed(1)} %`,
      String(mostIn(inTime, 1000)),
      String(mostIn(inTime, 10_000)),
      `${rate + burst} and ${rate * 10 + burst}`,
      mean.toFixed(0),
    ];
    return { rate, achieved, line };
  } finally {
    await world.end();
  }
}
