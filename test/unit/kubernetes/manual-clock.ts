import type { DatedClock } from "../../../src/telemetry/clock.ts";

/** A clock that stands still until a test moves it. */
export class ManualClock implements DatedClock {
  #nowMs = 0;
  readonly #timers = new Set<{ atMs: number; callback: () => void }>();

  now(): number {
    return this.#nowMs;
  }

  date(): Date {
    return new Date(Date.UTC(2026, 10, 21) + this.#nowMs);
  }

  schedule(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** When the next timer fires; undefined when none is set. */
  nextAtMs(): number | undefined {
    return this.#timers.size === 0 ? undefined : Math.min(...[...this.#timers].map(({ atMs }) => atMs));
  }

  /** Moves on, firing timers in the order of their times, and lets promises settle after each. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (;;) {
      const nextMs = this.nextAtMs();
      if (nextMs === undefined || nextMs > endMs) break;
      this.#nowMs = Math.max(this.#nowMs, nextMs);
      for (const timer of [...this.#timers].filter(({ atMs }) => atMs <= this.#nowMs)) {
        if (this.#timers.delete(timer)) timer.callback();
      }
      await settle();
    }
    this.#nowMs = endMs;
  }
}

/** Lets every promise that can settle do so: a macrotask comes after all microtasks. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
