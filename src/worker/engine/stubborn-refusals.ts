/**
 * Tells a record whose content Campaign's engine cannot take from an engine in trouble, where both are answered with the
 * same 500: a record is the cause when it meets the same answer again and again while others are written in between.
 * Of one mapping, and in memory: after a restart it is counted anew.
 */
export class StubbornRefusals {
  readonly #limit: number;
  /** By record; the one that was refused last stands last. */
  readonly #records = new Map<string, { readonly answer: string; readonly times: number; readonly written: number }>();
  #written = 0;

  /** @param limit equal answers, each after another record was written, that make a record the cause */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Another record was written. */
  written(): void {
    this.#written += 1;
  }

  /** @returns whether the record is the cause; it is forgotten then */
  refused(id: string, answer: string): boolean {
    const known = this.#records.get(id);
    this.#records.delete(id);
    const before = known?.answer === answer ? known : { times: 0, written: -1 };
    const times = before.written === this.#written ? before.times : before.times + 1;
    if (times >= this.#limit) return true;
    this.#records.set(id, { answer, times, written: this.#written });
    if (this.#records.size > mostRecords) this.#records.delete(this.#records.keys().next().value ?? "");
    return false;
  }

  /** The record met something else. */
  forget(id: string): void {
    this.#records.delete(id);
  }
}

/** So that memory is flat; who is pushed out is counted anew. */
const mostRecords = 10_000;
