/** What a record costs in engine calls, the unit that Adobe's packages count, as the sandbox's Campaign counted them. */
import { setTimeout as sleep } from "node:timers/promises";
import type { IngressMapping } from "../../src/api/integration-workflow.ts";
import type { WorkerStatus } from "../../src/api/worker-contract.ts";
import { type BenchWorker, BenchWorld } from "./bench-processes.ts";
import { type BenchTable, benchRows, tableMapping } from "./bench-tables.ts";
import { benchMapping } from "./mapping.ts";
import { printColumns } from "./table.ts";

const records = 500;
const patienceMs = 60_000;
const custom: BenchTable = { name: "new_bench0", rows: records };

interface Kind {
  readonly name: string;
  readonly mapping: IngressMapping;
  /** Resources that take an identification key in the address; the sandbox's own choice when left out. */
  readonly keyInUrl?: readonly string[];
  readonly changed: Readonly<Record<string, string>>;
  /** Of a column that is not mapped. */
  readonly unmapped: Readonly<Record<string, string>>;
}

const kinds: readonly [Kind, ...Kind[]] = [
  {
    name: "profiles",
    mapping: { ...benchMapping, applyDeletes: true },
    changed: { lastname: "Changed {n}" },
    unmapped: { jobtitle: "Job {n}" },
  },
  {
    name: "custom resource that Campaign finds by its key",
    mapping: tableMapping(custom),
    keyInUrl: ["profile", "cusBench0"],
    changed: { new_city: "Changed {n}" },
    unmapped: { new_note: "Note {n}" },
  },
  {
    name: "custom resource that it does not",
    mapping: tableMapping(custom),
    changed: { new_city: "Changed {n}" },
    unmapped: { new_note: "Note {n}" },
  },
];

export interface Cost {
  readonly firstLoad: number;
  readonly insert: number;
  readonly update: number;
  readonly noChange: number;
  readonly delete: number;
}

/** @returns what profiles cost */
export async function engineCalls(): Promise<Cost> {
  const [profiles, ...others] = kinds;
  const ofProfiles = await measured(profiles);
  const lines = [lineOf(profiles, ofProfiles)];
  for (const kind of others) lines.push(lineOf(kind, await measured(kind)));
  printColumns([["Engine calls a record", "first load", "insert", "update", "no change", "delete"], ...lines]);
  return ofProfiles;
}

function lineOf({ name }: Kind, cost: Cost): string[] {
  const { firstLoad, insert, update, noChange } = cost;
  return [name, ...[firstLoad, insert, update, noChange, cost.delete].map((calls) => calls.toFixed(2))];
}

async function measured(kind: Kind): Promise<Cost> {
  const world = await BenchWorld.make({ contacts: records, tables: [custom] });
  try {
    const { control } = world;
    if (kind.keyInUrl !== undefined) await control.setCampaignBehaviour({ keyInUrl: kind.keyInUrl });
    const { filter: _, ...mapping } = kind.mapping;
    const { table } = mapping;
    await control.resetCounters();
    const worker = world.start([mapping], 1000, ["--address", "127.0.0.1:0", "--poll-seconds", "1"]);
    const lot = { table, count: records };
    /** Engine calls a record, until the work on that many records is done. */
    const cost = async (work: () => Promise<unknown>): Promise<number> => {
      const callsBefore = (await control.counters()).campaign.engineCalls;
      const readBefore = readRecords(worker);
      await work();
      await atRest(worker, readBefore + records);
      return ((await control.counters()).campaign.engineCalls - callsBefore) / records;
    };
    const newRows = table === "contact" ? newContacts() : benchRows(records, 2 * records);
    return {
      firstLoad: await cost(async () => {}),
      insert: await cost(() => control.insertRows({ table, rows: newRows })),
      update: await cost(() => control.changeMany({ ...lot, operation: "update", cells: kind.changed })),
      noChange: await cost(() => control.changeMany({ ...lot, operation: "update", cells: kind.unmapped })),
      delete: await cost(() => control.changeMany({ ...lot, operation: "delete" })),
    };
  } finally {
    await world.end();
  }
}

function newContacts(): { cells: Record<string, string> }[] {
  return Array.from({ length: records }, (_, n) => ({ cells: { firstname: "New", lastname: `Contact ${n}` } }));
}

function readRecords({ pages }: BenchWorker): number {
  return pages.reduce((sum, page) => sum + page.records, 0);
}

/** Until so many records were read, and none of them waits. */
async function atRest(worker: BenchWorker, read: number): Promise<void> {
  const until = performance.now() + patienceMs;
  while (performance.now() < until) {
    if (worker.hasEnded) throw new Error("the worker ended by itself");
    if (readRecords(worker) >= read && worker.url !== undefined) {
      const status = (await (await fetch(`${worker.url}/status`)).json()) as WorkerStatus;
      if (status.backlog === 0) return;
    }
    await sleep(50);
  }
  throw new Error(`not at rest after ${patienceMs / 1000} s`);
}
