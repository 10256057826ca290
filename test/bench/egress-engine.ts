import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfiguration } from "../../src/api/configuration.ts";
import { systemClock } from "../../src/telemetry/clock.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import type { Dataverse } from "../../src/worker/dataverse/interface.ts";
import type { NewRow } from "../../src/worker/dataverse/row-creation.ts";
import type { EgressOptions } from "../../src/worker/engine/egress/context.ts";
import { EgressEngine } from "../../src/worker/engine/egress/engine.ts";
import { engineSettings } from "../../src/worker/engine/settings.ts";
import { openSqliteQueue } from "../../src/worker/queue/sqlite/sqlite-queue.ts";
import type { Measurement } from "./table.ts";

const events = 100_000;
const chunkBytes = 256 * 1024;
const name = "delivery_logs_20260715_120000.txt";
const contact = "00000000-0000-4000-8000-000000000001";

/** Cutting, understanding, queueing and settling of events, with both servers answering at once and every commit on disk. */
export async function egressAlone(): Promise<readonly Measurement[]> {
  const directory = mkdtempSync(join(tmpdir(), "bench-egress-"));
  const queue = await openSqliteQueue({ directory, now: Date.now, logger: silentLogger }, new AbortController().signal);
  const stop = new AbortController();
  let made = 0;
  const create = async (_: unknown, rows: readonly NewRow[]) => {
    made += rows.length;
    if (made >= events) stop.abort();
    return rows.map(() => "Created" as const);
  };
  const { spec, workflow } = parseConfiguration(configurationText());
  if (spec.egress === undefined || spec.campaign.sftp === undefined) throw new Error("no Egress is configured");
  const engine = new EgressEngine({
    configuration: { spec, workflow },
    egress: spec.egress,
    exports: spec.campaign.sftp,
    queue,
    dataverse: instantDataverse as Dataverse, // Egress asks nothing else.
    rows: { createNew: create, createEach: create },
    lookups: { navigationProperty: async () => "regarding", idsByKey: async () => new Map() },
    sftp: instantSftp(fileOf(events)),
    settings: {
      ...engineSettings({ engineCallsPerSecond: 20, sharePercent: 100, mappings: 4, callTimeoutSeconds: 60 }),
      pollIntervalMs: 10,
    },
    batchesAtOnce: 8,
    stillSeconds: 0,
    clock: systemClock,
    now: Date.now,
    random: Math.random,
    logger: silentLogger,
  });
  try {
    const startedAt = performance.now();
    await engine.run(stop.signal, new AbortController().signal);
    const seconds = (performance.now() - startedAt) / 1000;
    return [{ what: "Egress's engine: cut, queued and made, servers answering at once", records: events, seconds }];
  } finally {
    await queue.close();
    rmSync(directory, { recursive: true });
  }
}

const instantDataverse: Pick<Dataverse, "whoAmI" | "tableMetadata"> = {
  whoAmI: async () => ({ organizationId: "org", userId: contact }),
  tableMetadata: async (table, columns) => ({
    table,
    entitySet: `${table}s`,
    primaryId: "activityid",
    changeTracking: false,
    columns: new Map(columns.map((column) => [column, { name: column, property: column, type: typeOf(column) }])),
  }),
};

function typeOf(column: string) {
  if (column === "regardingobjectid") return "Lookup";
  return /actual|occurred/.test(column) ? "DateTime" : "String";
}

function instantSftp(bytes: Buffer): EgressOptions["sftp"] {
  const file = { sizeBytes: bytes.length, modifiedSeconds: 1_784_000_000 };
  return {
    list: async () => [{ name, ...file }],
    stat: async () => file,
    close: async () => {},
    async *read(_, fromByte) {
      for (let at = fromByte; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
    },
  };
}

function fileOf(count: number): Buffer {
  const lines = Array.from(
    { length: count },
    (_, n) =>
      `${n},${contact},2026-07-15 10:00:00,Sent,,CMP12,2026LoyaltyCamp,DM190,Spring,https://t.example/m?p=${n}\n`,
  );
  const header =
    "deliveryLogId,contactId,eventDate,status,failureType,campaignId,campaignName,deliveryId,deliveryName,mirrorPageUrl";
  return Buffer.from(`${header}\n${lines.join("")}`);
}

function configurationText(): string {
  const credentialsSecretRef = { name: "s" };
  const hostKey = "ssh-ed25519 AAAA";
  const sftp = {
    host: "s",
    username: "u",
    path: "exports",
    hostKey,
    credentialsSecretRef,
    format: { timeZone: "UTC" },
  };
  return JSON.stringify({
    workflow: { name: "bench", namespace: "default", uid: "bench" },
    spec: {
      type: "Egress",
      dynamics: { url: "https://d.example", credentialsSecretRef },
      campaign: { url: "https://c.example", credentialsSecretRef, engineCallsPerSecond: 20, sftp },
      egress: { since: "2026-07-01T00:00:00Z" },
    },
  });
}
