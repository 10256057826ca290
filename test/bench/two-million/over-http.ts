/**
 * `npm run bench -- two-million-http`: a first load and a replay by real workers over HTTP against a sandbox in a process of
 * its own, killed now and then, at the most calls a second that a workflow may be given. ROWS (400,000) and KILLS in the
 * environment change the figures.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { WorkerStatus } from "../../../src/api/worker-contract.ts";
import { type BenchWorker, BenchWorld } from "../bench-processes.ts";
import { benchMapping } from "../mapping.ts";
import { type Measurement, percentile } from "../table.ts";
import { Resident } from "./resident.ts";

const mostCallsPerSecond = 1000;
const lookEveryMs = 250;
const changeEveryMs = 5000;
const flags = [
  "--address",
  "127.0.0.1:0",
  "--poll-seconds",
  "3",
  "--call-timeout-seconds",
  "5",
  "--lease-seconds",
  "10",
];

interface Seen {
  backlog: number;
  pages: number;
  kills: number;
  /** The longest time that /readyz took. */
  readyMs: number;
  readonly delaysMs: number[];
}

export async function twoMillionOverHttp(): Promise<readonly Measurement[]> {
  const rows = Number(process.env["ROWS"] ?? 400_000);
  const kills = Number(process.env["KILLS"] ?? 3);
  const world = await BenchWorld.make({ contacts: rows, tables: [] });
  try {
    await world.control.setCampaignBehaviour({ duplicateKey: "accept" });
    const measurements: Measurement[] = [];
    for (const [name, replay] of [
      ["first load", "1"],
      ["replay beside changes", "2"],
    ] as const) {
      const resident = new Resident();
      const seen: Seen = { backlog: 0, pages: 0, kills: 0, readyMs: 0, delaysMs: [] };
      const startedAt = performance.now();
      await run(world, rows, replay, kills, resident, seen);
      const seconds = (performance.now() - startedAt) / 1000;
      const there = await world.control.countRecords({ resource: "profile" });
      const delays = seen.delaysMs.toSorted((a, b) => a - b);
      console.log(
        [
          `${name} over HTTP: ${rows.toLocaleString("en")} rows in ${seconds.toFixed(0)} s`,
          `resident: ${resident.told()}; backlog: peak ${seen.backlog}; /readyz: at most ${seen.readyMs.toFixed(0)} ms`,
          `kills: ${seen.kills}; pages read: ${seen.pages}; in Campaign ${there}, of them ${there - rows} too many`,
          ...(delays.length === 0
            ? []
            : [
                `changes beside it: ${delays.length}, in Campaign after ${percentile(delays, 0.5).toFixed(0)} ms (median), ${(delays.at(-1) ?? 0).toFixed(0)} ms (latest)`,
              ]),
        ].join("\n  "),
      );
      measurements.push({
        what: `${name} over HTTP, ${seen.kills} kills`,
        records: rows,
        seconds,
        peakMegabytes: resident.peak,
      });
    }
    return measurements;
  } finally {
    await world.end();
  }
}

async function run(
  world: BenchWorld,
  rows: number,
  replay: string,
  kills: number,
  resident: Resident,
  seen: Seen,
): Promise<void> {
  const start = () => world.start([{ ...benchMapping, replay }], mostCallsPerSecond, flags);
  const killAt = Array.from({ length: kills }, (_, n) => ((n + Math.random()) / kills) * rows);
  let worker = start();
  let writtenBefore: number | undefined;
  let changedAt = performance.now();
  const changes: Promise<void>[] = [];
  for (;;) {
    await delay(lookEveryMs);
    if (worker.hasEnded) throw new Error("the worker ended");
    const status = await look(worker, seen);
    if (status === undefined) continue;
    const { backlog = 0, written = 0, phase, reading } = status.mappings[0] ?? { name: "" };
    writtenBefore ??= written;
    seen.backlog = Math.max(seen.backlog, backlog);
    const progress = written - writtenBefore;
    resident.look(worker.pid, progress / rows);
    if (progress >= (killAt[seen.kills] ?? Number.POSITIVE_INFINITY)) {
      seen.kills += 1;
      await worker.kill();
      seen.pages += worker.pages.length;
      worker = start();
      continue;
    }
    if (replay !== "1" && performance.now() - changedAt > changeEveryMs && progress < rows * 0.9) {
      changedAt = performance.now();
      changes.push(change(world, Math.floor(Math.random() * rows), seen));
    }
    if (phase === "Incremental" && reading === undefined && backlog === 0 && progress >= rows) break;
  }
  await Promise.all(changes);
  seen.pages += worker.pages.length;
  await worker.kill();
}

async function look(worker: BenchWorker, seen: Seen): Promise<WorkerStatus | undefined> {
  const { url } = worker;
  if (url === undefined) return undefined;
  try {
    const askedAt = performance.now();
    await (await fetch(`${url}/readyz`)).text();
    seen.readyMs = Math.max(seen.readyMs, performance.now() - askedAt);
    const answer = await fetch(`${url}/status`);
    return answer.ok ? ((await answer.json()) as WorkerStatus) : undefined;
  } catch {
    return undefined; // It was just killed or is not there yet.
  }
}

/** Somebody edits a contact; how long until Campaign has it. */
async function change({ control }: BenchWorld, row: number, seen: Seen): Promise<void> {
  const lastname = `Changed ${row}`;
  const madeAt = performance.now();
  // A busy sandbox may close a connection that was idle: such a question is asked again, such a change is left out.
  const [id] = await control
    .changeMany({ table: "contact", count: 1, skip: row, operation: "update", cells: { lastname } })
    .catch(() => []);
  if (id === undefined) return;
  for (;;) {
    const [record] = await control.findRecords({ resource: "profile", key: id }).catch(() => []);
    if (record?.values["lastName"] === lastname) break;
    await delay(100);
  }
  seen.delaysMs.push(performance.now() - madeAt);
}
