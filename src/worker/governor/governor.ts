import type { Clock } from "../../telemetry/clock.ts";
import { Budget } from "./budget.ts";
import { type Lane, Lanes } from "./lanes.ts";
import type { GovernorLimits } from "./limits.ts";
import { Parallelism } from "./parallelism.ts";
import { type HeldLimit, type Hold, type Holder, type Strain, StrainGauge, strainWindowMs } from "./strain.ts";

/** What a call told about the service's limits. */
export interface CallResult {
  /** Whether the call left at all; one that did not costs nothing. */
  readonly sent: boolean;
  /** Seconds that the service spent on it, or more. */
  readonly executionSeconds: number;
  /** Set when the service throttled (429), with its Retry-After if it gave one, and the limit that it named. */
  readonly throttled?: { readonly retryAfterSeconds?: number | undefined; readonly limit?: HeldLimit };
  /** `x-ms-dop-hint`: the parallelism that the service recommends. */
  readonly recommendedParallelism?: number | undefined;
  /** `x-ms-ratelimit-burst-remaining-xrm-requests` */
  readonly remainingCalls?: number | undefined;
  /** `x-ms-ratelimit-time-remaining-xrm-requests` */
  readonly remainingExecutionSeconds?: number | undefined;
}

/** Leave to make one call. To be released exactly once; a second release does nothing. */
export interface Grant {
  release(result: CallResult): void;
}

export interface GovernorState {
  readonly inFlight: number;
  readonly waiting: number;
  readonly parallelism: number;
  /** Until calls go on; 0 when they are not paused. */
  readonly pausedSeconds: number;
  /** For how long calls were held back since the beginning, by whom. */
  readonly heldSeconds: Readonly<Record<Holder, number>>;
}

interface Waiter {
  grant(): void;
}

/** A pause when the service throttles without saying for how long: doubles up to a minute. */
const firstPauseMs = 1000;
const longestPauseMs = 60_000;
/** How long calls rest when the service says that next to nothing is left. */
const brakeMs = 1000;

/**
 * The one gate that every call to a service passes, whoever makes it: it holds calls, execution time and concurrency
 * under the limits, pauses everybody at once when the service asks for it, and serves lanes in proportion.
 */
export class Governor {
  readonly #clock: Clock;
  readonly #calls: Budget;
  readonly #execution: Budget | undefined;
  readonly #parallelism: Parallelism;
  readonly #lanes = new Lanes<Waiter>();
  readonly #strain: StrainGauge;
  #inFlight = 0;
  #pausedUntil: number;
  #pausedBy: HeldLimit = "Unnamed";
  #nextPauseMs = firstPauseMs;
  /** The longest call of late: what a call is expected to cost, so that calls under way cannot overrun the limit. */
  #expectedSeconds: number;
  /** A call that had no answer tells of an outage; were the next expected to take a whole window, each would wait for one. */
  readonly #mostExpectedSeconds: number;
  #cancelTimer: (() => void) | undefined;

  constructor(limits: GovernorLimits, clock: Clock, windowMs = strainWindowMs) {
    const now = clock.now();
    this.#clock = clock;
    this.#calls = new Budget(limits.calls, now);
    this.#execution = limits.execution === undefined ? undefined : new Budget(limits.execution, now);
    this.#parallelism = new Parallelism(limits.initialConcurrency, limits.concurrency);
    this.#pausedUntil = now;
    this.#strain = new StrainGauge(now, windowMs);
    this.#expectedSeconds = limits.execution?.firstCallSeconds ?? 0;
    this.#mostExpectedSeconds = (limits.execution?.perWindow?.amount ?? Number.POSITIVE_INFINITY) / 2;
  }

  /**
   * Waits for leave to make one call.
   * @throws the signal's reason when it aborts first
   */
  acquire(lane: Lane, signal: AbortSignal): Promise<Grant> {
    if (signal.aborted) return Promise.reject(signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<Grant>();
    const waiter: Waiter = {
      grant: () => {
        signal.removeEventListener("abort", onAbort);
        resolve(this.#grant());
      },
    };
    const onAbort = () => {
      this.#lanes.remove(lane, waiter);
      this.#serve(); // When nobody waits any more, no timer may keep the process.
      reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    this.#lanes.push(lane, waiter);
    this.#serve();
    return promise;
  }

  state(): GovernorState {
    const now = this.#clock.now();
    return {
      inFlight: this.#inFlight,
      waiting: this.#lanes.size,
      parallelism: this.#parallelism.allowed,
      pausedSeconds: Math.max(0, this.#pausedUntil - now) / 1000,
      heldSeconds: {
        Service: this.#strain.heldSeconds("Service", now),
        Configuration: this.#strain.heldSeconds("Configuration", now),
      },
    };
  }

  /** What a person should know of calls that are held back; undefined: nothing. */
  strain(): Strain | undefined {
    return this.#strain.strain(this.#clock.now());
  }

  #serve(): void {
    this.#grantAll();
    const now = this.#clock.now();
    this.#strain.hold(this.#holdAt(now), now);
  }

  /** Why calls wait; a pause counts whether anybody waits or not, for whoever was refused stays away. */
  #holdAt(now: number): Hold | undefined {
    if (this.#pausedUntil > now) return { by: "Service", limit: this.#pausedBy, until: this.#pausedUntil };
    if (this.#lanes.size === 0) return undefined;
    if (this.#inFlight >= this.#parallelism.allowed) {
      return this.#parallelism.isAtCeiling ? { by: "Configuration", limit: "Concurrency" } : undefined;
    }
    const executionMs = this.#execution?.waitFor(this.#expectedSeconds, now) ?? 0;
    return { by: "Configuration", limit: executionMs > this.#calls.waitFor(1, now) ? "ExecutionTime" : "Calls" };
  }

  #grantAll(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    while (this.#lanes.size > 0 && this.#inFlight < this.#parallelism.allowed) {
      const now = this.#clock.now();
      const wait = Math.max(
        this.#pausedUntil - now,
        this.#calls.waitFor(1, now),
        this.#execution?.waitFor(this.#expectedSeconds, now) ?? 0,
      );
      if (wait > 0) {
        // Without a finite wait, only the end of a call under way can make room, and that end serves again.
        if (Number.isFinite(wait)) this.#cancelTimer = this.#clock.schedule(Math.ceil(wait), () => this.#serve());
        return;
      }
      this.#lanes.shift()?.grant();
    }
  }

  #grant(): Grant {
    const expected = this.#expectedSeconds;
    const epoch = this.#parallelism.epoch;
    const now = this.#clock.now();
    this.#strain.made(now);
    this.#calls.reserve(1, now);
    this.#execution?.reserve(expected, now);
    this.#inFlight++;
    const usedUp = this.#inFlight >= this.#parallelism.allowed;
    let released = false;
    return {
      release: (result) => {
        if (released) return;
        released = true;
        this.#settle(result, expected, epoch, usedUp);
        this.#serve();
      },
    };
  }

  #settle(result: CallResult, expected: number, epoch: number, usedUp: boolean): void {
    const now = this.#clock.now();
    this.#inFlight--;
    this.#calls.settle(1, result.sent ? 1 : 0, now);
    this.#execution?.settle(expected, result.sent ? result.executionSeconds : 0, now);
    if (!result.sent) return;
    if (result.recommendedParallelism !== undefined) this.#parallelism.recommend(result.recommendedParallelism);
    if (result.throttled !== undefined) {
      const newRound = epoch === this.#parallelism.epoch;
      this.#parallelism.throttled(epoch);
      const { retryAfterSeconds: asked, limit = "Unnamed" } = result.throttled;
      this.#strain.refused(now);
      this.#pauseUntil(now + (asked === undefined ? this.#nextPauseMs : asked * 1000), limit);
      if (newRound && asked === undefined) this.#nextPauseMs = Math.min(this.#nextPauseMs * 2, longestPauseMs);
      return;
    }
    this.#nextPauseMs = firstPauseMs;
    const longest = Math.max(result.executionSeconds, this.#expectedSeconds * 0.98, 0.05);
    this.#expectedSeconds = Math.min(longest, this.#mostExpectedSeconds);
    this.#parallelism.succeeded(usedUp);
    const { remainingCalls = Number.POSITIVE_INFINITY, remainingExecutionSeconds = Number.POSITIVE_INFINITY } = result;
    if (remainingCalls <= this.#inFlight + 1) this.#pauseUntil(now + brakeMs, "Calls");
    else if (remainingExecutionSeconds <= (this.#inFlight + 1) * this.#expectedSeconds) {
      this.#pauseUntil(now + brakeMs, "ExecutionTime");
    }
  }

  #pauseUntil(time: number, limit: HeldLimit): void {
    if (time <= this.#pausedUntil) return;
    this.#pausedUntil = time;
    this.#pausedBy = limit;
  }
}
