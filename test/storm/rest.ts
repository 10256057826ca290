/** Waits until all is as it must be, and sees that it stays so. */
import { setTimeout as sleep } from "node:timers/promises";
import type { WorkerStatus } from "../../src/api/worker-contract.ts";
import type { Workers } from "./workers.ts";

/** A run that has just begun has not asked for changes yet, nor begun a replay. */
const looksOfRest = 5;
/** Polls go by, and nothing is written any more. */
const staysForMs = 1000;
/** A process that met an outage at each of its looks at the metadata may leave half a minute until the next. */
const readyWithinMs = 45_000;
/** Readiness asks Campaign itself now and then, and so does each mapping's look at the metadata; so many of each process. */
const usualCallsAtRest = 12;

/** Records, as far as anybody outside can tell. */
export interface Backlog {
  readonly least: number;
  readonly most: number;
}

export interface RestOptions {
  readonly workers: Workers;
  readonly mappings: number;
  /** Calls until now that are to come to an end: those that reached Campaign's engine, or those that write. */
  readonly calls: () => Promise<number>;
  /** What waits for something that is not to come; nothing when left out. */
  readonly backlog?: () => Promise<Backlog>;
  /** So many of each process go on at rest. */
  readonly callsAtRest?: number;
  /** One sentence each; none: all is as it must be. */
  readonly differences: () => Promise<readonly string[]>;
}

export class Rest {
  readonly #options: RestOptions;

  constructor(options: RestOptions) {
    this.#options = options;
  }

  /**
   * @param withinSeconds since it was last nearer to rest than ever before: on a busy machine the way there is long
   * @returns one sentence each: why there is no rest within the time, or what did not last
   */
  async faults(withinSeconds: number): Promise<readonly string[]> {
    const { workers, mappings } = this.#options;
    let until = performance.now() + withinSeconds * 1000;
    let nearest = Number.POSITIVE_INFINITY;
    let looks = 0;
    for (;;) {
      const differences = await this.#options.differences();
      const statuses = await workers.statuses();
      const waiting = await this.#waiting();
      const isAtRest = statuses.every(
        (status) =>
          isWithin(status.backlog, waiting) &&
          status.mappings.every(({ phase }) => phase === "Incremental" || phase === "Disabled"),
      );
      const isCalm = differences.length === 0 && isAtRest && statuses.length === workers.members.length;
      looks = isCalm && workers.fittedMappings >= mappings ? looks + 1 : 0;
      if (looks > looksOfRest) return this.#lasts();
      const ended = workers.endedByItself;
      if (ended !== undefined) return [`the worker ended by itself: ${await ended.exit}`];
      const away = differences.length + statuses.reduce((sum, { backlog }) => sum + backlog, 0);
      if (statuses.length === workers.members.length && away < nearest) {
        nearest = away;
        until = performance.now() + withinSeconds * 1000;
      }
      if (performance.now() > until) {
        return [...differences.slice(0, 20), this.#whyNotAtRest(withinSeconds, statuses, waiting)];
      }
      await sleep(100);
    }
  }

  #whyNotAtRest(withinSeconds: number, statuses: readonly WorkerStatus[], { least, most }: Backlog): string {
    const { workers, mappings } = this.#options;
    const expected = `${least} to ${most} waiting, ${workers.members.length} workers, ${mappings} mappings begun`;
    const found = `${statuses.length} workers, ${workers.fittedMappings} mappings, ${JSON.stringify(statuses)}`;
    return `not at rest after ${withinSeconds} s: expected ${expected}; there are ${found}`;
  }

  async #lasts(): Promise<readonly string[]> {
    const faults: string[] = [];
    const before = await this.#options.calls();
    const beganAt = performance.now();
    await sleep(staysForMs);
    const calls = (await this.#options.calls()) - before;
    // On a busy machine the time may have been longer.
    const times = Math.max(1, (performance.now() - beganAt) / staysForMs);
    const { workers, callsAtRest = usualCallsAtRest } = this.#options;
    const statuses = await this.#whenReady();
    if (statuses.length < workers.members.length) faults.push("at rest, and a worker has no status");
    const waiting = await this.#waiting();
    for (const { backlog, notReady } of statuses) {
      if (!isWithin(backlog, waiting)) {
        faults.push(`the backlog is ${backlog}, and not from ${waiting.least} to ${waiting.most}`);
      }
      if (isTroubled(notReady)) faults.push(`at rest, and not ready: ${notReady?.message}`);
    }
    const differences = await this.#options.differences();
    faults.push(...differences.map((difference) => `after all was well: ${difference}`));
    if (calls > callsAtRest * times * workers.members.length)
      faults.push(`${calls} calls while there was nothing to do`);
    return faults;
  }

  /** A look at a service may take its time on a slow machine, and so may an answer. */
  async #whenReady(): Promise<readonly WorkerStatus[]> {
    const { workers } = this.#options;
    const until = performance.now() + readyWithinMs;
    for (;;) {
      const statuses = await workers.statuses();
      const isReady =
        statuses.length === workers.members.length && !statuses.some(({ notReady }) => isTroubled(notReady));
      if (isReady || performance.now() > until) return statuses;
      await sleep(100);
    }
  }

  async #waiting(): Promise<Backlog> {
    return (await this.#options.backlog?.()) ?? { least: 0, most: 0 };
  }
}

function isWithin(records: number, { least, most }: Backlog): boolean {
  return records >= least && records <= most;
}

/** A store that had no room says so for a while. */
function isTroubled(notReady: WorkerStatus["notReady"]): boolean {
  return notReady !== undefined && notReady.reason !== "StoreFull";
}
