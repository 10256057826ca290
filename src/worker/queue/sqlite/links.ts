import type { DatabaseSync } from "node:sqlite";
import { parentMissing, removedInCampaign } from "../reasons.ts";
import type { Parent, ParentQuestion, ParentStanding } from "../turn.ts";
import { departed, sharing } from "./keys.ts";
import { type LinkNews, news, state } from "./link-news.ts";

/** A table of which not everything was read yet: what is not known of it may still come. */
const isLoading = "delta_link IS NULL OR coalesce(snapshot_purpose, 'Replay') <> 'Replay'";

/** When none of so many moves, the record is refused, and tried again when one of them all has moved. */
const movesLookedAt = 1000;

/**
 * Which records point at which. A parent's fate is noted in the transaction that decides it and told soon after, a part at
 * a time, to the records that asked for it before: they are due again, and ask again. Whoever asks later sees it in the
 * tables. So nobody waits for what has happened already. To be called within a transaction.
 */
export class Links {
  readonly #news: LinkNews;
  readonly #of;
  readonly #put;
  readonly #giveUp;
  readonly #dropFormer;
  readonly #dropWaiting;
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
  readonly #cycle;
  readonly #sharing;
  readonly #settled;
  readonly #needed;
  readonly #moves;
  readonly #disturb;

  constructor(database: DatabaseSync, linkNews: LinkNews) {
    this.#news = linkNews;
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
    this.#dropWaiting = drop(`state = ${state.waiting}`);
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
    this.#cycle = database.prepare(
      `WITH RECURSIVE up (mapping, id) AS (
         VALUES (?1, ?2)
         UNION
         SELECT l.parent_mapping, l.parent_id FROM up
           JOIN pending p ON p.mapping = up.mapping AND p.id = up.id AND p.parked = 1
           JOIN links l ON l.mapping = up.mapping AND l.id = up.id AND l.state = ${state.waiting})
       SELECT 1 FROM up WHERE mapping = ?3 AND id = ?4`,
    );
    this.#sharing = database.prepare(sharing);
    this.#settled = database.prepare(`UPDATE links SET state = ${state.linked} WHERE ${one} AND state = ${state.owed}`);
    this.#needed = database.prepare(
      `SELECT 1 FROM links l JOIN written w ON w.mapping = l.mapping AND w.id = l.id
       WHERE l.parent_mapping = ?1 AND l.parent_id = ?2 AND l.mandatory = 1 AND NOT (l.mapping = ?1 AND l.id = ?2)
       LIMIT 1`,
    );
    this.#moves = database.prepare(
      `SELECT 1 FROM (SELECT mapping, id FROM links WHERE parent_mapping = ?1 AND parent_id = ?2 AND mandatory = 1
         AND NOT (mapping = ?1 AND id = ?2) LIMIT ${movesLookedAt}) l
       JOIN pending p ON p.mapping = l.mapping AND p.id = l.id AND p.parked = 0 LIMIT 1`,
    );
    this.#disturb = database.prepare(
      `UPDATE pending SET revision = revision + 1 WHERE (mapping, id) IN
         (SELECT mapping, id FROM links WHERE parent_mapping = ? AND parent_id = ? AND mandatory = 1)`,
    );
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
      if (had?.mandatory === 1 && next.mandatory === 0) this.#news.release(parentMapping, parentId, now);
    }
    // What is not sent may point elsewhere in Campaign than the row does: at which of these mappings' records nobody knows.
    const unsent = new Set(questions.flatMap(({ mapping, onlyIfOwed }) => (onlyIfOwed ? mapping : [])));
    for (const place of before.keys()) {
      const [parentMapping, parentId] = parentOf(place);
      if (after.has(place) || unsent.has(parentMapping)) continue;
      this.#giveUp.run(parentMapping, parentId, child.mapping, child.id);
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

  /**
   * It was written with links to these, and nothing happened to it or to them meanwhile. `undefined`: no link of it is
   * mapped any more, and those that Campaign has stay.
   */
  linked({ mapping, id }: Parent, parents: readonly Parent[] | undefined, now: number): void {
    for (const parent of parents ?? []) this.#settled.run(parent.mapping, parent.id, mapping, id);
    if (parents !== undefined) this.#released(this.#dropFormer.all(mapping, id), now);
    this.#released(this.#dropWaiting.all(mapping, id), now);
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

  /** Whether there are mandatory links to the record of a key by another row, which left the filter and its record behind. */
  isNeededBeside({ mapping, id }: Parent, targetKey: string): boolean {
    return this.#ofKey(mapping, targetKey).some(
      (other) => other !== id && this.#needed.get(mapping, other) !== undefined,
    );
  }

  /** Campaign has a record that it did not have, or has it anew: so for every row with that key. */
  landed({ mapping, id }: Parent, targetKey: string): void {
    this.#dropAbsent.run(mapping, id);
    for (const one of new Set([id, ...this.#ofKey(mapping, targetKey)])) this.#news.tell(mapping, one, news.landed);
  }

  /** A deletion or an insert of a key's record that was begun was not done: what has the key is there as before. */
  stays(mapping: string, targetKey: string): void {
    for (const id of this.#ofKey(mapping, targetKey)) {
      this.#news.tell(mapping, id, news.decided);
      this.#news.tell(mapping, id, news.kept);
    }
  }

  lost({ mapping, id }: Parent): void {
    this.#news.tell(mapping, id, news.lost);
  }

  refused({ mapping, id }: Parent): void {
    this.#dropAbsent.run(mapping, id);
    this.#decide(mapping, id, this.#dead.get(mapping, id)?.["reason"]);
  }

  absent({ mapping, id }: Parent, why: "Gone" | "FilteredOut"): void {
    if (this.#decide(mapping, id)) this.#putAbsent.run(mapping, id, why);
  }

  isLoading(mapping: string): boolean {
    return this.#checkpoint.get(mapping)?.["loading"] === 1;
  }

  /** A table is read from its beginning: what was absent may not be. Or it was read: what it does not have will not come. */
  loads(mapping: string, begins: boolean): void {
    if (begins) this.#dropAbsents.run(mapping);
    else this.#news.tellAll(mapping);
  }

  /** The rows with a key. */
  #ofKey(mapping: string, targetKey: string): readonly string[] {
    return this.#sharing.all(mapping, targetKey).map((row) => String(row["id"]));
  }

  /** What is deleted as soon as nothing needs it is tried again. */
  #released(links: readonly Row[], now: number): void {
    for (const { parent_mapping: mapping, parent_id: id, mandatory } of links) {
      if (mandatory === 1) this.#news.release(String(mapping), String(id), now);
    }
  }

  /**
   * Says that nothing more will be written of it. By a call without an answer it may be there nevertheless: whoever writes a
   * link to it finds out.
   */
  #decide(mapping: string, id: string, reason?: unknown): boolean {
    const certainty = Number(this.#written.get(mapping, id)?.["certainty"] ?? 0);
    const isUnheard = certainty >= 2 && mayBeThere(certainty, reason);
    return this.#news.tell(mapping, id, isUnheard ? news.landed : news.decided);
  }

  #standing({ mapping, id }: ParentQuestion, isOwed: boolean): ParentStanding {
    const written = this.#written.get(mapping, id);
    const isPending = this.#pending.get(mapping, id) !== undefined;
    const reason = isPending ? undefined : this.#dead.get(mapping, id)?.["reason"];
    const certainty = Number(written?.["certainty"]);
    if (written !== undefined && (isPending ? certainty < 2 : mayBeThere(certainty, reason))) {
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
    if (!this.isLoading(mapping)) this.#news.enqueue(mapping, id, now);
    return standing;
  }

  #leadsTo(fromMapping: string, fromId: string, mapping: string, id: string): boolean {
    return this.#cycle.get(fromMapping, fromId, mapping, id) !== undefined;
  }
}

/**
 * Whether a record that does not wait is in Campaign as far as anybody knows, wherever its row is. Two that wait for each
 * other, and are not known to be there, would wake each other for ever.
 */
function mayBeThere(certainty: number, reason: unknown): boolean {
  return reason !== removedInCampaign && (certainty < 2 || reason !== parentMissing);
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
