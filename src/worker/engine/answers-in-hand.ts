import { type Clock, sleep } from "../../telemetry/clock.ts";
import { StoreOutage } from "../queue/errors.ts";

interface Patience {
  readonly clock: Clock;
  readonly settings: { readonly fullStorePauseMs: number };
  /** In [0, 1). */
  readonly random: () => number;
}

/**
 * What calls have answered, as long as it is not stored. While the store fails it is kept in hand and stored later, for
 * otherwise its calls would have to be made again. Whoever asks begins no call while any is kept: so a failing store costs
 * no call but those under way when it failed, each of them once.
 */
export class AnswersInHand {
  readonly #patience: Patience;
  #kept = 0;

  constructor(patience: Patience) {
    this.#patience = patience;
  }

  /** Some cannot be stored for now. */
  get any(): boolean {
    return this.#kept > 0;
  }

  /**
   * Stores one, again and again until it is stored. When `end` aborts it is tried once more.
   * @throws StoreOutage after that; whatever else `store` throws, at once
   */
  async store<T>(store: () => Promise<T>, end: AbortSignal): Promise<T> {
    const { clock, settings, random } = this.#patience;
    let isKept = false;
    try {
      for (;;) {
        const isLast = end.aborted;
        try {
          return await store();
        } catch (error) {
          if (isLast || !(error instanceof StoreOutage)) throw error;
        }
        if (!isKept) this.#kept += 1;
        isKept = true;
        // Not all at once: there may be room for one of them.
        await sleep(clock, (settings.fullStorePauseMs * (1 + random())) / 2, end);
      }
    } finally {
      if (isKept) this.#kept -= 1;
    }
  }
}
