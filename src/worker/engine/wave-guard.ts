/**
 * Tells one bad record from a wave of refusals with one cause (a right was taken away, a field was made mandatory): such
 * a wave suspends the mapping, and its records stay queued, instead of all of them ending in `dead`.
 */
export class WaveGuard {
  readonly #limit: number;
  #cause: string | undefined;
  #message = "";
  #inARow = 0;

  /** @param limit refusals in a row with one cause that make a wave */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** What the newest refusal of the wave said, while there is one. */
  get wave(): string | undefined {
    return this.#inARow >= this.#limit ? this.#message : undefined;
  }

  /**
   * @param cause alike for refusals of one wave
   * @param message for a person
   * @returns whether the record is to be buried or stays queued
   */
  refused(cause: string, message: string): "Bury" | "Hold" {
    if (cause !== this.#cause) this.#inARow = 0;
    this.#cause = cause;
    this.#message = message;
    this.#inARow += 1;
    return this.wave === undefined ? "Bury" : "Hold";
  }

  /** A record was written, so what was refused was those records' own fault; or nothing waits any more. */
  over(): void {
    this.#inARow = 0;
    this.#cause = undefined;
  }
}
