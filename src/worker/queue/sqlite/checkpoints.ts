import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import type { Checkpoint, SchemaChecks, SnapshotProgress, SnapshotPurpose } from "../checkpoint.ts";
import type { Links } from "./links.ts";

const columns = [
  "mapping",
  "mapping_hash",
  "generation",
  "replay",
  "delta_link",
  "delta_issued_at",
  "delta_next",
  "snapshot_purpose",
  "snapshot_next",
  "snapshot_sweeping",
  "snapshot_read",
  "snapshot_estimate",
  "listing",
  "listing_next",
  "pause_reason",
  "pause_message",
  "pause_since",
  "pause_replay",
  "checks",
] as const;

type Row = Record<string, SQLOutputValue>;

/** Reads and writes table `checkpoint`. To be called within a transaction. */
export class Checkpoints {
  readonly #links: Links;
  readonly #all;
  readonly #put;
  readonly #counters;

  constructor(database: DatabaseSync, links: Links) {
    this.#links = links;
    this.#all = database.prepare("SELECT * FROM checkpoint ORDER BY mapping");
    this.#put = database.prepare(
      `INSERT OR REPLACE INTO checkpoint (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`,
    );
    this.#counters = database.prepare("INSERT OR IGNORE INTO counters (mapping) VALUES (?)");
  }

  all(): Checkpoint[] {
    return this.#all.all().map(checkpointOf);
  }

  put(checkpoint: Checkpoint): void {
    const { mapping, mappingHash, generation, replay, delta, snapshot, listing, pause, checks } = checkpoint;
    const wasLoading = this.#links.isLoading(mapping);
    this.#counters.run(mapping);
    this.#put.run(
      mapping,
      mappingHash,
      generation,
      replay ?? null,
      delta?.link ?? null,
      delta?.issuedAt ?? null,
      delta?.nextLink ?? null,
      snapshot?.purpose ?? null,
      snapshot?.nextLink ?? null,
      snapshot?.sweeping ? 1 : 0,
      snapshot?.progress?.readRecords ?? null,
      snapshot?.progress?.estimatedRecords ?? null,
      listing === undefined ? 0 : 1,
      listing?.nextLink ?? null,
      pause?.reason ?? null,
      pause?.message ?? null,
      pause?.since ?? null,
      pause?.replay ?? null,
      checks === undefined ? null : JSON.stringify(checks),
    );
    if (wasLoading !== this.#links.isLoading(mapping)) this.#links.loads(mapping, !wasLoading);
  }
}

function checkpointOf(row: Row): Checkpoint {
  const replay = text(row["replay"]);
  const deltaLink = text(row["delta_link"]);
  const deltaNext = text(row["delta_next"]);
  const purpose = text(row["snapshot_purpose"]);
  const snapshotNext = text(row["snapshot_next"]);
  const listingNext = text(row["listing_next"]);
  const reason = text(row["pause_reason"]);
  const pauseReplay = text(row["pause_replay"]);
  const checks = text(row["checks"]);
  return {
    mapping: String(row["mapping"]),
    mappingHash: String(row["mapping_hash"]),
    generation: Number(row["generation"]),
    ...(replay === undefined ? {} : { replay }),
    ...(deltaLink === undefined
      ? {}
      : { delta: { link: deltaLink, issuedAt: Number(row["delta_issued_at"]), ...next(deltaNext) } }),
    ...(purpose === undefined
      ? {}
      : {
          snapshot: {
            purpose: purpose as SnapshotPurpose, // Written by put() alone.
            sweeping: row["snapshot_sweeping"] === 1,
            ...next(snapshotNext),
            ...progressOf(row),
          },
        }),
    ...(row["listing"] === 1 ? { listing: next(listingNext) } : {}),
    ...(reason === undefined
      ? {}
      : {
          pause: {
            reason,
            message: text(row["pause_message"]) ?? "",
            since: Number(row["pause_since"]),
            ...(pauseReplay === undefined ? {} : { replay: pauseReplay }),
          },
        }),
    ...(checks === undefined ? {} : { checks: JSON.parse(checks) as SchemaChecks }), // Written by put() alone.
  };
}

function progressOf({ snapshot_read: read, snapshot_estimate: estimate }: Row): { progress?: SnapshotProgress } {
  if (typeof read !== "number") return {};
  return { progress: { readRecords: read, ...(typeof estimate === "number" ? { estimatedRecords: estimate } : {}) } };
}

function next(nextLink: string | undefined): { nextLink?: string } {
  return nextLink === undefined ? {} : { nextLink };
}

function text(value: SQLOutputValue | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}
