import { setImmediate as turn } from "node:timers/promises";
import type { Clock } from "../../../../src/telemetry/clock.ts";

/** Time that goes on only when it is told to. */
export class TestClock implements Clock {
  #now = 0;
  #timers = new Set<{ readonly at: number; readonly callback: () => void }>();

  now(): number {
    return this.#now;
  }

  schedule(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.#now + delayMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Lets what is under way go on, and time pass to the next timer, until something holds. */
  async until(holds: () => boolean | Promise<boolean>, deadlineMs: number): Promise<void> {
    const end = this.#now + deadlineMs;
    while (!(await holds())) {
      if (this.#now > end) throw new Error(`it did not come true within ${deadlineMs} ms`);
      await this.step();
    }
  }

  /** Lets what is under way go on, then time pass to the next timer, but not for more than this. */
  async step(mostMs = 1000): Promise<void> {
    for (let turns = 0; turns < 8; turns++) await turn();
    const next = Math.min(this.#now + mostMs, ...[...this.#timers].map(({ at }) => at));
    this.#now = Math.max(this.#now, next);
    for (const timer of [...this.#timers]) {
      if (timer.at > this.#now || !this.#timers.delete(timer)) continue;
      timer.callback();
    }
  }
}
