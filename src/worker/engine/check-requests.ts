/** What a mapping's writer asks of its reader, which checks the metadata: whether it still fits. */
export class CheckRequests {
  #asked = new AbortController();
  /** On the engine's clock: when the newest check began that found nothing. */
  #goodSince = Number.NEGATIVE_INFINITY;
  /** On the engine's clock: when records were first refused that no check has decided on. */
  readonly #refusedAt = new Map<string, number>();
  #refusedSince = 0;

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
    if (beganAt > this.#goodSince) this.#refusedSince = 0;
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
    if (!this.#refusedAt.has(id)) this.#refusedSince += 1;
    this.#refusedAt.set(id, refusedAt);
    if (this.#refusedAt.size > mostRecords) this.#refusedAt.delete(this.#refusedAt.keys().next().value ?? "");
    this.ask();
    return now - refusedAt;
  }

  /** How many records were refused since a check last found nothing. */
  get undecided(): number {
    return this.#refusedSince;
  }

  /** The record met something else. */
  forget(id: string): void {
    this.#refusedAt.delete(id);
  }
}

/** So that memory is flat; who is pushed out waits for another check. */
const mostRecords = 10_000;
