import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import type { Parent, ParentQuestion, ParentStanding } from "../interface.ts";
import { parentMissing, removedInCampaign, stillLinked } from "../reasons.ts";
import { departed, sharing } from "./keys.ts";

/** Values of `links.state`. */
const state = {
  linked: 0,
  owed: 1,
  waiting: 2,
  /** Campaign has the link until the record is written the next time, without it. */
  former: 3,
} as const;

/** Values of `link_news.kind`. */
const news = {
  /** Campaign has it, newly or anew. */
  landed: 0,
  /** Campaign no longer has it. */
  lost: 1,
  /** It will not be written, or nothing more is known of it: what waits is to ask again. */
  decided: 2,
} as const;
type News = (typeof news)[keyof typeof news];

/** Nobody leases a parked row: its place in the queue is behind all others, and comes back when it is unparked. */
export const parkedUntil = 2 ** 52;
const unparked = "ready_at = CASE parked WHEN 0 THEN ready_at ELSE first_read_at END, parked = 0";
/** Set on every row that the reader changes. */
export const unparking = unparked;

/** Whom a parked record waits for. */
export const awaitedParents = `SELECT parent_mapping, parent_id FROM links WHERE mapping = ? AND id = ? AND state = ${state.waiting}`;

const toldAtOnce = 300;

/** A table of which not everything was read yet: what is not known of it may still come. */
const isLoading = "delta_link IS NULL OR coalesce(snapshot_purpose, 'Replay') <> 'Replay'";

/**
 * Which records point at which. A parent's fate is noted in the transaction that decides it and told soon after, a part at
 * a time, to the records that asked for it before: they are due again, and ask again. Whoever asks later sees it in the
 * tables. So nobody waits for what has happened already. To be called within a transaction.
 */
export class Links {
  readonly #of;
  readonly #put;
  readonly #giveUp;
  readonly #dropFormer;
  readonly #dropAll;
  readonly #written;
  readonly #holder;
  readonly #pending;
  readonly #dead;
  readonly #absent;
  readonly #putAbsent;
  readonly #dropAbsent;
  readonly #dropAbsents;
  readonly #checkpoint;
  readonly #enqueue;
  readonly #cycle;
  readonly #hasChildren;
  readonly #sharing;
  readonly #announce;
  readonly #news;
  readonly #forgetNews;
  readonly #place;
  readonly #childrenOfOne;
  readonly #childrenOfAll;
  readonly #owe;
  readonly #touch;
  readonly #settled;
  readonly #clearDead;
  readonly #needed;
  readonly #moves;
  readonly #disturb;

  constructor(database: DatabaseSync) {
    this.#of = database.prepare("SELECT * FROM links WHERE mapping = ? AND id = ?");
    this.#put = database.prepare(
      `INSERT INTO links (parent_mapping, parent_id, mapping, id, state, mandatory) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET state = excluded.state, mandatory = excluded.mandatory`,
    );
    const one = "parent_mapping = ? AND parent_id = ? AND mapping = ? AND id = ?";
    this.#giveUp = database.prepare(`UPDATE links SET state = ${state.former} WHERE ${one}`);
    const drop = (which: string) =>
      database.prepare(
        `DELETE FROM links WHERE mapping = ? AND id = ? AND ${which} RETURNING parent_mapping, parent_id, mandatory`,
      );
    this.#dropFormer = drop(`state = ${state.former}`);
    this.#dropAll = drop("TRUE");
    this.#written = database.prepare(
      "SELECT target_key, certainty, departed FROM written WHERE mapping = ? AND id = ?",
    );
    this.#holder = database.prepare(
      `SELECT max(certainty < 2 AND departed <> ${departed.key}) AS known, max(certainty >= 2) AS unknown
       FROM written WHERE mapping = ?1 AND id IN (${sharing})`,
    );
    this.#pending = database.prepare("SELECT 1 FROM pending WHERE mapping = ? AND id = ?");
    this.#dead = database.prepare("SELECT reason FROM dead WHERE mapping = ? AND id = ?");
    this.#absent = database.prepare("SELECT why FROM absent WHERE mapping = ? AND id = ?");
    this.#putAbsent = database.prepare("INSERT OR REPLACE INTO absent (mapping, id, why) VALUES (?, ?, ?)");
    this.#dropAbsent = database.prepare("DELETE FROM absent WHERE mapping = ? AND id = ?");
    this.#dropAbsents = database.prepare("DELETE FROM absent WHERE mapping = ?");
    this.#checkpoint = database.prepare(`SELECT ${isLoading} AS loading FROM checkpoint WHERE mapping = ?`);
    this.#enqueue = database.prepare(
      `INSERT OR IGNORE INTO pending (mapping, id, operation, generation, first_read_at, ready_at)
       SELECT mapping, ?2, 0, generation, ?3, ?3 FROM checkpoint WHERE mapping = ?1`,
    );
    this.#cycle = database.prepare(
      `WITH RECURSIVE up (mapping, id) AS (
         VALUES (?1, ?2)
         UNION
         SELECT l.parent_mapping, l.parent_id FROM up
           JOIN pending p ON p.mapping = up.mapping AND p.id = up.id AND p.parked = 1
           JOIN links l ON l.mapping = up.mapping AND l.id = up.id AND l.state = ${state.waiting})
       SELECT 1 FROM up WHERE mapping = ?3 AND id = ?4`,
    );
    this.#hasChildren = database.prepare("SELECT 1 FROM links WHERE parent_mapping = ? AND parent_id = ? LIMIT 1");
    this.#sharing = database.prepare(sharing);
    this.#announce = database.prepare("INSERT INTO link_news (mapping, id, kind) VALUES (?, ?, ?)");
    this.#news = database.prepare("SELECT * FROM link_news ORDER BY seq LIMIT 1");
    this.#forgetNews = database.prepare("DELETE FROM link_news WHERE seq = ?");
    this.#place = database.prepare(
      "UPDATE link_news SET place_parent = ?, place_mapping = ?, place_id = ? WHERE seq = ?",
    );
    const children = (ofWhich: string) =>
      database.prepare(
        `SELECT * FROM links WHERE parent_mapping = ?1 AND ${ofWhich}
         ORDER BY parent_id, mapping, id LIMIT ${toldAtOnce}`,
      );
    this.#childrenOfOne = children("parent_id = ?2 AND (mapping, id) > (?4, ?5) AND ?3 IS NOT NULL");
    this.#childrenOfAll = children("?2 IS NULL AND (parent_id, mapping, id) > (?3, ?4, ?5)");
    this.#owe = database.prepare(`UPDATE links SET state = ${state.owed} WHERE ${one}`);
    this.#touch = database.prepare(
      `UPDATE pending SET ${unparked}, revision = revision + 1 WHERE mapping = ? AND id = ?`,
    );
    this.#settled = database.prepare(`UPDATE links SET state = ${state.linked} WHERE ${one} AND state = ${state.owed}`);
    this.#needed = database.prepare(
      `SELECT 1 FROM links l JOIN written w ON w.mapping = l.mapping AND w.id = l.id
       WHERE l.parent_mapping = ?1 AND l.parent_id = ?2 AND l.mandatory = 1 AND NOT (l.mapping = ?1 AND l.id = ?2)
       LIMIT 1`,
    );
    this.#moves = database.prepare(
      `SELECT 1 FROM links l JOIN pending p ON p.mapping = l.mapping AND p.id = l.id AND p.parked = 0
       WHERE l.parent_mapping = ?1 AND l.parent_id = ?2 AND l.mandatory = 1 AND NOT (l.mapping = ?1 AND l.id = ?2)
       LIMIT 1`,
    );
    this.#disturb = database.prepare(
      `UPDATE pending SET revision = revision + 1 WHERE (mapping, id) IN
         (SELECT mapping, id FROM links WHERE parent_mapping = ? AND parent_id = ? AND mandatory = 1)`,
    );
    this.#clearDead = database.prepare("DELETE FROM dead WHERE mapping = ? AND id = ? AND reason = ?");
  }

  /** See Queue.askParents. */
  ask(child: Parent, questions: readonly ParentQuestion[], now: number): readonly ParentStanding[] {
    const before = new Map(this.#of.all(child.mapping, child.id).map((row) => [placeOf(row), linkOf(row)]));
    const after = new Map<string, Link>();
    const standings = questions.map((question) => {
      const { mapping, id, isMandatory, onlyIfOwed } = question;
      const place = placeOf({ parent_mapping: mapping, parent_id: id });
      const had = before.get(place);
      if (onlyIfOwed && had === undefined) return this.#standing(question, false);
      const standing = this.#standing(question, had?.state === state.owed || had?.state === state.former);
      const next = standing.kind !== "There" && isMandatory ? state.waiting : stateOf(standing);
      const other = after.get(place) ?? { state: 0, mandatory: 0 };
      after.set(place, {
        state: Math.max(next, other.state),
        // What is not sent stays as it is in Campaign.
        mandatory: Math.max(onlyIfOwed ? (had?.mandatory ?? 0) : Number(isMandatory), other.mandatory),
      });
      return standing;
    });
    for (const [place, next] of after) {
      const had = before.get(place);
      if (had?.state === next.state && had.mandatory === next.mandatory) continue;
      const [parentMapping, parentId] = parentOf(place);
      this.#put.run(parentMapping, parentId, child.mapping, child.id, next.state, next.mandatory);
      if (had?.mandatory === 1 && next.mandatory === 0) this.#release(parentMapping, parentId, now);
    }
    const isAllSent = questions.every(({ onlyIfOwed }) => !onlyIfOwed);
    for (const place of before.keys()) {
      if (isAllSent && !after.has(place)) this.#giveUp.run(...parentOf(place), child.mapping, child.id);
    }
    return standings.map((standing, index) => this.#awaited(child, questions[index], standing, now));
  }

  /** Whether a record that is about to wait would wait for itself. */
  isInCycle({ mapping, id }: Parent): boolean {
    return this.#of.all(mapping, id).some((row) => {
      const [parentMapping, parentId] = parentOf(placeOf(row));
      return Number(row["state"]) === state.waiting && this.#leadsTo(parentMapping, parentId, mapping, id);
    });
  }

  /** It was written with links to these, and nothing happened to it or to them meanwhile. */
  linked({ mapping, id }: Parent, parents: readonly Parent[], now: number): void {
    for (const parent of parents) this.#settled.run(parent.mapping, parent.id, mapping, id);
    this.#released(this.#dropFormer.all(mapping, id), now);
  }

  /** It points at nothing any more. */
  forget({ mapping, id }: Parent, now: number): void {
    this.#released(this.#dropAll.all(mapping, id), now);
  }

  /**
   * Whether a record is not to be deleted: Campaign would hide those that have mandatory links to it, and nobody could
   * reach them again. `ForNow`: one of them waits for its turn. If it may be deleted, nobody links to it meanwhile.
   */
  isNeeded({ mapping, id }: Parent): "No" | "ForNow" | "Yes" {
    if (this.#needed.get(mapping, id) !== undefined) {
      return this.#moves.get(mapping, id) === undefined ? "Yes" : "ForNow";
    }
    this.#disturb.run(mapping, id);
    return "No";
  }

  /** Campaign has a record that it did not have, or has it anew: so for every row with that key. */
  landed({ mapping, id }: Parent, targetKey: string): void {
    this.#dropAbsent.run(mapping, id);
    const ids = new Set([id, ...this.#sharing.all(mapping, targetKey).map((row) => String(row["id"]))]);
    for (const one of ids) this.#tell(mapping, one, news.landed);
  }

  /** A deletion that was begun was not done: it is there as before. */
  stays({ mapping, id }: Parent): void {
    this.#tell(mapping, id, news.decided);
  }

  lost({ mapping, id }: Parent): void {
    this.#tell(mapping, id, news.lost);
  }

  refused({ mapping, id }: Parent): void {
    this.#dropAbsent.run(mapping, id);
    this.#tell(mapping, id, news.decided);
  }

  absent({ mapping, id }: Parent, why: "Gone" | "FilteredOut"): void {
    if (this.#tell(mapping, id, news.decided)) this.#putAbsent.run(mapping, id, why);
  }

  isLoading(mapping: string): boolean {
    return this.#checkpoint.get(mapping)?.["loading"] === 1;
  }

  /** A table is read from its beginning: what was absent may not be. Or it was read: what it does not have will not come. */
  loads(mapping: string, begins: boolean): void {
    if (begins) this.#dropAbsents.run(mapping);
    else this.#announce.run(mapping, null, news.decided);
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
    const statement = id === null ? this.#childrenOfAll : this.#childrenOfOne;
    const children = statement.all(mapping ?? "", id ?? null, parent ?? "", place ?? "", last ?? "");
    for (const child of children) {
      this.#hear(String(child["mapping"]), String(child["id"]), Number(child["state"]), Number(kind) as News, now);
      if (kind === news.decided || child["state"] === state.former) continue;
      this.#owe.run(String(mapping), String(child["parent_id"]), String(child["mapping"]), String(child["id"]));
    }
    const end = children.at(-1);
    if (end === undefined || children.length < toldAtOnce) this.#forgetNews.run(seq ?? null);
    else this.#place.run(end["parent_id"] ?? "", end["mapping"] ?? "", end["id"] ?? "", seq ?? null);
    return children.length;
  }

  /** What is deleted as soon as nothing needs it is tried again. */
  #released(links: readonly Row[], now: number): void {
    for (const { parent_mapping: mapping, parent_id: id, mandatory } of links) {
      if (mandatory === 1) this.#release(String(mapping), String(id), now);
    }
  }

  #release(mapping: string, id: string, now: number): void {
    if (this.#clearDead.run(mapping, id, stillLinked).changes > 0) this.#enqueue.run(mapping, id, now);
  }

  #hear(mapping: string, id: string, was: number, kind: News, now: number): void {
    if (was === state.former) return; // It is on its way to others.
    if (kind !== news.landed && was === state.owed) return; // It was written without.
    if (kind === news.decided && was !== state.waiting) return;
    if (this.#touch.run(mapping, id).changes > 0) return;
    if (kind === news.decided) return; // It does not wait.
    const reason = this.#dead.get(mapping, id)?.["reason"];
    if (reason !== undefined && reason !== parentMissing) return; // It asks when it is mended.
    if (reason !== undefined && kind === news.landed) this.#clearDead.run(mapping, id, parentMissing);
    if (reason === undefined || kind === news.landed) this.#enqueue.run(mapping, id, now);
  }

  #standing({ mapping, id }: ParentQuestion, isOwed: boolean): ParentStanding {
    const written = this.#written.get(mapping, id);
    const isPending = this.#pending.get(mapping, id) !== undefined;
    const reason = isPending ? undefined : this.#dead.get(mapping, id)?.["reason"];
    const isRemoved = reason === removedInCampaign;
    if (written !== undefined && Number(written["certainty"]) < 2 && !isRemoved) {
      const targetKey = String(written["target_key"] ?? id);
      if (written["departed"] !== departed.key) return { kind: "There", targetKey, isOwed };
      const holder = this.#holder.get(mapping, targetKey);
      if (holder?.["known"] === 1 || holder?.["unknown"] !== 1) return { kind: "There", targetKey, isOwed };
      return { kind: "Awaited" };
    }
    if (isPending) return { kind: "Awaited" };
    if (typeof reason === "string") return { kind: "Absent", why: "Refused", reason };
    const why = this.#absent.get(mapping, id)?.["why"];
    if (why === "Gone" || why === "FilteredOut") return { kind: "Absent", why };
    return { kind: "Awaited" };
  }

  /** What is waited for must be on its way, and not wait in its turn for the one who asks. */
  #awaited(child: Parent, question: ParentQuestion | undefined, standing: ParentStanding, now: number): ParentStanding {
    if (standing.kind !== "Awaited" || !question?.isMandatory) return standing;
    const { mapping, id } = question;
    if (this.#leadsTo(mapping, id, child.mapping, child.id)) return { kind: "Absent", why: "Cycle" };
    // Nobody knows of it: it is read, and what is found decides.
    if (!this.isLoading(mapping)) this.#enqueue.run(mapping, id, now);
    return standing;
  }

  #leadsTo(fromMapping: string, fromId: string, mapping: string, id: string): boolean {
    return this.#cycle.get(fromMapping, fromId, mapping, id) !== undefined;
  }

  /** @returns whether anything points at it */
  #tell(mapping: string, id: string, kind: News): boolean {
    if (this.#hasChildren.get(mapping, id) === undefined) return false;
    this.#announce.run(mapping, id, kind);
    return true;
  }
}

/** Of a standing that does not keep the record from being written. */
function stateOf(standing: ParentStanding): number {
  return standing.kind === "There" && !standing.isOwed ? state.linked : state.owed;
}

type Row = Readonly<Record<string, unknown>>;

interface Link {
  readonly state: number;
  readonly mandatory: number;
}

function linkOf(row: Row): Link {
  return { state: Number(row["state"]), mandatory: Number(row["mandatory"]) };
}

function placeOf(row: Row): string {
  return `${String(row["parent_mapping"])} ${String(row["parent_id"])}`;
}

/** Names of tables have no blanks. */
function parentOf(place: string): [mapping: string, id: string] {
  const blank = place.indexOf(" ");
  return [place.slice(0, blank), place.slice(blank + 1)];
}
