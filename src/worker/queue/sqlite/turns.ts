import { randomInt } from "node:crypto";
import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import type { LeasedRecord, Settlement, WrittenRecord } from "../interface.ts";
import { heldUntil } from "./intake.ts";

type Row = Record<string, SQLOutputValue>;

const certainties = ["Known", "Unknown", "Inserting"] as const satisfies readonly WrittenRecord["certainty"][];

/**
 * The turns of records at the writer: leased, begun, settled. To be called within a transaction.
 *
 * `ready_at` is a row's place in the queue until it is leased; then it is the lease's end, or the time of the next try.
 */
export class Turns {
  readonly #fingerprint: (text: string) => string;
  readonly #lease;
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
  readonly #bury;
  readonly #clearDead;
  readonly #sent;

  constructor(database: DatabaseSync, fingerprint: (text: string) => string) {
    this.#fingerprint = fingerprint;
    this.#lease = database.prepare(
      `UPDATE pending SET ready_at = ?, token = ?, begun = 0 WHERE seq IN (
         SELECT seq FROM pending WHERE mapping = ? AND held = 0 AND ready_at <= ? ORDER BY ready_at, seq LIMIT ?)
       RETURNING seq, id, operation, version, target_key, payload, generation, inferred, replay, listed, attempts, revision, token`,
    );
    this.#lease.setReadBigInts(true); // Row versions have 64 bits.
    this.#written = database.prepare("SELECT * FROM written WHERE mapping = ? AND id = ?");
    this.#written.setReadBigInts(true);
    this.#listed = database.prepare("SELECT 1 FROM listed WHERE mapping = ? AND fingerprint = ?");
    this.#mine = database.prepare("SELECT revision, begun FROM pending WHERE seq = ? AND token = ?");
    this.#free = database.prepare("UPDATE pending SET token = NULL, begun = 0, ready_at = first_read_at WHERE seq = ?");
    this.#begin = database.prepare("UPDATE pending SET begun = 1, ready_at = ? WHERE seq = ?");
    this.#putWritten = database.prepare(
      `INSERT INTO written (mapping, id, target_key, certainty, hash, version, generation, seen, departed)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET target_key = excluded.target_key, certainty = excluded.certainty, hash = excluded.hash,
         version = excluded.version, generation = excluded.generation, seen = max(seen, excluded.seen),
         departed = excluded.departed`,
    );
    this.#dropWritten = database.prepare("DELETE FROM written WHERE mapping = ? AND id = ?");
    this.#depart = database.prepare("UPDATE written SET departed = 1, version = ? WHERE mapping = ? AND id = ?");
    this.#done = database.prepare("DELETE FROM pending WHERE seq = ?");
    this.#retry = database.prepare(
      "UPDATE pending SET token = NULL, begun = 0, ready_at = ?, attempts = attempts + ? WHERE seq = ?",
    );
    this.#attempt = database.prepare("UPDATE pending SET attempts = attempts + 1 WHERE seq = ?");
    this.#removeLater = database.prepare(
      `UPDATE pending SET operation = 1, version = ?, target_key = NULL, payload = NULL, inferred = 1,
         held = ${heldUntil.Round}, token = NULL, begun = 0, ready_at = first_read_at WHERE seq = ?`,
    );
    this.#bury = database.prepare(
      `INSERT INTO dead (mapping, id, version, generation, reason, message, refused_at) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET version = excluded.version, generation = excluded.generation,
         reason = excluded.reason, message = excluded.message, refused_at = excluded.refused_at`,
    );
    this.#clearDead = database.prepare("DELETE FROM dead WHERE mapping = ? AND id = ?");
    this.#sent = database.prepare("UPDATE counters SET last_written_at = ? WHERE mapping = ?");
  }

  lease(mapping: string, limit: number, leaseMs: number, now: number): LeasedRecord[] {
    const token = randomInt(2 ** 47);
    const rows = this.#lease.all(now + leaseMs, token, mapping, now, limit);
    return rows.map((row) => this.#leased(mapping, row)).sort((a, b) => a.ticket.seq - b.ticket.seq);
  }

  begin(record: LeasedRecord, written: WrittenRecord, leaseMs: number, now: number): boolean {
    const { seq, revision, token } = record.ticket;
    const row = this.#mine.get(seq, token);
    if (row === undefined) return false;
    if (row["revision"] !== revision && row["begun"] === 0) {
      this.#free.run(seq);
      return false;
    }
    this.#put(record, written);
    this.#begin.run(now + leaseMs, seq);
    return true;
  }

  settle(record: LeasedRecord, settlement: Settlement, now: number, wallNow: number): void {
    const { mapping, id, ticket } = record;
    const row = this.#mine.get(ticket.seq, ticket.token);
    if (row === undefined) return; // The lease is over, or the mapping was dropped: what is known stays as it is.
    const isNewest = row["revision"] === ticket.revision;
    const isBegun = row["begun"] === 1;
    switch (settlement.kind) {
      case "Written":
        this.#put(record, settlement.written);
        if (settlement.sent) this.#sent.run(wallNow, mapping);
        break;
      case "Removed":
        this.#dropWritten.run(mapping, id);
        if (settlement.sent) this.#sent.run(wallNow, mapping);
        break;
      case "Left":
        this.#depart.run(settlement.version, mapping, id);
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
      case "Dead":
        if (isBegun) this.#restore(record, settlement.before);
        if (isNewest) {
          const { reason, message } = settlement.refusal;
          const version = settlement.version ?? record.version ?? null;
          this.#bury.run(mapping, id, version, record.generation, reason, message, wallNow);
        }
        break;
    }
    if (!isNewest) {
      this.#free.run(ticket.seq);
      return;
    }
    this.#done.run(ticket.seq);
    if (settlement.kind !== "Dead") this.#clearDead.run(mapping, id);
  }

  giveBack({ ticket: { seq, token } }: LeasedRecord): void {
    if (this.#mine.get(seq, token) !== undefined) this.#free.run(seq);
  }

  #put({ mapping, id, generation }: LeasedRecord, written: WrittenRecord): void {
    this.#putWritten.run(
      mapping,
      id,
      written.targetKey === id ? null : written.targetKey,
      certainties.indexOf(written.certainty),
      written.hash ?? null,
      written.version,
      written.generation,
      generation,
      written.left ? 1 : 0,
    );
  }

  #restore(record: LeasedRecord, before: WrittenRecord | undefined): void {
    if (before === undefined) this.#dropWritten.run(record.mapping, record.id);
    else this.#put(record, before);
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
      operation: row["operation"] === 1n ? "Delete" : "Upsert",
      ...(hasContent ? { content: { targetKey, payload } } : {}),
      ...(typeof version === "bigint" ? { version } : {}),
      generation: Number(row["generation"]),
      inferred: row["inferred"] === 1n,
      replay: row["replay"] === 1n,
      attempts: Number(row["attempts"]),
      ...(written === undefined ? {} : { written: writtenOf(id, written) }),
      ...(isListed ? { listedThere: this.#listed.get(mapping, this.#fingerprint(targetKey)) !== undefined } : {}),
    };
  }
}

function writtenOf(id: string, row: Row): WrittenRecord {
  const { target_key: targetKey, hash } = row;
  return {
    targetKey: typeof targetKey === "string" ? targetKey : id,
    certainty: certainties[Number(row["certainty"])] ?? "Unknown",
    ...(typeof hash === "string" ? { hash } : {}),
    version: row["version"] as bigint, // NOT NULL, read as a bigint.
    generation: Number(row["generation"]),
    left: row["departed"] === 1n,
  };
}
