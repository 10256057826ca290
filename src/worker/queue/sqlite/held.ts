import type { DatabaseSync } from "node:sqlite";
import type { PageCommit, Stage } from "../page.ts";
import type { Transactions } from "./transactions.ts";

export const heldUntil = { none: 0, Round: 1, Snapshot: 2 } as const satisfies Record<Stage | "none", number>;

/** Rows looked at or let go in one transaction: a few milliseconds. */
const rowsPerPart = 2000;

interface Part {
  /** The last of its rows; absent: there are no more. */
  readonly last?: number;
  readonly inferred: number;
}

/** Exact in every transaction of this connection, which is the store's only one: a count by the index takes 80 ms a million. */
const counting = `
  PRAGMA temp_store = MEMORY;
  CREATE TEMP TABLE held_counts (mapping TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
  INSERT INTO held_counts SELECT mapping, count(*) FROM pending WHERE held <> 0 GROUP BY mapping;
  CREATE TEMP TRIGGER held_in AFTER INSERT ON pending WHEN NEW.held <> 0 BEGIN
    INSERT OR IGNORE INTO held_counts VALUES (NEW.mapping, 0);
    UPDATE held_counts SET n = n + 1 WHERE mapping = NEW.mapping;
  END;
  CREATE TEMP TRIGGER held_out AFTER DELETE ON pending WHEN OLD.held <> 0 BEGIN
    UPDATE held_counts SET n = n - 1 WHERE mapping = OLD.mapping;
  END;
  CREATE TEMP TRIGGER held_changed AFTER UPDATE OF held ON pending WHEN (NEW.held <> 0) <> (OLD.held <> 0) BEGIN
    INSERT OR IGNORE INTO held_counts VALUES (NEW.mapping, 0);
    UPDATE held_counts SET n = n + (NEW.held <> 0) - (OLD.held <> 0) WHERE mapping = NEW.mapping;
  END;`;

/** Deletions that wait for the end of a reading, or for a person. */
export class Held {
  readonly #counts;
  readonly #isMany;
  readonly #part;
  readonly #release;

  constructor(database: DatabaseSync) {
    database.exec(counting);
    this.#counts = database.prepare("SELECT mapping, n FROM held_counts WHERE n > 0");
    const isHeld = "mapping = ? AND held = ? AND held <> 0";
    this.#isMany = database.prepare(`SELECT 1 FROM pending WHERE ${isHeld} LIMIT 1 OFFSET ${rowsPerPart}`);
    this.#part = database.prepare(
      `SELECT max(seq) AS last, sum(inferred) AS inferred FROM
         (SELECT seq, inferred FROM pending WHERE ${isHeld} AND seq > ? ORDER BY seq LIMIT ?)`,
    );
    this.#release = database.prepare(
      `UPDATE pending SET held = 0 WHERE ${isHeld} AND seq > ? AND seq <= ? AND inferred BETWEEN ? AND ?`,
    );
  }

  /** By mapping. */
  counts(): ReadonlyMap<unknown, number> {
    return new Map(this.#counts.all().map(({ mapping, n }) => [mapping, Number(n)]));
  }

  /** More waits for the end of the reading than one transaction lets go. */
  isMany({ checkpoint, stage }: PageCommit): boolean {
    return this.#isMany.get(checkpoint.mapping, heldUntil[stage]) !== undefined;
  }

  /** All at once, within a transaction. @returns how many inferred deletions stay held */
  letGo({ checkpoint: { mapping }, stage, release }: PageCommit): number {
    if (release === undefined) return 0;
    const { last, inferred } = this.#next(mapping, stage, 0, -1);
    const isTooMuch = inferred > release.inferredLimit;
    if (last !== undefined) this.#release.run(mapping, heldUntil[stage], 0, last, 0, isTooMuch ? 0 : 1);
    return isTooMuch ? inferred : 0;
  }

  /**
   * In transactions of its own, between which others have theirs. Interrupted, it is to be begun again.
   * @returns how many inferred deletions stay held
   */
  async letGoInParts(
    { checkpoint: { mapping }, stage }: PageCommit,
    inferredLimit: number,
    transactions: Transactions,
  ): Promise<number> {
    let inferred = 0;
    await this.#inParts(mapping, stage, transactions, (part) => {
      inferred += part.inferred;
    });
    const withheld = inferred > inferredLimit ? inferred : 0;
    // What the writer holds back meanwhile was not counted.
    let left = withheld > 0 ? 0 : inferred;
    await this.#inParts(mapping, stage, transactions, (part, from, last) => {
      const isCounted = part.inferred <= left;
      if (isCounted) left -= part.inferred;
      this.#release.run(mapping, heldUntil[stage], from, last, 0, isCounted ? 1 : 0);
    });
    return withheld;
  }

  async releaseInferred(mapping: string, transactions: Transactions): Promise<void> {
    for (const stage of ["Round", "Snapshot"] as const) {
      await this.#inParts(mapping, stage, transactions, (_part, from, last) => {
        this.#release.run(mapping, heldUntil[stage], from, last, 1, 1);
      });
    }
  }

  async #inParts(
    mapping: string,
    stage: Stage,
    transactions: Transactions,
    work: (part: Part, from: number, last: number) => void,
  ): Promise<void> {
    for (let from: number | undefined = 0; from !== undefined; ) {
      const after: number = from;
      from = await transactions.run(() => {
        const part = this.#next(mapping, stage, after);
        if (part.last !== undefined) work(part, after, part.last);
        return part.last;
      });
    }
  }

  #next(mapping: string, stage: Stage, from: number, most = rowsPerPart): Part {
    const row = this.#part.get(mapping, heldUntil[stage], from, most);
    const last = row?.["last"];
    return typeof last === "number" ? { last, inferred: Number(row?.["inferred"]) } : { inferred: 0 };
  }
}
