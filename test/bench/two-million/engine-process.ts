/**
 * The engine on its store, as a process that can be killed; both systems are in the parent process, and outlive it.
 * What is left out of a worker is HTTP alone.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseConfiguration } from "../../../src/api/configuration.ts";
import type { IngressMapping } from "../../../src/api/integration-workflow.ts";
import { guidIndex, guidOf } from "../../../src/sandbox/random.ts";
import { systemClock } from "../../../src/telemetry/clock.ts";
import { createLogger } from "../../../src/telemetry/log.ts";
import type { Campaign } from "../../../src/worker/campaign/interface.ts";
import type { Dataverse, TrackedRecord } from "../../../src/worker/dataverse/interface.ts";
import { IngressEngine } from "../../../src/worker/engine/engine.ts";
import { engineSettings } from "../../../src/worker/engine/settings.ts";
import { DataverseError } from "../../../src/worker/http/service-error.ts";
import { openSqliteQueue } from "../../../src/worker/queue/sqlite/sqlite-queue.ts";
import { benchMapping, configurationText } from "../mapping.ts";
import { type Answer, type EngineArguments, type Question, rowSeed, type ToEngine, type ToWorld } from "./protocol.ts";

const sampleEveryMs = 500;
const leaseMs = 5000;

const { directory, rows, replay, resource } = JSON.parse(process.argv[2] ?? "{}") as EngineArguments;

const waiting = new Map<number, (answer: Answer) => void>();
let asked = 0;
let group: [number, Question][] = [];

/** What is asked in one turn of the event loop goes in one message. */
function ask(question: Question): Promise<Answer> {
  asked += 1;
  group.push([asked, question]);
  if (group.length === 1) {
    setImmediate(() => {
      tell({ kind: "ask", asks: group });
      group = [];
    });
  }
  const { promise, resolve } = Promise.withResolvers<Answer>();
  waiting.set(asked, resolve);
  return promise;
}

function tell(message: ToWorld): void {
  process.send?.(message);
}

process.on("message", (answers: ToEngine) => {
  for (const [id, answer] of answers) {
    waiting.get(id)?.(answer);
    waiting.delete(id);
  }
});

function contact(row: number, change: number): TrackedRecord {
  const id = guidOf(rowSeed, row);
  return {
    id,
    version: BigInt(change === 0 ? row + 1 : rows + change),
    row: {
      contactid: id,
      firstname: "Firstname",
      lastname: `Lastname of ${row}`,
      emailaddress1: `firstname.lastname.${row}@example.com`,
      telephone1: change === 0 ? "1 (11) 500 555-0100" : String(change),
    },
  };
}

const dataverse: Dataverse = {
  whoAmI: async () => ({ organizationId: "org", userId: "user" }),
  tableMetadata: async (table, columns) => ({
    table,
    entitySet: "contacts",
    primaryId: "contactid",
    changeTracking: true,
    columns: new Map(columns.map((name) => [name, { name, type: "String", property: name }])),
  }),
  readTracked: async ({ cursor, pageSize }) => {
    if (cursor.kind === "delta") {
      const { changed, changes, expired } = await ask({ kind: "delta", from: Number(cursor.link) });
      if (expired) throw new DataverseError("expired", { code: "DeltaTokenExpired", outcome: "Refused" });
      return { records: changed.map(([row, change]) => contact(row, change)), deletedIds: [], deltaLink: `${changes}` };
    }
    const [start, from] = cursor.kind === "next" ? cursor.link.split(":").map(Number) : [undefined, 0];
    const size = Math.min(pageSize, rows - (from ?? 0));
    const { changed, changes } = await ask({ kind: "page", from: from ?? 0, size });
    const changeOf = new Map(changed);
    const page = Array.from({ length: size }, (_, n) => contact((from ?? 0) + n, changeOf.get((from ?? 0) + n) ?? 0));
    const next = (from ?? 0) + size;
    const startedAt = start ?? changes;
    return {
      records: page,
      deletedIds: [],
      ...(next < rows ? { nextLink: `${startedAt}:${next}` } : { deltaLink: `${startedAt}` }),
    };
  },
  estimatedRecords: async () => rows,
  readRecord: async (_metadata, id) => {
    const row = rowOf(id);
    const { changed } = await ask({ kind: "read", row });
    return contact(row, changed[0]?.[1] ?? 0);
  },
};

const campaign: Campaign = {
  resourceMetadata: async (name) => {
    const names = [benchMapping.key.field, ...benchMapping.fields.map(({ field }) => field)];
    return {
      resource: name,
      fields: new Map(names.map((field) => [field, { name: field, type: "string", rawType: "string" }])),
    };
  },
  list: async () => ({ records: [] }),
  findByKey: async ({ value }) => {
    const { found } = await ask({ kind: "find", row: rowOf(value) });
    return found ? [{ href: "x", fields: { externalId: value } }] : [];
  },
  refusesDuplicates: async () => false,
  insert: async (_resource, body) => {
    await ask({ kind: "insert", row: rowOf(String(body["externalId"])), change: changeOf(body["mobilePhone"]) });
  },
  updateByKey: async ({ value }, body) => {
    const { found } = await ask({ kind: "update", row: rowOf(value), change: changeOf(body["mobilePhone"]) });
    return found ? "Updated" : "Missing";
  },
  deleteByKey: async ({ value }) => ((await ask({ kind: "delete", row: rowOf(value) })).found ? "Deleted" : "Missing"),
};

function rowOf(id: string): number {
  return guidIndex(rowSeed, id, rows);
}

function changeOf(telephone: unknown): number {
  const change = Number(telephone);
  return Number.isNaN(change) ? 0 : change;
}

const logger = createLogger("worker", "warn");
const queue = await openSqliteQueue({ directory, now: Date.now, logger }, new AbortController().signal);
const mapping: IngressMapping = { ...benchMapping, resource, applyDeletes: true, replay };
const engine = new IngressEngine({
  configuration: parseConfiguration(configurationText("https://d.example", "https://c.example", [mapping])),
  mappings: [mapping],
  queue,
  dataverse,
  campaign,
  settings: {
    ...engineSettings({ engineCallsPerSecond: 1000, sharePercent: 100, mappings: 1, callTimeoutSeconds: 60 }),
    leaseMs,
    pollIntervalMs: 1000,
  },
  clock: systemClock,
  now: Date.now,
  random: Math.random,
  logger,
});

const lag = monitorEventLoopDelay({ resolution: 5 });
lag.enable();
const sampling = setInterval(async () => {
  const [status] = (await engine.status()).mappings;
  if (status === undefined) return;
  const { phase = "", backlog = 0, read = 0, written = 0 } = status;
  const heapMegabytes = process.memoryUsage().heapUsed / 1e6;
  tell({ kind: "sample", sample: { phase, backlog, read, written, lagMs: lag.max / 1e6, heapMegabytes } });
  lag.reset();
}, sampleEveryMs);

const stop = new AbortController();
process.on("SIGTERM", () => stop.abort(new Error("stopped as asked")));
await engine.run(stop.signal, new AbortController().signal).catch((error: unknown) => {
  if (!stop.signal.aborted) throw error;
});
clearInterval(sampling);
await queue.close();
process.disconnect?.();
