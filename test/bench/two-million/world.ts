import type { Answer, Question } from "./protocol.ts";

/** Dataverse and Campaign of one table, a few bytes a row, so that they can be judged afterwards. */
export class World {
  readonly rows: number;
  /** How often Campaign was asked to insert each row, and to update it. */
  readonly inserts: Uint8Array;
  readonly updates: Uint8Array;
  inserted = 0;
  updated = 0;
  deleted = 0;
  pagesRead = 0;
  rowsRead = 0;
  isExpired = false;
  /** What is written from now on is nobody's concern. */
  isJudged = false;
  /** How long changes took from being made to being written, in milliseconds. */
  readonly delaysMs: number[] = [];
  readonly #changes: { readonly row: number; readonly madeAt: number }[] = [];
  readonly #newest = new Map<number, number>();
  readonly #unseen = new Set<number>();

  constructor(rows: number) {
    this.rows = rows;
    this.inserts = new Uint8Array(rows);
    this.updates = new Uint8Array(rows);
  }

  get changesUnderWay(): number {
    return this.#unseen.size;
  }

  /** Somebody edits a row. */
  change(row: number): void {
    this.#changes.push({ row, madeAt: performance.now() });
    const change = this.#changes.length;
    this.#newest.set(row, change);
    this.#unseen.add(change);
  }

  answer(question: Question): Answer {
    const plain = { changed: [], found: false, changes: this.#changes.length };
    if (this.isJudged && question.kind === "insert") return plain;
    switch (question.kind) {
      case "page": {
        this.pagesRead += 1;
        this.rowsRead += question.size;
        const end = question.from + question.size;
        return { ...plain, changed: [...this.#newest].filter(([row]) => row >= question.from && row < end) };
      }
      case "delta": {
        if (this.isExpired) {
          this.isExpired = false;
          return { ...plain, expired: true };
        }
        const rows = new Set(this.#changes.slice(question.from).map(({ row }) => row));
        return { ...plain, changed: [...rows].map((row) => [row, this.#newest.get(row) ?? 0]) };
      }
      case "read":
        return { ...plain, changed: [[question.row, this.#newest.get(question.row) ?? 0]] };
      case "find":
        return { ...plain, found: this.inserts[question.row] !== 0 };
      case "insert":
        this.inserted += 1;
        this.inserts[question.row] = (this.inserts[question.row] ?? 0) + 1;
        this.#saw(question.change);
        return { ...plain, found: true };
      case "update":
        this.updated += 1;
        this.updates[question.row] = Math.min(255, (this.updates[question.row] ?? 0) + 1);
        this.#saw(question.change);
        return { ...plain, found: this.inserts[question.row] !== 0 };
      case "delete":
        this.deleted += 1;
        return { ...plain, found: true };
    }
  }

  /** How many rows Campaign has, and how many inserts were one too many. */
  judged(): { readonly there: number; readonly duplicates: number } {
    let there = 0;
    for (const times of this.inserts) there += times > 0 ? 1 : 0;
    return { there, duplicates: this.inserted - there };
  }

  #saw(change: number): void {
    if (!this.#unseen.delete(change)) return;
    this.delaysMs.push(performance.now() - (this.#changes[change - 1]?.madeAt ?? 0));
  }
}
