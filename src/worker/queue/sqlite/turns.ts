import { randomInt } from "node:crypto";
import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import type { LeasedRecord, Leave, ParentQuestion, ParentStanding, Settlement, WrittenRecord } from "../turn.ts";
import { heldUntil } from "./held.ts";
import { isRemoval } from "./intake.ts";
import { claims, departed, holds, type Keys } from "./keys.ts";
import { parkedUntil } from "./link-news.ts";
import type { Links } from "./links.ts";

type Row = Record<string, SQLOutputValue>;

/** By their values in the table; older programs take what they do not know for `Unknown`. */
const certainties = ["Known", "Unknown", "Inserting", "Removing"] as const satisfies WrittenRecord["certainty"][];
const lefts = [false, "Filter", "Key"] as const satisfies WrittenRecord["left"][];

/** Beyond so many, what waits for another record is kept by its key alone, so that the store stays small. */
const parkedWithContent = 50_000;

/**
 * The turns of records at the writer: leased, begun, settled. To be called within a transaction.
 *
 * `ready_at` is a row's place in the queue until it is leased; then it is the lease's end, or the time of the next try.
 */
export class Turns {
  readonly #fingerprint: (text: string) => string;
  readonly #keys: Keys;
  readonly #links: Links;
  readonly #leaseChanged;
  readonly #leaseBulk;
  readonly #leaseAgain;
  readonly #written;
  readonly #listed;
  readonly #mine;
  readonly #free;
  readonly #begin;
  readonly #putWritten;
  readonly #dropWritten;
  readonly #depart;
  readonly #done;
  readonly #retry;
  readonly #attempt;
  readonly #removeLater;
  readonly #park;
  readonly #dropContent;
  readonly #parked;
  readonly #bury;
  readonly #clearDead;
  readonly #sent;

  constructor(database: DatabaseSync, keys: Keys, links: Links, fingerprint: (text: string) => string) {
    this.#fingerprint = fingerprint;
    this.#keys = keys;
    this.#links = links;
    const leasing = (attempts: string) => {
      const statement = database.prepare(
        `UPDATE pending SET ready_at = ?, token = ?, begun = 0 WHERE seq IN (
           SELECT seq FROM pending WHERE mapping = ? AND held = 0 AND ${attempts} AND ready_at <= ?
           ORDER BY ready_at, seq LIMIT ?)
         RETURNING seq, id, ${isRemoval}, version, target_key, payload, generation, replay, listed, attempts, revision, token`,
      );
      statement.setReadBigInts(true); // Row versions have 64 bits.
      return statement;
    };
    this.#leaseChanged = leasing("attempts = 0 AND bulk = 0");
    this.#leaseBulk = leasing("attempts = 0 AND bulk = 1");
    this.#leaseAgain = leasing("attempts > 0");
    this.#written = database.prepare(
      `SELECT *, ${holds} AS holds, ${claims} AS claims FROM written WHERE mapping = ? AND id = ?`,
    );
    this.#written.setReadBigInts(true);
    this.#listed = database.prepare("SELECT 1 FROM listed WHERE mapping = ? AND fingerprint = ?");
    this.#mine = database.prepare("SELECT revision, begun FROM pending WHERE seq = ? AND token = ?");
    this.#free = database.prepare("UPDATE pending SET token = NULL, begun = 0, ready_at = first_read_at WHERE seq = ?");
    this.#begin = database.prepare("UPDATE pending SET begun = 1, ready_at = ? WHERE seq = ?");
    this.#putWritten = database.prepare(
      `INSERT INTO written (mapping, id, target_key, certainty, hash, checked, version, generation, seen, departed, written_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET target_key = excluded.target_key, certainty = excluded.certainty, hash = excluded.hash,
         checked = excluded.checked,
         version = excluded.version, generation = excluded.generation, seen = max(seen, excluded.seen),
         departed = excluded.departed, written_at = coalesce(excluded.written_at, written_at)`,
    );
    this.#dropWritten = database.prepare("DELETE FROM written WHERE mapping = ? AND id = ?");
    this.#depart = database.prepare(
      `UPDATE written SET departed = ${departed.filter}, version = ? WHERE mapping = ? AND id = ?`,
    );
    this.#done = database.prepare("DELETE FROM pending WHERE seq = ?");
    this.#retry = database.prepare(
      "UPDATE pending SET token = NULL, begun = 0, ready_at = ?, attempts = attempts + ? WHERE seq = ?",
    );
    this.#attempt = database.prepare("UPDATE pending SET attempts = attempts + 1 WHERE seq = ?");
    this.#removeLater = database.prepare(
      `UPDATE pending SET operation = 1, version = ?, target_key = NULL, payload = NULL, inferred = 1,
         held = ${heldUntil.Round}, token = NULL, begun = 0, ready_at = first_read_at WHERE seq = ?`,
    );
    this.#park = database.prepare("UPDATE pending SET parked = 1, token = NULL, begun = 0, ready_at = ? WHERE seq = ?");
    this.#dropContent = database.prepare("UPDATE pending SET target_key = NULL, payload = NULL WHERE seq = ?");
    this.#parked = database.prepare("SELECT parked FROM counters WHERE mapping = ?");
    this.#bury = database.prepare(
      `INSERT INTO dead (mapping, id, version, generation, reason, message, refused_at) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET version = excluded.version, generation = excluded.generation,
         reason = excluded.reason, message = excluded.message, refused_at = excluded.refused_at`,
    );
    this.#clearDead = database.prepare("DELETE FROM dead WHERE mapping = ? AND id = ?");
    this.#sent = database.prepare("UPDATE counters SET last_written_at = ?, sent = sent + 1 WHERE mapping = ?");
  }

  lease(mapping: string, limit: number, leaseMs: number, now: number): LeasedRecord[] {
    const token = randomInt(2 ** 47);
    const take = (statement: StatementSync, most: number) =>
      most <= 0
        ? []
        : statement
            .all(now + leaseMs, token, mapping, now, most)
            .map((row) => this.#leased(mapping, row))
            .sort((a, b) => a.ticket.seq - b.ticket.seq);
    // What changed is before what was read with its whole table, and that before what is tried again. But for one place
    // each: endless work of one kind does not shut the others out.
    const again = limit > 1 ? take(this.#leaseAgain, 1) : [];
    const left = limit - again.length;
    const kept = limit > 2 ? 1 : 0;
    const leased = take(this.#leaseChanged, left - kept);
    const isFull = leased.length === left - kept;
    const bulk = take(this.#leaseBulk, left - leased.length);
    if (isFull) leased.push(...take(this.#leaseChanged, left - leased.length - bulk.length));
    leased.push(...bulk, ...again);
    leased.push(...take(this.#leaseAgain, limit - leased.length));
    return leased;
  }

  begin(record: LeasedRecord, written: WrittenRecord, leaseMs: number, now: number): Leave {
    const { mapping, id, ticket } = record;
    const row = this.#mine.get(ticket.seq, ticket.token);
    if (row === undefined) return "Superseded";
    if (row["revision"] !== ticket.revision && row["begun"] === 0) {
      this.#free.run(ticket.seq);
      return "Superseded";
    }
    const { others, isBusy, isWanted, holder } = this.#keys.standing(mapping, id, written.targetKey);
    if (isBusy) return "KeyBusy";
    if (written.certainty === "Removing") {
      if (isWanted || this.#links.isNeededBeside(record, written.targetKey)) {
        this.#leaveKey(mapping, id, undefined, false, now);
        this.#dropWritten.run(mapping, id);
        return "KeyTaken";
      }
      const needed = this.#links.isNeeded(record);
      if (needed !== "No") return needed === "Yes" ? "StillLinked" : "LinkedForNow";
    } else {
      this.#leaveKey(mapping, id, written.targetKey, row["begun"] === 1, now);
      if (holder !== undefined && holder > written.version) {
        const { hash: _, ...rest } = written;
        this.#put(record, { ...rest, certainty: "Known", left: "Key" });
        return "KeyTaken";
      }
      if (others > 0) this.#keys.take(mapping, id, written.targetKey);
    }
    this.#put(record, written);
    this.#begin.run(now + leaseMs, ticket.seq);
    return others > 0 ? "BegunBeside" : "Begun";
  }

  settle(record: LeasedRecord, settlement: Settlement, now: number, wallNow: number): void {
    const { mapping, id, ticket } = record;
    const row = this.#mine.get(ticket.seq, ticket.token);
    if (row === undefined) return; // The lease is over, or the mapping was dropped: what is known stays as it is.
    const isNewest = row["revision"] === ticket.revision;
    const isBegun = row["begun"] === 1;
    switch (settlement.kind) {
      case "Written":
        if (!isBegun && this.#wasTaken(record, settlement.written)) {
          this.#free.run(ticket.seq);
          return;
        }
        this.#tellLanding(record, settlement.written);
        this.#put(record, settlement.written, settlement.sent ? wallNow : null);
        if (isNewest) this.#links.linked(record, settlement.linked, now);
        if (settlement.sent) this.#sent.run(wallNow, mapping);
        break;
      case "Removed":
        this.#leaveKey(mapping, id, undefined, settlement.sent, now);
        this.#links.lost(record);
        this.#dropWritten.run(mapping, id);
        if (isNewest) {
          this.#links.forget(record, now);
          this.#links.absent(record, "Gone");
        }
        if (settlement.sent) this.#sent.run(wallNow, mapping);
        break;
      case "Left":
        this.#leaveKey(mapping, id, undefined, false, now);
        this.#depart.run(settlement.version, mapping, id);
        if (isNewest) this.#links.absent(record, "FilteredOut");
        break;
      case "RemoveLater":
        if (isNewest) this.#removeLater.run(settlement.version, ticket.seq);
        else this.#free.run(ticket.seq);
        return;
      case "Retry":
        if (isBegun) this.#restore(record, settlement.before);
        this.#retry.run(now + settlement.afterMs, settlement.counts ? 1 : 0, ticket.seq);
        return;
      case "Unknown":
        this.#attempt.run(ticket.seq);
        return;
      case "Park":
        // If it would wait for itself it is due at once, and is told so when it asks again.
        if (isNewest && !this.#links.isInCycle(record)) this.#wait(record, ticket.seq);
        else this.#free.run(ticket.seq);
        return;
      case "Dead":
        if (isBegun) this.#restore(record, settlement.before);
        if (isNewest) {
          const { reason, message } = settlement.refusal;
          const version = settlement.version ?? record.version ?? null;
          this.#bury.run(mapping, id, version, record.generation, reason, message, wallNow);
          this.#links.refused(record);
        }
        if (this.#written.get(mapping, id) === undefined) this.#links.lost(record);
        break;
    }
    if (!isNewest) {
      this.#free.run(ticket.seq);
      return;
    }
    this.#done.run(ticket.seq);
    if (settlement.kind !== "Dead") this.#clearDead.run(mapping, id);
  }

  /** A call has changed something, which nothing is remembered of. */
  sent(mapping: string, wallNow: number): void {
    this.#sent.run(wallNow, mapping);
  }

  /** See Queue.askParents. A turn that lost its lease has nothing to say any more. */
  askParents(record: LeasedRecord, questions: readonly ParentQuestion[], now: number): readonly ParentStanding[] {
    if (this.#mine.get(record.ticket.seq, record.ticket.token) === undefined) {
      return questions.map(() => ({ kind: "Awaited" }));
    }
    return this.#links.ask(record, questions, now);
  }

  giveBack({ ticket: { seq, token } }: LeasedRecord): void {
    if (this.#mine.get(seq, token) !== undefined) this.#free.run(seq);
  }

  #put({ mapping, id, generation }: LeasedRecord, written: WrittenRecord, writtenAt: number | null = null): void {
    this.#putWritten.run(
      mapping,
      id,
      written.targetKey === id ? null : written.targetKey,
      certainties.indexOf(written.certainty),
      written.hash ?? null,
      written.checked ?? null,
      written.version,
      written.generation,
      generation,
      lefts.indexOf(written.left),
      writtenAt,
    );
  }

  #wait({ mapping }: LeasedRecord, seq: number): void {
    this.#park.run(parkedUntil, seq);
    if (Number(this.#parked.get(mapping)?.["parked"]) > parkedWithContent) this.#dropContent.run(seq);
  }

  /** Of a write that follows another of the same record, nobody wants to know. */
  #tellLanding(record: LeasedRecord, { targetKey, left }: WrittenRecord): void {
    const { mapping, id } = record;
    const row = this.#written.get(mapping, id);
    const wasThere = row !== undefined && (row["certainty"] === 0n || row["certainty"] === 1n);
    if (wasThere && String(row["target_key"] ?? id) === targetKey && left !== "Key") return;
    this.#links.landed(record, targetKey);
  }

  /** The row's written key is no longer its own, or another; `isRemoved`: and the key's record was removed. */
  #leaveKey(mapping: string, id: string, next: string | undefined, isRemoved: boolean, now: number): void {
    const row = this.#written.get(mapping, id);
    if (row === undefined) return;
    const key = String(row["target_key"] ?? id);
    if (key === next) return;
    if (isRemoved) this.#keys.gone(mapping, key);
    else if (row["claims"] === 1n) {
      this.#keys.passOn(mapping, id, { targetKey: key, wasHeld: row["holds"] === 1n }, now);
    }
  }

  /** Whether a newer row took the key while this one was found to need no call. */
  #wasTaken({ mapping, id }: LeasedRecord, { left }: WrittenRecord): boolean {
    return left === false && this.#written.get(mapping, id)?.["departed"] === BigInt(departed.key);
  }

  /** A call that was begun was not done. */
  #restore(record: LeasedRecord, before: WrittenRecord | undefined): void {
    const { mapping, id } = record;
    const begun = this.#written.get(mapping, id);
    if (before === undefined) this.#dropWritten.run(mapping, id);
    else this.#put(record, before);
    if (begun === undefined || !isUnsure(begun["certainty"])) return;
    // Whoever asked meanwhile was told that it may come or go.
    if (before === undefined || !isUnsure(certainties.indexOf(before.certainty))) {
      this.#links.stays(mapping, String(begun["target_key"] ?? id));
    }
  }

  #leased(mapping: string, row: Row): LeasedRecord {
    const id = String(row["id"]);
    const { target_key: targetKey, payload, version } = row;
    const written = this.#written.get(mapping, id);
    const hasContent = typeof targetKey === "string" && typeof payload === "string";
    const isListed = row["listed"] === 1n && hasContent && written === undefined;
    return {
      mapping,
      id,
      ticket: { seq: Number(row["seq"]), revision: Number(row["revision"]), token: Number(row["token"]) },
      operation: row["removal"] === 1n ? "Delete" : "Upsert",
      ...(hasContent ? { content: { targetKey, payload } } : {}),
      ...(typeof version === "bigint" ? { version } : {}),
      generation: Number(row["generation"]),
      replay: row["replay"] === 1n,
      attempts: Number(row["attempts"]),
      ...(written === undefined ? {} : { written: writtenOf(id, written) }),
      ...(isListed ? { listedThere: this.#listed.get(mapping, this.#fingerprint(targetKey)) !== undefined } : {}),
    };
  }
}

/** Whether nobody knows if Campaign has the record. */
function isUnsure(certainty: SQLOutputValue | undefined): boolean {
  return Number(certainty) >= certainties.indexOf("Inserting");
}

export function writtenOf(id: string, row: Row): WrittenRecord {
  const { target_key: targetKey, hash, checked } = row;
  return {
    targetKey: typeof targetKey === "string" ? targetKey : id,
    certainty: certainties[Number(row["certainty"])] ?? "Unknown",
    ...(typeof hash === "string" ? { hash } : {}),
    ...(typeof checked === "bigint" ? { checked: Number(checked) } : {}),
    version: row["version"] as bigint, // NOT NULL, read as a bigint.
    generation: Number(row["generation"]),
    left: lefts[Number(row["departed"])] ?? false,
  };
}
