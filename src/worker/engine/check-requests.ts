/** What a mapping's writer asks of its reader, which checks the metadata: whether it still fits. */
export class CheckRequests {
  #asked = new AbortController();
  /** On the engine's clock: when the newest check began that found nothing. */
  #goodSince = Number.NEGATIVE_INFINITY;

  /** On the engine's clock: when records were first refused that no check has decided on. */
  readonly #refusedAt = new Map<string, number>();

  /** Aborts when somebody asks. */
  get asked(): AbortSignal {
    return this.#asked.signal;
  }

  ask(): void {
    this.#asked.abort();
  }

  /** @returns whether somebody asked since the last time */
  take(): boolean {
    if (!this.#asked.signal.aborted) return false;
    this.#asked = new AbortController();
    return true;
  }

  /** A check that began then found that everything fits. */
  passed(beganAt: number): void {
    this.#goodSince = beganAt;
  }

  /**
   * Whether a refusal is the record's own fault, as far as is known: a check found nothing a moment ago, or began after
   * this same record was refused before, however long it took. If not, a check is asked for.
   * @returns for how long the record is refused without one; undefined: it is its own fault
   */
  undecidedMs(id: string, now: number, freshMs: number): number | undefined {
    const refusedAt = this.#refusedAt.get(id) ?? now;
    if (this.#goodSince >= Math.min(refusedAt, now - freshMs)) {
      this.#refusedAt.delete(id);
      return undefined;
    }
    this.#refusedAt.set(id, refusedAt);
    if (this.#refusedAt.size > mostRecords) this.#refusedAt.delete(this.#refusedAt.keys().next().value ?? "");
    this.ask();
    return now - refusedAt;
  }

  /** How many records are refused and wait for a check. */
  get undecided(): number {
    return this.#refusedAt.size;
  }

  /** The record met something else. */
  forget(id: string): void {
    this.#refusedAt.delete(id);
  }
}

/** So that memory is flat; who is pushed out waits for another check. */
const mostRecords = 10_000;
