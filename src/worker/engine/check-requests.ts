/** What a mapping's writer asks of its reader, which checks the metadata: whether it still fits. */
export class CheckRequests {
  #asked = new AbortController();
  /** On the engine's clock: when the newest check began that found nothing. */
  #goodSince = Number.NEGATIVE_INFINITY;

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

  /** Whether a refusal may be the record's own fault, as far as is known; if not, a check is asked for. */
  isFresh(now: number, freshMs: number): boolean {
    const isFresh = now - this.#goodSince <= freshMs;
    if (!isFresh) this.ask();
    return isFresh;
  }
}
