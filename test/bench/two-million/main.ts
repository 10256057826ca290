/**
 * `npm run bench -- two-million`: a first load, a replay beside changes, and a reading anew after an expired delta link, of
 * 2,000,000 rows, by the engine on its real store in a process of its own that is killed now and then. Both systems are in
 * this process, and answer at once: HTTP and its limits are left out. ROWS and KILLS in the environment change the figures.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Measurement } from "../table.ts";
import type { EngineArguments, Sample, ToEngine, ToWorld } from "./protocol.ts";
import { Resident } from "./resident.ts";
import { World } from "./world.ts";

const engineFile = fileURLToPath(new URL("./engine-process.ts", import.meta.url));
/** Without a bound, V8 lets garbage lie for as long as the machine has memory, and the peak says nothing. */
const heapMegabytes = 128;
const lookEveryMs = 250;
const changeEveryMs = 2000;
const storeFile = "queue.db";

interface Phase {
  readonly name: string;
  readonly arguments: Partial<EngineArguments>;
  readonly kills: number;
  readonly isChanging: boolean;
  /** Rows that went through it so far, of `rows`. */
  readonly progress: (world: World, sample: Sample | undefined) => number;
  readonly isOver: (world: World, sample: Sample) => boolean;
}

interface Peaks {
  seconds: number;
  readonly resident: Resident;
  store: number;
  log: number;
  backlog: number;
  lag: number;
  kills: number;
  pages: number;
}

export async function twoMillion(): Promise<readonly Measurement[]> {
  const rows = Number(process.env["ROWS"] ?? 2_000_000);
  const kills = Number(process.env["KILLS"] ?? 4);
  const directory = mkdtempSync(join(process.env["STORE"] ?? tmpdir(), "two-million-"));
  const world = new World(rows);
  const measurements: Measurement[] = [];
  try {
    for (const phase of phases(rows, kills)) {
      const peaks = await runPhase(phase, world, directory);
      report(phase.name, rows, peaks, world);
      measurements.push({
        what: `${phase.name}, ${peaks.kills} kills, heap of ${heapMegabytes} MB`,
        records: rows,
        seconds: peaks.seconds,
        peakMegabytes: peaks.resident.peak,
      });
    }
    return measurements;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function phases(rows: number, kills: number): readonly Phase[] {
  const isIdle = ({ phase, backlog }: Sample) => phase === "Incremental" && backlog === 0;
  return [
    {
      name: "first load",
      arguments: { replay: "1" },
      kills,
      isChanging: false,
      progress: ({ inserted }) => inserted,
      isOver: (world, sample) => isIdle(sample) && world.inserted >= rows,
    },
    {
      name: "replay beside changes",
      arguments: { replay: "2" },
      kills,
      isChanging: true,
      progress: ({ updated }) => updated,
      isOver: (world, sample) => isIdle(sample) && world.updated >= rows && world.changesUnderWay === 0,
    },
    {
      name: "read anew, nothing changed",
      arguments: { replay: "2" },
      kills: 0,
      isChanging: false,
      progress: ({ rowsRead }) => rowsRead,
      isOver: (world, sample) => isIdle(sample) && !world.isExpired && world.rowsRead >= rows,
    },
    {
      name: "mapping replaced: everything dropped",
      arguments: { replay: "2", resource: "other" },
      kills: 0,
      isChanging: false,
      progress: () => 0,
      isOver: (world) => world.rowsRead > 0,
    },
  ];
}

async function runPhase(phase: Phase, world: World, directory: string): Promise<Peaks> {
  const peaks: Peaks = {
    ...{ seconds: 0, store: 0, log: 0, backlog: 0, lag: 0, kills: 0, pages: 0 },
    resident: new Resident(),
  };
  world.pagesRead = 0;
  world.rowsRead = 0;
  world.delaysMs.length = 0;
  world.isJudged = phase.arguments.resource !== undefined;
  world.isExpired = phase.name.startsWith("read anew");
  let sample: Sample | undefined;
  const start = (): ChildProcess => {
    const child = startEngine({ directory, rows: world.rows, replay: "1", resource: "profile", ...phase.arguments });
    child.on("message", (message: ToWorld) => {
      if (message.kind === "ask") {
        const answers: ToEngine = message.asks.map(([id, question]) => [id, world.answer(question)]);
        if (child.connected) child.send(answers);
        return;
      }
      sample = message.sample;
      peaks.backlog = Math.max(peaks.backlog, sample.backlog);
      peaks.lag = Math.max(peaks.lag, sample.lagMs);
    });
    return child;
  };
  let child = start();
  const startedAt = performance.now();
  const killsAt = Array.from({ length: phase.kills }, (_, n) => ((n + Math.random()) / phase.kills) * world.rows);
  let changedAt = startedAt;
  try {
    while (sample === undefined || !phase.isOver(world, sample)) {
      await delay(lookEveryMs);
      if (child.exitCode !== null) throw new Error(`the engine ended with ${child.exitCode}`);
      const progress = phase.progress(world, sample);
      look(directory, peaks);
      if (peaks.resident.look(child.pid, progress / world.rows)) {
        const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
        console.error(`  ${phase.name}: ${progress} rows, ${seconds} s, loop held ${peaks.lag.toFixed(0)} ms`);
      }
      if (phase.isChanging && performance.now() - changedAt > changeEveryMs && progress < world.rows * 0.95) {
        changedAt = performance.now();
        world.change(Math.floor(Math.random() * world.rows));
      }
      if (progress >= (killsAt[peaks.kills] ?? Number.POSITIVE_INFINITY)) {
        peaks.kills += 1;
        await end(child, "SIGKILL");
        sample = undefined;
        child = start();
      }
    }
    peaks.seconds = (performance.now() - startedAt) / 1000;
    peaks.pages = world.pagesRead;
  } finally {
    await end(child, "SIGTERM");
  }
  return peaks;
}

function startEngine(engineArguments: EngineArguments): ChildProcess {
  return fork(engineFile, [JSON.stringify(engineArguments)], {
    execArgv: [`--max-old-space-size=${heapMegabytes}`],
    serialization: "json",
  });
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill(signal);
  await once(child, "exit");
}

function look(directory: string, peaks: Peaks): void {
  const store = megabytesOf(join(directory, storeFile));
  const log = megabytesOf(join(directory, `${storeFile}-wal`));
  peaks.store = Math.max(peaks.store, store + log);
  peaks.log = Math.max(peaks.log, log);
}

function megabytesOf(path: string): number {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) / 1e6;
}

function report(name: string, rows: number, peaks: Peaks, world: World): void {
  const { there, duplicates } = world.judged();
  const delays = world.delaysMs.toSorted((a, b) => a - b);
  const delayMs = (share: number) => Math.round(delays[Math.floor((delays.length - 1) * share)] ?? 0);
  console.log(
    [
      `${name}: ${rows.toLocaleString("en")} rows in ${peaks.seconds.toFixed(0)} s`,
      `resident: ${peaks.resident.told()}`,
      `disk: peak ${peaks.store.toFixed(0)} MB, of that log ${peaks.log.toFixed(0)} MB; ${((peaks.store * 1e6) / rows).toFixed(0)} bytes a row`,
      `backlog: peak ${peaks.backlog.toLocaleString("en")}; event loop held at most ${peaks.lag.toFixed(0)} ms`,
      `kills: ${peaks.kills}; pages read: ${peaks.pages}; in Campaign ${there}, inserts ${world.inserted}, duplicates ${duplicates}, updates ${world.updated}, deletions ${world.deleted}`,
      ...(delays.length === 0
        ? []
        : [
            `changes beside it: ${delays.length}, written after ${delayMs(0.5)} ms (median), ${delayMs(1)} ms (latest)`,
          ]),
    ].join("\n  "),
  );
}
