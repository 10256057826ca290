import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { parentMissing, stillLinked } from "../reasons.ts";

/** Values of `links.state`. */
export const state = {
  linked: 0,
  owed: 1,
  waiting: 2,
  /** Campaign has the link until the record is written the next time, without it. */
  former: 3,
} as const;

/** Values of `link_news.kind`. */
export const news = {
  /** Campaign has it, newly or anew. */
  landed: 0,
  /** Campaign no longer has it. */
  lost: 1,
  /** It will not be written, or nothing more is known of it: what waits is to ask again. */
  decided: 2,
  /** Campaign has it still, which was not sure for a while: what was written without it then is owed the link. */
  kept: 3,
} as const;
type News = (typeof news)[keyof typeof news];

/** Nobody leases a parked row: its place in the queue is behind all others, and comes back when it is unparked. */
export const parkedUntil = 2 ** 52;
/** Sets a row free that is parked; to be done to every row that changes. */
export const unparking = "ready_at = CASE parked WHEN 0 THEN ready_at ELSE first_read_at END, parked = 0";

/** Whom a parked record waits for. */
export const awaitedParents = `SELECT parent_mapping, parent_id FROM links WHERE mapping = ? AND id = ? AND state = ${state.waiting}`;

const toldAtOnce = 300;

/**
 * What happened to parents, told to the records that point at them, a part at a time. To be called within a transaction.
 */
export class LinkNews {
  readonly #hasChildren;
  readonly #announce;
  readonly #news;
  readonly #forgetNews;
  readonly #place;
  readonly #childrenOfOne;
  readonly #waitingOfOne;
  readonly #owedOfOne;
  readonly #waitingOfAll;
  readonly #isPending;
  readonly #owe;
  readonly #touch;
  readonly #dead;
  readonly #clearDead;
  readonly #enqueue;

  constructor(database: DatabaseSync) {
    this.#hasChildren = database.prepare("SELECT 1 FROM links WHERE parent_mapping = ? AND parent_id = ? LIMIT 1");
    this.#announce = database.prepare("INSERT INTO link_news (mapping, id, kind) VALUES (?, ?, ?)");
    this.#news = database.prepare("SELECT * FROM link_news ORDER BY seq LIMIT 1");
    this.#forgetNews = database.prepare("DELETE FROM link_news WHERE seq = ?");
    this.#place = database.prepare(
      "UPDATE link_news SET place_parent = ?, place_mapping = ?, place_id = ? WHERE seq = ?",
    );
    const children = (from: string, ofWhich: string) =>
      database.prepare(
        `SELECT * FROM ${from} AND parent_mapping = ?1 AND ${ofWhich}
         ORDER BY parent_id, mapping, id LIMIT ${toldAtOnce}`,
      );
    // A popular parent has millions of children, of which few wait or are owed a link.
    const waiting = `links INDEXED BY links_waiting WHERE state = ${state.waiting}`;
    const owed = `links INDEXED BY links_owed WHERE state = ${state.owed}`;
    const ofOne = "parent_id = ?2 AND (mapping, id) > (?4, ?5) AND ?3 IS NOT NULL";
    this.#childrenOfOne = children("links WHERE TRUE", ofOne);
    this.#waitingOfOne = children(waiting, ofOne);
    this.#owedOfOne = children(owed, ofOne);
    this.#waitingOfAll = children(waiting, "?2 IS NULL AND (parent_id, mapping, id) > (?3, ?4, ?5)");
    this.#isPending = database.prepare("SELECT 1 FROM pending WHERE mapping = ? AND id = ?");
    this.#owe = database.prepare(
      `UPDATE links SET state = ${state.owed} WHERE parent_mapping = ? AND parent_id = ? AND mapping = ? AND id = ?`,
    );
    this.#touch = database.prepare(
      `UPDATE pending SET ${unparking}, revision = revision + 1 WHERE mapping = ? AND id = ?`,
    );
    this.#dead = database.prepare("SELECT reason FROM dead WHERE mapping = ? AND id = ?");
    this.#clearDead = database.prepare("DELETE FROM dead WHERE mapping = ? AND id = ? AND reason = ?");
    this.#enqueue = database.prepare(
      `INSERT OR IGNORE INTO pending (mapping, id, operation, generation, first_read_at, ready_at)
       SELECT mapping, ?2, 0, generation, ?3, ?3 FROM checkpoint WHERE mapping = ?1`,
    );
  }

  /** @returns whether anything points at it */
  tell(mapping: string, id: string, kind: News): boolean {
    if (this.#hasChildren.get(mapping, id) === undefined) return false;
    this.#announce.run(mapping, id, kind);
    return true;
  }

  /** To all whose parents are of the mapping. */
  tellAll(mapping: string): void {
    this.#announce.run(mapping, null, news.decided);
  }

  /** Tells the oldest news to those whom it concerns, up to so many of them. */
  proceed(now: number): void {
    for (let left = toldAtOnce; left > 0; ) {
      const row = this.#news.get();
      if (row === undefined) return;
      left -= 1 + this.#proceed(row, now);
    }
  }

  /** @returns how many were told */
  #proceed(row: Record<string, SQLOutputValue>, now: number): number {
    const { seq, mapping, id, kind, place_parent: parent, place_mapping: place, place_id: last } = row;
    const statement = id === null ? this.#waitingOfAll : this.#ofOne(Number(kind) as News);
    const children = statement.all(mapping ?? "", id ?? null, parent ?? "", place ?? "", last ?? "");
    for (const child of children) {
      // That parent's own end will be told.
      if (id === null && this.#isPending.get(mapping ?? "", child["parent_id"] ?? "") !== undefined) continue;
      this.#hear(String(child["mapping"]), String(child["id"]), Number(child["state"]), Number(kind) as News, now);
      if (kind === news.decided || child["state"] === state.former) continue;
      this.#owe.run(String(mapping), String(child["parent_id"]), String(child["mapping"]), String(child["id"]));
    }
    const end = children.at(-1);
    if (end === undefined || children.length < toldAtOnce) this.#forgetNews.run(seq ?? null);
    else this.#place.run(end["parent_id"] ?? "", end["mapping"] ?? "", end["id"] ?? "", seq ?? null);
    return children.length;
  }

  /** A record is to be read again at its turn, if it does not wait already. */
  enqueue(mapping: string, id: string, now: number): void {
    this.#enqueue.run(mapping, id, now);
  }

  /** What is deleted as soon as nothing needs it is tried again. */
  release(mapping: string, id: string, now: number): void {
    if (this.#clearDead.run(mapping, id, stillLinked).changes > 0) this.#enqueue.run(mapping, id, now);
  }

  #ofOne(kind: News) {
    switch (kind) {
      case news.landed:
      case news.lost:
        return this.#childrenOfOne;
      case news.decided:
        return this.#waitingOfOne;
      case news.kept:
        return this.#owedOfOne;
    }
  }

  #hear(mapping: string, id: string, was: number, kind: News, now: number): void {
    const isThere = kind === news.landed || kind === news.kept;
    if (was === state.former) return; // It is on its way to others.
    if (!isThere && was === state.owed) return; // It was written without.
    if (kind === news.decided && was !== state.waiting) return;
    if (this.#touch.run(mapping, id).changes > 0) return;
    if (kind === news.decided) return; // It does not wait.
    const reason = this.#dead.get(mapping, id)?.["reason"];
    if (reason !== undefined && reason !== parentMissing) return; // It asks when it is mended.
    if (reason !== undefined && isThere) this.#clearDead.run(mapping, id, parentMissing);
    if (reason === undefined || isThere) this.#enqueue.run(mapping, id, now);
  }
}
