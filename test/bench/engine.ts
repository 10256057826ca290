import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfiguration } from "../../src/api/configuration.ts";
import { systemClock } from "../../src/telemetry/clock.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import type { Campaign } from "../../src/worker/campaign/interface.ts";
import type { Dataverse, TrackedRecord } from "../../src/worker/dataverse/interface.ts";
import { IngressEngine } from "../../src/worker/engine/engine.ts";
import { engineSettings } from "../../src/worker/engine/settings.ts";
import { openSqliteQueue } from "../../src/worker/queue/sqlite/sqlite-queue.ts";
import { benchMapping, configurationText } from "./mapping.ts";
import type { Measurement } from "./table.ts";

const records = 100_000;

/** Reading, converting, queueing and writing, with both systems answering at once and every commit on disk. */
export async function engineAlone(): Promise<readonly Measurement[]> {
  const directory = mkdtempSync(join(tmpdir(), "bench-engine-"));
  const queue = await openSqliteQueue({ directory, now: Date.now, logger: silentLogger }, new AbortController().signal);
  const stop = new AbortController();
  let written = 0;
  const campaign: Campaign = {
    ...instantCampaign,
    insert: async () => {
      written += 1;
      if (written === records) stop.abort();
    },
  };
  const limits = { engineCallsPerSecond: 1000, sharePercent: 100, mappings: 1, callTimeoutSeconds: 60 };
  const engine = new IngressEngine({
    configuration: parseConfiguration(configurationText("https://d.example", "https://c.example", [benchMapping])),
    mappings: [benchMapping],
    queue,
    dataverse: instantDataverse,
    campaign,
    settings: engineSettings(limits),
    clock: systemClock,
    now: Date.now,
    random: Math.random,
    logger: silentLogger,
  });
  try {
    const startedAt = performance.now();
    await engine.run(stop.signal, new AbortController().signal);
    const seconds = (performance.now() - startedAt) / 1000;
    return [{ what: "engine: read, queued and written, systems answering at once", records, seconds }];
  } finally {
    await queue.close();
    rmSync(directory, { recursive: true });
  }
}

const instantDataverse: Dataverse = {
  whoAmI: async () => ({ organizationId: "org", userId: "user" }),
  tableMetadata: async (table, columns) => ({
    table,
    entitySet: "contacts",
    primaryId: "contactid",
    changeTracking: true,
    columns: new Map(columns.map((name) => [name, { name, type: "String", property: name }])),
  }),
  readTracked: async ({ cursor, pageSize }) => {
    const from = cursor.kind === "next" ? Number(cursor.link) : 0;
    if (cursor.kind === "delta") return { records: [], deletedIds: [], deltaLink: cursor.link };
    const page = Array.from({ length: Math.min(pageSize, records - from) }, (_, n) => contact(from + n));
    const next = from + page.length;
    return { records: page, deletedIds: [], ...(next < records ? { nextLink: String(next) } : { deltaLink: "d" }) };
  },
  estimatedRecords: async () => records,
  readRecord: async () => undefined,
};

const instantCampaign: Campaign = {
  resourceMetadata: async (resource) => {
    const names = [benchMapping.key.field, ...benchMapping.fields.map(({ field }) => field)];
    return { resource, fields: new Map(names.map((name) => [name, { name, type: "string", rawType: "string" }])) };
  },
  list: async () => ({ records: [] }),
  findByKey: async () => [],
  refusesDuplicates: async () => true,
  insert: async () => {},
  updateByKey: async () => "Updated",
  deleteByKey: async () => "Deleted",
};

function contact(n: number): TrackedRecord {
  const id = `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
  const row = {
    contactid: id,
    firstname: "First",
    lastname: `Last ${n}`,
    emailaddress1: `${n}@example.com`,
    telephone1: "555-0100",
  };
  return { id, version: BigInt(n + 1), row };
}
