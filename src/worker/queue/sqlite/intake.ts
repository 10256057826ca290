import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { coalesce, type Decision, type KnownState, type PutRow } from "../coalesce.ts";
import type { Incoming, PageCommit } from "../page.ts";
import type { Checkpoints } from "./checkpoints.ts";
import { type Held, heldUntil } from "./held.ts";
import { claims, departed, holds, type Keys, type LeftKey } from "./keys.ts";
import { unparking } from "./link-news.ts";
import type { Links } from "./links.ts";

type Row = Record<string, SQLOutputValue>;

/** A deletion without a version, as older programs queued them, is one that reading decides. */
export const isRemoval = "(operation = 1 AND version IS NOT NULL) AS removal";

interface Known extends KnownState {
  readonly seq?: bigint;
  readonly seen?: number;
  /** The key of the Campaign record that is this row's, or may be next. */
  readonly key?: LeftKey;
}

/** Takes what a reader found into `pending`, `dead` and `written`. To be called within a transaction. */
export class Intake {
  readonly #checkpoints: Checkpoints;
  readonly #held: Held;
  readonly #keys: Keys;
  readonly #links: Links;
  readonly #pending;
  readonly #written;
  readonly #dead;
  readonly #counts;
  readonly #countRead;
  readonly #insert;
  readonly #replace;
  readonly #stamp;
  readonly #drop;
  readonly #depart;
  readonly #see;
  readonly #bury;
  readonly #seeDead;
  readonly #clearDead;
  /** Of the page that is being taken: the rows that left, and their keys. */
  readonly #left = new Map<string, LeftKey>();

  constructor(database: DatabaseSync, checkpoints: Checkpoints, held: Held, keys: Keys, links: Links) {
    this.#held = held;
    this.#checkpoints = checkpoints;
    this.#keys = keys;
    this.#links = links;
    const reading = (sql: string) => {
      const statement = database.prepare(sql);
      statement.setReadBigInts(true); // Row versions have 64 bits.
      return statement;
    };
    this.#pending = reading(
      `SELECT seq, ${isRemoval}, version, payload IS NOT NULL AS has_content, generation, replay, begun
       FROM pending WHERE mapping = ? AND id = ?`,
    );
    this.#written = reading(
      `SELECT target_key, version, generation, seen, departed, ${holds} AS holds, ${claims} AS claims
       FROM written WHERE mapping = ? AND id = ?`,
    );
    this.#dead = reading("SELECT version, generation FROM dead WHERE mapping = ? AND id = ?");
    this.#counts = database.prepare("SELECT pending, dead, written FROM counters WHERE mapping = ?");
    this.#countRead = database.prepare("UPDATE counters SET read = read + ? WHERE mapping = ?");
    this.#insert = database.prepare(
      `INSERT INTO pending (mapping, id, operation, version, target_key, payload, generation, held, inferred, replay,
         listed, bulk, first_read_at, ready_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#replace = database.prepare(
      `UPDATE pending SET operation = ?, version = ?, target_key = ?, payload = ?, generation = ?, held = ?,
         inferred = ?, replay = max(replay, ?), listed = min(listed, ?), bulk = min(bulk, ?),
         ${unparking}, revision = revision + 1 WHERE seq = ?`,
    );
    this.#stamp = database.prepare(
      `UPDATE pending SET generation = ?, revision = revision + (replay < ?), replay = max(replay, ?) WHERE seq = ?`,
    );
    this.#drop = database.prepare("DELETE FROM pending WHERE seq = ?");
    this.#depart = database.prepare(
      `UPDATE written SET departed = ${departed.filter}, version = ? WHERE mapping = ? AND id = ?`,
    );
    this.#see = database.prepare("UPDATE written SET seen = ? WHERE mapping = ? AND id = ?");
    this.#bury = database.prepare(
      `INSERT INTO dead (mapping, id, version, generation, reason, message, refused_at) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET version = excluded.version, generation = excluded.generation,
         reason = excluded.reason, message = excluded.message, refused_at = excluded.refused_at`,
    );
    this.#seeDead = database.prepare("UPDATE dead SET generation = ? WHERE mapping = ? AND id = ?");
    this.#clearDead = database.prepare("DELETE FROM dead WHERE mapping = ? AND id = ?");
  }

  /**
   * @returns without `withheld` when more is to be let go than one transaction does. Of a round, the next round's end does
   * it if this one is interrupted; of a table, nothing would, so its checkpoint is to be put after that.
   */
  commit(page: PageCommit, now: number, wallNow: number): { readonly taken: number; readonly withheld?: number } {
    const { mapping } = page.checkpoint;
    const isMany = page.release !== undefined && this.#held.isMany(page);
    if (!isMany || page.stage === "Round") this.#checkpoints.put(page.checkpoint);
    const counts = this.#counts.get(mapping);
    const ask = { written: counts?.["written"] !== 0, dead: counts?.["dead"] !== 0 };
    const { replay, stage } = page;
    const reading = { generation: page.checkpoint.generation, replay, stage, goesOn: page.release === undefined };
    if (page.records.length > 0) this.#countRead.run(page.records.length, mapping);
    this.#left.clear();
    let taken = 0;
    for (const incoming of page.records) {
      const known = this.#knownOf(mapping, incoming.id, ask);
      const decision = coalesce(incoming, known, reading);
      this.#apply(decision, incoming, known, page, now, wallNow);
      if (decision.kind === "Bury") ask.dead = true;
      if (decision.kind === "Put" || decision.kind === "Bury") taken += 1;
    }
    // What else the page tells of those who may have a key next is known by now.
    for (const [id, key] of this.#left) this.#keys.passOn(mapping, id, key, now);
    return { taken, ...(isMany ? {} : { withheld: this.#held.letGo(page) }) };
  }

  #knownOf(mapping: string, id: string, ask: { written: boolean; dead: boolean }): Known {
    const pending = this.#pending.get(mapping, id);
    const written = ask.written ? this.#written.get(mapping, id) : undefined;
    const dead = ask.dead ? this.#dead.get(mapping, id) : undefined;
    return {
      ...(pending === undefined ? {} : pendingState(pending)),
      ...(written === undefined
        ? {}
        : {
            seen: Number(written["seen"]),
            ...(written["claims"] === 1n
              ? { key: { targetKey: String(written["target_key"] ?? id), wasHeld: written["holds"] === 1n } }
              : {}),
            written: {
              version: BigInt(written["version"] as bigint), // NOT NULL, read as a bigint.
              generation: Number(written["generation"]),
              left: written["departed"] !== 0n,
            },
          }),
      ...(dead === undefined ? {} : { dead: { ...version(dead), generation: Number(dead["generation"]) } }),
    };
  }

  #apply(decision: Decision, incoming: Incoming, known: Known, page: PageCommit, now: number, wallNow: number) {
    const { mapping, generation } = page.checkpoint;
    const { id } = incoming;
    if (incoming.kind !== "Delete" && known.seen !== undefined && known.seen < generation) {
      this.#see.run(generation, mapping, id);
    }
    if (decision.kind === "Keep") {
      const replay = page.replay ? 1 : 0;
      if (known.seq !== undefined) this.#stamp.run(generation, replay, replay, known.seq);
      if (known.dead !== undefined && incoming.kind !== "Delete") this.#seeDead.run(generation, mapping, id);
      return;
    }
    if (known.dead !== undefined && decision.kind !== "Bury") this.#clearDead.run(mapping, id);
    switch (decision.kind) {
      case "Put":
        this.#put(decision.row, incoming, known, page, now);
        return;
      case "Drop":
        if (known.seq !== undefined) this.#drop.run(known.seq);
        if (decision.left && known.written !== undefined && incoming.kind !== "Delete") {
          this.#depart.run(incoming.version, mapping, id);
          if (known.key !== undefined) this.#left.set(id, known.key);
        }
        this.#links.absent({ mapping, id }, incoming.kind === "Delete" ? "Gone" : "FilteredOut");
        return;
      case "Bury": {
        if (known.seq !== undefined) this.#drop.run(known.seq);
        const { reason, message } = decision.refusal;
        const version = incoming.kind === "Delete" ? null : incoming.version;
        this.#bury.run(mapping, id, version, generation, reason, message, wallNow);
        this.#links.refused({ mapping, id });
      }
    }
  }

  #put(row: PutRow, incoming: Incoming, known: Known, page: PageCommit, now: number): void {
    const { mapping, generation } = page.checkpoint;
    const content = row.withContent && incoming.kind === "Upsert" ? incoming.content : undefined;
    const operation = row.operation === "Delete" ? 1 : 0;
    const held = heldUntil[row.held ?? "none"];
    const inferred = operation; // The source has it still: that it is to go is our conclusion.
    const replay = page.replay ? 1 : 0;
    const listed = page.listed ? 1 : 0;
    const bulk = page.stage === "Snapshot" ? 1 : 0;
    const version = row.version ?? null;
    const key = content?.targetKey ?? null;
    const payload = content?.payload ?? null;
    if (known.seq !== undefined) {
      this.#replace.run(operation, version, key, payload, generation, held, inferred, replay, listed, bulk, known.seq);
      return;
    }
    const { id } = incoming;
    this.#insert.run(
      mapping,
      id,
      operation,
      version,
      key,
      payload,
      generation,
      held,
      inferred,
      replay,
      listed,
      bulk,
      now,
      now,
    );
  }
}

function pendingState(row: Row): Required<Pick<Known, "seq" | "pending">> {
  return {
    seq: row["seq"] as bigint, // The primary key, read as a bigint.
    pending: {
      operation: row["removal"] === 1n ? "Delete" : "Upsert",
      ...version(row),
      hasContent: row["has_content"] === 1n,
      generation: Number(row["generation"]),
      replay: row["replay"] === 1n,
      begun: row["begun"] === 1n,
    },
  };
}

function version(row: Row): { version?: bigint } {
  return typeof row["version"] === "bigint" ? { version: row["version"] } : {};
}
