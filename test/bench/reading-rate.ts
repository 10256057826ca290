/**
 * How near to Dataverse's limits the worker reads, and how near to its configured rate it writes meanwhile: a first load
 * of several tables at once (one table's pages follow each other, so one alone cannot reach the ceiling), with service
 * protection on, for as many minutes as asked for. Then the worker is killed and another begins within the same window.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type BenchWorker, BenchWorld } from "./bench-processes.ts";
import type { BenchTable } from "./bench-tables.ts";
import { oneWrittenIn, tableMapping } from "./bench-tables.ts";
import { campaignMilliseconds, mostIn } from "./exchanges.ts";
import type { Exchange } from "./observed-worker.ts";
import { percentile, printColumns } from "./table.ts";

/** The default, and the most that Dataverse gives (page-results.md). */
const rowsPerCall = 5000;
/**
 * Server time of a call, as the sandbox is told to take it: Microsoft gives no figures. At a millisecond a row the
 * execution time is what binds, as it does for reads of whole pages in practice.
 */
const millisecondsPerRow = 1;
const tables = 8;
const restartSeconds = 60;
/** Not to measure a hint: the formula has none. */
const recommendedParallelism = 10;

export interface ReadingRate {
  readonly rowsPerSecond: number;
  /** Of the ceiling. */
  readonly share: number;
  readonly shareOfWorstMinute: number;
  readonly calls: number;
  readonly throttled: number;
}

/** Prints what it finds. */
export async function readingRate(seconds: number, engineCallsPerSecond: number): Promise<ReadingRate> {
  const callSeconds = (rowsPerCall * millisecondsPerRow) / 1000;
  const wanted = (4 * rowsPerCall * (seconds + restartSeconds + 30)) / callSeconds;
  const list = Array.from({ length: tables }, (_, n): BenchTable => {
    return { name: `new_bench${n}`, rows: Math.ceil(wanted / tables / rowsPerCall) * rowsPerCall };
  });
  const world = await BenchWorld.make({ contacts: 0, tables: list });
  try {
    const { control } = world;
    await control.setServiceProtection({
      enabled: true,
      rowCostMilliseconds: millisecondsPerRow,
      recommendedParallelism,
    });
    await control.addFault({ side: "campaign", action: { kind: "slow", milliseconds: campaignMilliseconds } });
    const mappings = list.map(tableMapping);
    const worker = world.start(mappings, engineCallsPerSecond);
    const from = await firstPage(worker);
    await untilOrEnd(worker, from + seconds * 1000);
    const result = report(world, worker, { from, seconds, callSeconds, engineCallsPerSecond });
    await worker.kill();
    const again = world.start(mappings, engineCallsPerSecond);
    await untilOrEnd(again, (await firstPage(again)) + restartSeconds * 1000);
    const reads = dataverseCalls(world, again);
    console.log(
      `killed and started again within the window, ${restartSeconds} s: ${reads.length} calls, ${throttled(reads).length} of them 429s`,
    );
    const after = await control.counters();
    console.log(`at most ${after.dataverse.highestInFlight} calls to Dataverse at once`);
    return result;
  } finally {
    await world.end();
  }
}

async function firstPage(worker: BenchWorker): Promise<number> {
  while (worker.pages.length === 0) {
    if (worker.hasEnded) throw new Error("the worker ended before it read a page");
    await sleep(20);
  }
  return worker.pages[0]?.at ?? 0;
}

async function untilOrEnd(worker: BenchWorker, at: number): Promise<void> {
  while (Date.now() < at) {
    if (worker.hasEnded) throw new Error("the worker ended by itself");
    await sleep(Math.min(500, Math.max(1, at - Date.now())));
  }
}

interface Run {
  readonly from: number;
  readonly seconds: number;
  readonly callSeconds: number;
  readonly engineCallsPerSecond: number;
}

function report(world: BenchWorld, worker: BenchWorker, run: Run): ReadingRate {
  const { from, seconds, callSeconds, engineCallsPerSecond } = run;
  const until = from + seconds * 1000;
  const calls = dataverseCalls(world, worker).filter(({ at }) => at <= until);
  const pages = calls.filter(({ path, status }) => status === 200 && path.includes("select"));
  const latency = pages.map(({ milliseconds }) => milliseconds / 1000).sort((a, b) => a - b);
  const typical = percentile(latency, 0.5);
  const terms = {
    calls: 20 * rowsPerCall,
    execution: (4 * rowsPerCall) / callSeconds,
    concurrency: (52 * rowsPerCall) / typical,
  };
  const most = Math.min(terms.calls, terms.execution, terms.concurrency);
  const stored = worker.pages.slice(1).filter(({ at }) => at <= until);
  const rows = (begin: number, end: number) =>
    stored.filter(({ at }) => at > begin && at <= end).reduce((sum, { records }) => sum + records, 0);
  const rate = rows(from, until) / seconds;
  const minutes = Array.from(
    { length: Math.floor(seconds / 60) },
    (_, minute) => rows(from + minute * 60_000, from + (minute + 1) * 60_000) / 60,
  );
  const refused = throttled(calls);
  const share = (value: number) => `${((value / most) * 100).toFixed(1)} %`;
  const whole = (value: number) => Math.round(value).toLocaleString("en");
  printColumns([
    ["Dataverse: reading", "", "of the ceiling"],
    ["B, rows a call", whole(rowsPerCall), ""],
    ["t(B), server seconds a call, as configured", callSeconds.toFixed(2), ""],
    ["latency p50 / p95, s", `${typical.toFixed(2)} / ${percentile(latency, 0.95).toFixed(2)}`, ""],
    ["20 x B, rows/s", whole(terms.calls), ""],
    ["4 x B / t(B), rows/s", whole(terms.execution), ""],
    ["52 x B / latency, rows/s", whole(terms.concurrency), ""],
    ["ceiling, rows/s", whole(most), "100 %"],
    ...minutes.map((inMinute, minute) => [`minute ${minute + 1}, rows/s`, whole(inMinute), share(inMinute)]),
    [`all ${seconds} s, rows/s`, whole(rate), share(rate)],
    ["calls", whole(calls.length), ""],
    ["429s", `${refused.length} (${((refused.length / calls.length) * 100).toFixed(2)} %)`, ""],
  ]);
  const campaign = worker.exchanges.filter(({ origin, at }) => world.isCampaign(origin) && at > from && at <= until);
  const writes = campaign.filter(({ method }) => method === "POST");
  printColumns([
    ["Campaign meanwhile", "", "of its rate"],
    [`records that pass the filter, one in`, String(oneWrittenIn), ""],
    ["configured, calls/s", whole(engineCallsPerSecond), "100 %"],
    [
      "achieved, calls/s",
      (campaign.length / seconds).toFixed(1),
      `${((campaign.length / seconds / engineCallsPerSecond) * 100).toFixed(1)} %`,
    ],
    ["most in any second", String(mostIn(campaign, 1000)), ""],
    ["most in any 10 seconds", String(mostIn(campaign, 10_000)), ""],
    ["records written", whole(writes.length), ""],
  ]);
  if (worker.complaints.size > 0) console.log("log events above info:", Object.fromEntries(worker.complaints));
  const worst = Math.min(...minutes, rate);
  return {
    rowsPerSecond: rate,
    share: rate / most,
    shareOfWorstMinute: worst / most,
    calls: calls.length,
    throttled: refused.length,
  };
}

function dataverseCalls(world: BenchWorld, worker: BenchWorker): readonly Exchange[] {
  return worker.exchanges.filter(({ origin, path }) => !world.isCampaign(origin) && path.startsWith("/api/data/"));
}

function throttled(calls: readonly Exchange[]): readonly Exchange[] {
  return calls.filter(({ status }) => status === 429);
}
