import { setTimeout as sleep } from "node:timers/promises";

/**
 * The time by which limits, delta tokens and version stamps run out. Tests let it run faster or leap; the timestamps
 * of data stay the machine's.
 */
export class SandboxClock {
  readonly #real: () => number;
  #factor = 1;
  #setAt: number;
  #setTo: number;

  /** @param real milliseconds since 1970 */
  constructor(real: () => number) {
    this.#real = real;
    this.#setAt = real();
    this.#setTo = this.#setAt;
  }

  /** How many of this clock's seconds pass in one real second. */
  get factor(): number {
    return this.#factor;
  }

  /** Milliseconds since 1970; never goes back. */
  now(): number {
    return this.#setTo + Math.floor((this.#real() - this.#setAt) * this.#factor);
  }

  set({ factor, advanceSeconds = 0 }: { factor?: number; advanceSeconds?: number }): void {
    this.#setTo = this.now() + advanceSeconds * 1000;
    this.#setAt = this.#real();
    this.#factor = factor ?? this.#factor;
  }

  /** @param milliseconds of this clock */
  async sleep(milliseconds: number): Promise<void> {
    await sleep(milliseconds / this.#factor);
  }
}
