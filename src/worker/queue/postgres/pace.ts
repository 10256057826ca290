/** What a store counts of a mapping, as far as it tells how fast records move. */
export interface Counted {
  readonly pending: number;
  readonly totalRead: number;
  readonly totalWritten: number;
}

/** Of all processes that share the store. */
export interface Pace {
  readonly writtenPerSecond: number;
  /** Records that were read and no longer wait. */
  readonly donePerSecond: number;
}

interface Sample {
  readonly atMs: number;
  readonly counted: ReadonlyMap<string, Counted>;
}

const windowMs = 60_000;
/** Of a shorter time nobody can tell a rate. */
const sampleEveryMs = 5000;

/** How fast records move, by what the store counts from time to time: over the last minute, as far as it was looked at. */
export class Paces {
  /** The oldest first. */
  #samples: Sample[] = [];

  /**
   * @param atMs on a clock that never jumps
   * @returns by mapping; none of those that were not counted some seconds ago
   */
  of(counted: ReadonlyMap<string, Counted>, atMs: number): ReadonlyMap<string, Pace> {
    // What is older than the window is of use only while nothing younger begins it.
    const young = this.#samples.findIndex((sample) => sample.atMs >= atMs - windowMs);
    this.#samples = this.#samples.slice(young);
    const [oldest] = this.#samples;
    const newest = this.#samples.at(-1);
    if (newest === undefined || atMs - newest.atMs >= sampleEveryMs) this.#samples.push({ atMs, counted });
    if (oldest === undefined || atMs - oldest.atMs < sampleEveryMs) return new Map();
    const seconds = (atMs - oldest.atMs) / 1000;
    return new Map(
      [...counted].flatMap(([mapping, now]) => {
        const then = oldest.counted.get(mapping);
        if (then === undefined) return [];
        const written = now.totalWritten - then.totalWritten;
        const done = now.totalRead - then.totalRead - (now.pending - then.pending);
        return [[mapping, { writtenPerSecond: perSecond(written, seconds), donePerSecond: perSecond(done, seconds) }]];
      }),
    );
  }
}

/** A re-drive adds to what waits without a reading. */
function perSecond(records: number, seconds: number): number {
  return Math.max(0, records) / seconds;
}
