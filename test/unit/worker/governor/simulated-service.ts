import { type CallResult, Governor } from "../../../../src/worker/governor/governor.ts";
import type { Lane } from "../../../../src/worker/governor/lanes.ts";
import { dataverseLimits } from "../../../../src/worker/governor/limits.ts";
import { VirtualClock } from "./virtual-clock.ts";

export interface SimulatedCall {
  readonly lane: Lane;
  readonly toServerMs: number;
  readonly executionMs: number;
  readonly toClientMs: number;
  /** The service throttles it, with this Retry-After. */
  readonly throttledForSeconds?: number | undefined;
  /** What the service recommends with its answer. */
  readonly recommendedParallelism?: number;
}

/** A service that counts as Dataverse documents it: by the calls' arrival at its own door. */
export class SimulatedService {
  readonly clock = new VirtualClock();
  /** Of the process that runs now. */
  governor: Governor;
  readonly arrivals: number[] = [];
  readonly executions: { at: number; seconds: number }[] = [];
  readonly grantedDuringPause: number[] = [];
  mostAtOnce = 0;
  finished = 0;
  #atOnce = 0;
  #pausedUntil = 0;

  constructor(sharePercent: number) {
    this.governor = new Governor(dataverseLimits(sharePercent), this.clock);
  }

  /** The process ends, and another begins that knows nothing of it; what is under way at the service goes on there. */
  startAgain(sharePercent: number): void {
    this.governor = new Governor(dataverseLimits(sharePercent), this.clock);
  }

  async call(call: SimulatedCall, signal: AbortSignal = new AbortController().signal): Promise<void> {
    const grant = await this.governor.acquire(call.lane, signal);
    const sentAt = this.clock.now();
    if (sentAt < this.#pausedUntil) this.grantedDuringPause.push(sentAt);
    await this.clock.sleep(call.toServerMs);
    this.arrivals.push(this.clock.now());
    this.#atOnce++;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#atOnce);
    await this.clock.sleep(call.executionMs);
    this.executions.push({ at: this.clock.now(), seconds: call.executionMs / 1000 });
    this.#atOnce--;
    await this.clock.sleep(call.toClientMs);
    const throttled = call.throttledForSeconds;
    if (throttled !== undefined) this.#pausedUntil = Math.max(this.#pausedUntil, this.clock.now() + throttled * 1000);
    const result: CallResult = {
      sent: true,
      executionSeconds: (this.clock.now() - sentAt) / 1000,
      recommendedParallelism: call.recommendedParallelism,
      ...(throttled === undefined ? {} : { throttled: { retryAfterSeconds: throttled } }),
    };
    grant.release(result);
    this.finished++;
  }
}

/** The most that falls into any half-open window of this length. */
export function mostInWindow(events: readonly { at: number; amount: number }[], windowMs: number): number {
  const sorted = events.toSorted((a, b) => a.at - b.at);
  let first = 0;
  let sum = 0;
  let most = 0;
  for (const event of sorted) {
    sum += event.amount;
    for (let oldest = sorted[first]; oldest !== undefined && oldest.at <= event.at - windowMs; oldest = sorted[first]) {
      sum -= oldest.amount;
      first++;
    }
    most = Math.max(most, sum);
  }
  return most;
}
