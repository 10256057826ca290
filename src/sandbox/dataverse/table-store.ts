import type { RowSource } from "./row-source.ts";
import type { Cells } from "./schema.ts";

/** One number for the whole organisation that grows with every write, as SQL Server's rowversion does. */
export class VersionClock {
  #last: number;

  constructor(first: number) {
    this.#last = first;
  }

  get last(): number {
    return this.#last;
  }

  next(): number {
    this.#last += 1;
    return this.#last;
  }

  /** Takes `count` versions at once; returns the first. */
  reserve(count: number): number {
    const first = this.#last + 1;
    this.#last += count;
    return first;
  }
}

export interface Row {
  /** Lower-case GUID. */
  readonly id: string;
  /** Where an untracked or first read meets the row; stays while the row lives. */
  readonly position: number;
  readonly version: number;
  /** The version at which the row came into being; 0 for rows that were there from the start. */
  readonly bornVersion: number;
  /** Milliseconds since 1970. */
  readonly createdOn: number;
  readonly modifiedOn: number;
  readonly cells: Cells;
}

interface Change {
  readonly version: number;
  readonly id: string;
  readonly deleted: boolean;
}

/** What one write of a transaction did to one row; undefined: the row was not there. */
export interface UndoneWrite {
  readonly before: Row | undefined;
  readonly after: Row | undefined;
}

interface Journal {
  readonly logLength: number;
  readonly superseded: number;
  readonly writes: UndoneWrite[];
}

/** What changed after `after`, up to and including `until`. */
export interface Changes {
  /** In order of version; each row as it is now. */
  readonly upserts: readonly Row[];
  readonly deletions: readonly { readonly version: number; readonly id: string }[];
}

/**
 * The rows of one table. Rows of the source stay in the source until something changes them.
 *
 * Always true: a live row's version is that of its last change; `#log` is in order of version; a row of the
 * source whose flag in `#left` is set lives in `#rows` or is deleted.
 */
export class TableStore {
  readonly #clock: VersionClock;
  readonly #source: RowSource;
  readonly #sourceVersion: number;
  readonly #sourceTime: number;
  readonly #left: Uint8Array;
  readonly #rows = new Map<string, Row>();
  readonly #appended: string[] = [];
  #log: Change[] = [];
  #superseded = 0;
  #count: number;
  /** Columns whose values of the source are gone. */
  readonly #forgotten = new Set<string>();
  #journal: Journal | undefined;

  constructor(source: RowSource, clock: VersionClock, sourceTime: number) {
    this.#source = source;
    this.#clock = clock;
    this.#sourceVersion = clock.reserve(source.count);
    this.#sourceTime = sourceTime;
    this.#left = new Uint8Array(source.count);
    this.#count = source.count;
  }

  get count(): number {
    return this.#count;
  }

  get(id: string): Row | undefined {
    const row = this.#rows.get(id);
    if (row !== undefined) return row;
    const index = this.#source.indexOf(id);
    return index >= 0 && this.#left[index] === 0 ? this.#sourceRow(index) : undefined;
  }

  /** Writes a row, new or known, and returns it. `cells` are all of its cells. */
  put(id: string, cells: Cells, now: number): Row {
    const known = this.get(id);
    const version = this.#clock.next();
    if (known === undefined) {
      this.#count += 1;
      this.#appended.push(id);
    } else {
      this.#leave(known);
    }
    const position = known?.position ?? this.#source.count + this.#appended.length - 1;
    const row: Row = {
      id,
      position,
      version,
      bornVersion: known?.bornVersion ?? version,
      createdOn: known?.createdOn ?? now,
      modifiedOn: now,
      cells,
    };
    this.#rows.set(id, row);
    this.#record({ version, id, deleted: false }, known !== undefined);
    this.#journal?.writes.push({ before: known, after: row });
    return row;
  }

  /** @returns false when there is no such row */
  delete(id: string): boolean {
    const known = this.get(id);
    if (known === undefined) return false;
    this.#leave(known);
    this.#rows.delete(id);
    this.#count -= 1;
    this.#record({ version: this.#clock.next(), id, deleted: true }, true);
    this.#journal?.writes.push({ before: known, after: undefined });
    return true;
  }

  /** From here on writes can be taken back, until `commit` or `rollBack`. */
  begin(): void {
    this.#journal = { logLength: this.#log.length, superseded: this.#superseded, writes: [] };
  }

  commit(): void {
    this.#journal = undefined;
    this.#compact();
  }

  /** Takes back every write since `begin`, and tells them, newest first. Versions stay spent, as in SQL Server. */
  rollBack(): readonly UndoneWrite[] {
    const journal = this.#journal;
    if (journal === undefined) return [];
    this.#journal = undefined;
    const undone = journal.writes.toReversed();
    for (const { before, after } of undone) this.#undo(before, after);
    this.#log.length = journal.logLength;
    this.#superseded = journal.superseded;
    return undone;
  }

  #undo(before: Row | undefined, after: Row | undefined): void {
    if (after === undefined) this.#count += 1;
    else this.#rows.delete(after.id);
    if (before === undefined) {
      this.#appended.pop();
      this.#count -= 1;
    } else if (before.bornVersion === 0 && before.version === this.#sourceVersion + before.position) {
      this.#left[before.position] = 0;
    } else {
      this.#rows.set(before.id, before);
    }
  }

  /** Empties a column in every row. Versions stay: dropping a column is no change of its rows. */
  forget(column: string): void {
    this.#forgotten.add(column);
    for (const row of this.#rows.values()) {
      if (column in row.cells) this.#rows.set(row.id, { ...row, cells: without(row.cells, column) });
    }
  }

  /** Live rows that are not as the source has them. */
  changedRows(): Iterable<Row> {
    return this.#rows.values();
  }

  /** Live rows from a position on, in order of position. */
  *scan(fromPosition: number): Generator<Row> {
    for (let index = fromPosition; index < this.#source.count; index += 1) {
      const row = this.#left[index] === 0 ? this.#sourceRow(index) : this.#rows.get(this.#source.id(index));
      if (row !== undefined && row.position === index) yield row;
    }
    for (let index = Math.max(0, fromPosition - this.#source.count); index < this.#appended.length; index += 1) {
      const row = this.#rows.get(this.#appended[index] ?? "");
      if (row !== undefined && row.position === this.#source.count + index) yield row;
    }
  }

  /**
   * Changes between two versions. A row that was deleted and made again is in both lists: the tombstone stays
   * (use-change-tracking-synchronize-data-external-systems.md: deleted items come even to whom never saw them).
   */
  changes(after: number, until: number): Changes {
    const upserts: Row[] = [];
    const deletions: { version: number; id: string }[] = [];
    if (after < this.#sourceVersion) {
      for (let index = 0; index < this.#source.count; index += 1) {
        const version = this.#sourceVersion + index;
        if (version > after && version <= until && this.#left[index] === 0) upserts.push(this.#sourceRow(index));
      }
    }
    for (let index = this.#firstAfter(after); index < this.#log.length; index += 1) {
      const change = this.#log[index];
      if (change === undefined || change.version > until) break;
      if (change.deleted) {
        deletions.push({ version: change.version, id: change.id });
        continue;
      }
      const row = this.#rows.get(change.id);
      if (row?.version === change.version) upserts.push(row);
    }
    return { upserts, deletions };
  }

  #sourceRow(index: number): Row {
    let cells = this.#source.cells(index);
    for (const column of this.#forgotten) cells = without(cells, column);
    return {
      id: this.#source.id(index),
      position: index,
      version: this.#sourceVersion + index,
      bornVersion: 0,
      createdOn: this.#sourceTime,
      modifiedOn: this.#sourceTime,
      cells,
    };
  }

  #leave(row: Row): void {
    if (row.position < this.#source.count) this.#left[row.position] = 1;
  }

  #record(change: Change, supersedes: boolean): void {
    this.#log.push(change);
    if (supersedes) this.#superseded += 1;
    this.#compact();
  }

  /** Drops what newer changes replaced; never within a transaction, which may bring the older ones back. */
  #compact(): void {
    if (this.#journal !== undefined || this.#superseded <= 100_000 || this.#superseded * 2 <= this.#log.length) return;
    this.#log = this.#log.filter((old) => old.deleted || this.#rows.get(old.id)?.version === old.version);
    this.#superseded = 0;
  }

  #firstAfter(version: number): number {
    let low = 0;
    let high = this.#log.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#log[middle]?.version ?? 0) <= version) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function without(cells: Cells, column: string): Cells {
  const { [column]: _, ...kept } = cells;
  return kept;
}
