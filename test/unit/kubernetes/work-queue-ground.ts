import { WorkQueue, type WorkQueueOptions, type WorkResult } from "../../../src/kubernetes/work-queue.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { ManualClock } from "./manual-clock.ts";

/** A queue whose work takes as long as the test lets it. */
export function queueUnderTest(options: Partial<WorkQueueOptions> = {}) {
  const clock = new ManualClock();
  const work: { key: string; end: (result?: WorkResult) => void; fail: (error: Error) => void; ended: boolean }[] = [];
  const stop = new AbortController();
  const queue = new WorkQueue({
    process: (key) =>
      new Promise<WorkResult | undefined>((resolve, reject) => {
        const item = {
          key,
          ended: false,
          end: (result?: WorkResult) => {
            item.ended = true;
            resolve(result);
          },
          fail: (error: Error) => {
            item.ended = true;
            reject(error);
          },
        };
        work.push(item);
      }),
    concurrency: 2,
    clock,
    random: () => 0,
    backoff: { initialMs: 10, factor: 2, maxMs: 100, jitter: 0 },
    logger: silentLogger,
    letOthers: (resume) => resume(),
    ...options,
  });
  const turn = (index: number) => {
    const item = work.at(index);
    if (item === undefined) throw new Error(`there is no turn ${index}`);
    return item;
  };
  return { clock, queue, work, turn, stop, running: () => work.filter(({ ended }) => !ended) };
}
