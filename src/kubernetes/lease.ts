import { type DatedClock, sleep, systemClock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Client } from "./client.ts";
import { isAlreadyExists, isConflict, isNotFound } from "./errors.ts";
import { type Lease, leases, mayTake, type Observation, observe, releasedSpec, takenSpec } from "./lease-record.ts";

/** A write was about to be sent by a process that may not lead any more. Trying again cannot help. */
export class NotLeadingError extends Error {
  override readonly name = "NotLeadingError";
  readonly code = "NotLeading";
}

/** What a leader holds while it leads. */
export interface Leadership {
  /** Aborts when the leadership ends. Late when the event loop was blocked, so ask `assertHeld` before every write too. */
  readonly signal: AbortSignal;
  /**
   * Reads the clock, and so is right even in the first moment after the process was stopped or blocked.
   * @throws NotLeadingError from the renew deadline on, which is before anybody else can take the lease
   */
  assertHeld(): void;
}

export interface LeaderElectionOptions {
  client: Client;
  namespace: string;
  name: string;
  /** Unique for each process, for instance pod name and a random suffix: two processes must never share one. */
  identity: string;
  /** How long others wait after the last renewal before they take over. */
  leaseDurationSeconds?: number;
  /** How long after its last renewal a leader still leads. Less than the lease's duration. */
  renewDeadlineMs?: number;
  /** Pause between two tries. */
  retryPeriodMs?: number;
  clock?: DatedClock;
  /** From 0 to 1. */
  random?: () => number;
  logger: Logger;
  /** Called with true when the leadership begins and false when it has ended: for a metric. */
  onChange?: (leading: boolean) => void;
}

/** Between two warnings with the same cause. */
const remindEveryMs = 60_000;

/** A renewal counts from before it was sent: nobody else can have seen it earlier. */
interface Held {
  lease: Lease;
  renewedAtMs: number;
}

/**
 * One leader of several candidates, by a coordination.k8s.io/v1 Lease.
 *
 * Guarantees: a leader stops (signal, `assertHeld`) `renewDeadlineMs` after it began its last successful renewal; others
 * wait the lease's duration from when they saw that renewal, which is later. All by monotonic clocks, each its own.
 * Assumptions: monotonic clocks run at about the same speed, and do not stop.
 * Caveats: a lease cannot fence. A write that passed `assertHeld` can still reach the server late (the process paused
 * between the two, or the packet was slow): every write needs its own precondition.
 */
export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  readonly #clock: DatedClock;
  readonly #durationSeconds: number;
  readonly #renewDeadlineMs: number;
  readonly #retryPeriodMs: number;
  /** Why the lease was never seen so far; undefined once it was. */
  #neverSeen: string | undefined = "nobody has asked for it yet";

  /** @throws RangeError when a leader could still lead while its lease is another's */
  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#durationSeconds = options.leaseDurationSeconds ?? 15;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? (this.#durationSeconds * 1000 * 2) / 3;
    this.#retryPeriodMs = options.retryPeriodMs ?? this.#renewDeadlineMs / 5;
    if (!Number.isInteger(this.#durationSeconds) || this.#durationSeconds < 1) {
      throw new RangeError(`leaseDurationSeconds is ${this.#durationSeconds}: it is a whole number of at least 1`);
    }
    if (this.#renewDeadlineMs >= this.#durationSeconds * 1000 || this.#retryPeriodMs >= this.#renewDeadlineMs) {
      throw new RangeError("the retry period must be shorter than the renew deadline, and that shorter than the lease");
    }
  }

  /**
   * Why this candidate cannot lead, ever, until somebody mends it: no lease was seen or made, for there is no such
   * namespace, or no right to it. `undefined` from the first sight on.
   */
  neverSeen(): string | undefined {
    const { namespace, name } = this.#options;
    return this.#neverSeen === undefined
      ? undefined
      : `lease ${namespace}/${name} was not seen yet: ${this.#neverSeen}`;
  }

  /**
   * Waits for the lease, calls `lead`, and keeps the lease renewed meanwhile. When the lease is lost, waits until `lead`
   * has ended and stands again. When the signal aborts, or `lead` ends, releases the lease and resolves.
   * Rejects only with what `lead` rejects with while it leads.
   */
  async run(lead: (leadership: Leadership) => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const held = await this.#acquire(signal);
      if (held === undefined) return;
      const lost = await this.#lead(lead, held, signal);
      if (!lost) return;
    }
  }

  /** @returns true when the lease was lost, false when the leader ended by itself or by the signal */
  async #lead(lead: (leadership: Leadership) => Promise<void>, first: Held, stop: AbortSignal): Promise<boolean> {
    const { logger, identity, name, onChange } = this.#options;
    let held = first;
    const end = new AbortController();
    const heldUntilMs = (): number => held.renewedAtMs + this.#renewDeadlineMs;
    const isHeld = (): boolean => !end.signal.aborted && this.#clock.now() < heldUntilMs();
    // The answer can come too late, when the process stood still meanwhile.
    if (!isHeld()) return true;
    const leadership: Leadership = {
      signal: AbortSignal.any([end.signal, stop]),
      assertHeld: () => {
        if (!isHeld()) throw new NotLeadingError(`${identity} does not hold lease ${name} any more`);
      },
    };
    logger.info("leading", { lease: name, identity });
    onChange?.(true);
    const ended = lead(leadership).then(
      () => ({ error: undefined }),
      (error: unknown) => ({ error }),
    );
    void ended.then(() => end.abort(new Error("the leader has ended")));

    // Renewed also while the leader ends on the stop signal: until then it may write.
    while (isHeld()) {
      await sleep(this.#clock, Math.min(this.#pauseMs(), heldUntilMs() - this.#clock.now()), end.signal);
      if (!isHeld()) break;
      const renewal = await this.#renew(held, heldUntilMs() - this.#clock.now());
      if (renewal === "lost") break;
      // An answer that came too late renews nothing; the version that it told of is the one to release all the same.
      if (renewal !== undefined) held = isHeld() ? renewal : { ...held, lease: renewal.lease };
    }

    const lost = !end.signal.aborted;
    if (lost) {
      logger.warn("leadership lost", { lease: name, identity });
      end.abort(new NotLeadingError(`${identity} lost lease ${name}`));
    }
    const { error } = await ended;
    onChange?.(false);
    if (!lost) await this.#release(held);
    if (error !== undefined && !lost) throw error;
    if (error !== undefined) logger.info("leader ended with its leadership", { lease: name, error });
    return lost;
  }

  /** @returns undefined when the signal aborted first */
  async #acquire(signal: AbortSignal): Promise<Held | undefined> {
    let seen: Observation | undefined;
    let told: { readonly why: string; readonly atMs: number } | undefined;
    while (!signal.aborted) {
      try {
        const found = await this.#look(this.#renewDeadlineMs, signal);
        const nowMs = this.#clock.now();
        if (found === undefined) {
          const made = await this.#create(signal);
          this.#neverSeen = undefined;
          return made;
        }
        this.#neverSeen = undefined;
        seen = observe(seen, found, nowMs);
        if (mayTake(seen, this.#options.identity, nowMs)) return await this.#take(found, this.#renewDeadlineMs, signal);
      } catch (error) {
        if (signal.aborted) return undefined;
        const { name, namespace, logger } = this.#options;
        const fields = { lease: name, namespace, error };
        const why = error instanceof Error ? error.message : String(error);
        if (this.#neverSeen !== undefined) this.#neverSeen = why;
        if (isConflict(error) || isAlreadyExists(error)) logger.debug("another candidate was faster", fields);
        else if (told?.why === why && this.#clock.now() - told.atMs < remindEveryMs)
          logger.debug("lease not taken, trying again", fields);
        else {
          logger.warn("lease not taken, trying again", fields);
          told = { why, atMs: this.#clock.now() };
        }
      }
      await sleep(this.#clock, this.#pauseMs(), signal);
    }
    return undefined;
  }

  /** @returns "lost" when the lease is another's, undefined when it is not known and worth another try */
  async #renew(held: Held, timeoutMs: number): Promise<Held | "lost" | undefined> {
    const { identity, logger, name } = this.#options;
    try {
      return await this.#take(held.lease, timeoutMs);
    } catch (error) {
      logger.warn("lease not renewed, trying again", { lease: name, error });
    }
    try {
      // It may have been our own renewal, whose answer was lost, that changed the version.
      const lease = await this.#look(this.#retryPeriodMs);
      if (lease === undefined || lease.spec?.holderIdentity !== identity) return "lost";
      held.lease = lease;
    } catch (error) {
      logger.warn("lease not read, trying again", { lease: name, error });
    }
    return undefined;
  }

  async #take(lease: Lease, timeoutMs: number, signal?: AbortSignal): Promise<Held> {
    const renewedAtMs = this.#clock.now();
    const spec = takenSpec(lease.spec, this.#options.identity, this.#durationSeconds, this.#clock.date());
    const taken = await this.#options.client.update(leases, { ...lease, spec }, callOptions(timeoutMs, signal));
    return { lease: taken, renewedAtMs };
  }

  async #create(signal: AbortSignal): Promise<Held> {
    const { namespace, name, identity, client } = this.#options;
    const renewedAtMs = this.#clock.now();
    const spec = takenSpec(undefined, identity, this.#durationSeconds, this.#clock.date());
    const manifest = { metadata: { namespace, name }, spec };
    return { lease: await client.create(leases, manifest, callOptions(this.#renewDeadlineMs, signal)), renewedAtMs };
  }

  async #look(timeoutMs: number, signal?: AbortSignal): Promise<Lease | undefined> {
    const { client, namespace, name } = this.#options;
    try {
      return await client.get(leases, { namespace, name }, callOptions(timeoutMs, signal));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** Best effort: when it fails, the next leader waits the lease's duration. */
  async #release(held: Held): Promise<void> {
    const { client, logger, name } = this.#options;
    try {
      const spec = releasedSpec(held.lease.spec, this.#clock.date());
      await client.update(leases, { ...held.lease, spec }, callOptions(this.#retryPeriodMs));
      logger.info("lease released", { lease: name });
    } catch (error) {
      logger.warn("lease not released", { lease: name, error });
    }
  }

  #pauseMs(): number {
    const random = (this.#options.random ?? Math.random)();
    return this.#retryPeriodMs * (0.8 + 0.4 * random);
  }
}

function callOptions(timeoutMs: number, signal?: AbortSignal) {
  return { timeoutMs: Math.max(1, timeoutMs), ...(signal === undefined ? {} : { signal }) };
}
