import type { LastFailure } from "./answers.ts";

/**
 * Why records that are tried again were not written, the last time. In memory: a restart tries them anew within a minute.
 */
export class LastFailures {
  /** The one that failed last stands last. */
  readonly #failures = new Map<string, LastFailure>();

  put(mapping: string, id: string, failure: LastFailure): void {
    this.forget(mapping, id);
    this.#failures.set(nameOf(mapping, id), failure);
    if (this.#failures.size > mostRecords) this.#failures.delete(this.#failures.keys().next().value ?? "");
  }

  get(mapping: string, id: string): LastFailure | undefined {
    return this.#failures.get(nameOf(mapping, id));
  }

  forget(mapping: string, id: string): void {
    this.#failures.delete(nameOf(mapping, id));
  }
}

/** So that memory is flat. */
const mostRecords = 10_000;

function nameOf(mapping: string, id: string): string {
  return `${mapping} ${id}`;
}
