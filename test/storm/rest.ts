/** Waits until all is as it must be, and sees that it stays so. */
import { setTimeout as sleep } from "node:timers/promises";
import type { WorkerProcess } from "./ground.ts";

/** A run that has just begun has not asked for changes yet, nor begun a replay. */
const looksOfRest = 5;
/** Polls go by, and nothing is written any more. */
const staysForMs = 1000;
/** Readiness asks Campaign itself now and then, and so does each mapping's look at the metadata. */
const callsAtRest = 12;

export interface RestOptions {
  readonly worker: WorkerProcess;
  readonly mappings: number;
  /** Calls that reached Campaign's engine until now. */
  readonly calls: () => Promise<number>;
  /** One sentence each; none: all is as it must be. */
  readonly differences: () => Promise<readonly string[]>;
}

export class Rest {
  readonly #options: RestOptions;

  constructor(options: RestOptions) {
    this.#options = options;
  }

  /** @returns one sentence each: why there is no rest within the time, or what did not last */
  async faults(withinSeconds: number): Promise<readonly string[]> {
    const { worker, mappings } = this.#options;
    const until = performance.now() + withinSeconds * 1000;
    let looks = 0;
    for (;;) {
      const differences = await this.#options.differences();
      const status = await worker.status();
      const isRead = status?.mappings.every(({ phase }) => phase === "Incremental");
      const isCalm = differences.length === 0 && status?.backlog === 0 && isRead;
      looks = isCalm && worker.fittedMappings >= mappings ? looks + 1 : 0;
      if (looks > looksOfRest) return this.#lasts();
      if (worker.hasEnded) return [`the worker ended by itself: ${await worker.exit}`];
      if (performance.now() > until) {
        return [...differences.slice(0, 20), `not at rest after ${withinSeconds} s: ${JSON.stringify(status)}`];
      }
      await sleep(100);
    }
  }

  async #lasts(): Promise<readonly string[]> {
    const faults: string[] = [];
    const before = await this.#options.calls();
    await sleep(staysForMs);
    const calls = (await this.#options.calls()) - before;
    const status = await this.#options.worker.status();
    if (status?.backlog !== 0) faults.push(`the backlog was 0 and is ${status?.backlog}`);
    // A store that had no room says so for a while.
    const { notReady } = status ?? {};
    if (notReady !== undefined && notReady.reason !== "StoreFull")
      faults.push(`at rest, and not ready: ${notReady.message}`);
    const differences = await this.#options.differences();
    faults.push(...differences.map((difference) => `after all was well: ${difference}`));
    if (calls > callsAtRest) faults.push(`${calls} engine calls while there was nothing to do`);
    return faults;
  }
}
