import { sleep } from "../../telemetry/clock.ts";
import { ServiceError } from "../http/service-error.ts";
import { StoreOutage } from "../queue/errors.ts";
import type { LeasedRecord, Settlement } from "../queue/interface.ts";
import { parentMissing, removedInCampaign, stillLinked } from "../queue/reasons.ts";
import type { EngineContext, MappingState } from "./context.ts";
import { fatalOf } from "./fatal.ts";
import { StubbornRefusals } from "./stubborn-refusals.ts";
import { Turn, type TurnEnd } from "./turn.ts";

const lookForDueEveryMs = 500;
/** Refusals that are this worker's own, before any call. */
const ofLinks: ReadonlySet<string> = new Set([parentMissing, stillLinked]);
/** A check of the metadata is asked for when a record is refused; it is tried again when there was time for one, then less and less often. */
const checkedAfterMs = 1000;
/** Nothing waits any more after these. */
const doneWith: ReadonlySet<Settlement["kind"]> = new Set(["Written", "Removed", "Left", "Dead"]);

interface Waiting {
  readonly record: LeasedRecord;
  readonly state: MappingState;
}

/**
 * Writes what is queued: leases records, takes their turns in parallel, settles them. Mappings have their turns in
 * rotation, so that none waits for another's backlog. While Campaign seems to be down, one record at a time finds out.
 */
export class Writer {
  readonly #context: EngineContext;
  readonly #states: readonly MappingState[];
  readonly #stubborn: ReadonlyMap<MappingState, StubbornRefusals>;
  readonly #turns = new Set<Promise<void>>();
  /** Leased and not begun: the store is asked for several at once. */
  readonly #leased: Waiting[] = [];
  /** A lease that is asked for while turns begin, so that it shares their flush to disk. */
  #ahead: Promise<void> | undefined;
  #rotation = 0;
  #noRoomUntil = 0;
  #news = Promise.withResolvers<void>();

  constructor(context: EngineContext, states: readonly MappingState[]) {
    this.#context = context;
    this.#states = states;
    this.#stubborn = new Map(states.map((state) => [state, new StubbornRefusals(context.settings)]));
  }

  /** There may be something to do. */
  wake(): void {
    this.#news.resolve();
  }

  /**
   * Runs until `stop` aborts and every turn under way has ended. `giveUp` ends the calls of those turns.
   * @throws FatalError
   */
  async run(stop: AbortSignal, giveUp: AbortSignal): Promise<void> {
    const failed = new AbortController();
    const end = AbortSignal.any([stop, failed.signal]);
    end.addEventListener("abort", () => this.wake(), { once: true });
    const fail = (error: unknown) => failed.abort(error);
    while (!end.aborted) {
      this.#news = Promise.withResolvers();
      const pauseMs = await this.#fill(giveUp, fail, end).catch((error: unknown) => this.#storeFailed(error, fail));
      if (end.aborted) break;
      if (pauseMs > 0) await this.#newsOr(pauseMs, end);
    }
    await Promise.all([...this.#turns, this.#ahead]);
    await this.#context.queue.giveBack(this.#leased.splice(0).map(({ record }) => record)).catch(() => undefined); // Their leases end by themselves.
    if (failed.signal.aborted) throw failed.signal.reason;
  }

  /** Starts turns. @returns how long to wait for news */
  async #fill(giveUp: AbortSignal, fail: (error: unknown) => void, end: AbortSignal): Promise<number> {
    const { health, settings, random, clock } = this.#context;
    if (clock.now() < this.#noRoomUntil) return this.#noRoomUntil - clock.now();
    const isDown = health.isDown("Campaign");
    // While the store fails, an answer may not be stored, and its call was in vain.
    const limit = isDown || this.#context.queue.outage !== undefined ? 1 : settings.parallelism;
    if (isDown && this.#turns.size === 0) await health.pause("Campaign", random(), end);
    while (!end.aborted && this.#turns.size < limit) {
      if (this.#leased.length === 0) await this.#ahead;
      const waiting = this.#leased.shift() ?? (await this.#lease(limit));
      if (waiting === undefined) return lookForDueEveryMs;
      const turn = this.#take(waiting, giveUp)
        .catch((error: unknown) => this.#turnFailed(error, fail))
        .finally(() => {
          this.#turns.delete(turn);
          this.wake();
        });
      this.#turns.add(turn);
    }
    if (this.#leased.length === 0 && limit > 1 && !end.aborted) this.#ahead ??= this.#leaseAhead(limit);
    return lookForDueEveryMs;
  }

  async #leaseAhead(limit: number): Promise<void> {
    try {
      const first = await this.#lease(limit);
      if (first !== undefined) this.#leased.unshift(first);
    } catch {
      // Whoever asks next is told.
    } finally {
      this.#ahead = undefined;
    }
  }

  async #lease(limit: number): Promise<Waiting | undefined> {
    const { queue, settings, clock } = this.#context;
    for (let tried = 0; tried < this.#states.length; tried++) {
      const state = this.#states[this.#rotation++ % this.#states.length];
      if (state?.plan === undefined || state.checkpoint.pause !== undefined || clock.now() < state.suspendedUntil)
        continue;
      const records = await queue.lease(state.mapping.table, isOnTrial(state) ? 1 : limit, settings.leaseMs);
      this.#leased.push(...records.map((record) => ({ record, state })));
      const first = this.#leased.shift();
      if (first !== undefined) return first;
      if (isOnTrial(state)) await this.#endTrialOfNothing(state);
    }
    return undefined;
  }

  async #take({ record, state }: Waiting, giveUp: AbortSignal): Promise<void> {
    const { queue } = this.#context;
    const { plan, checkpoint } = state;
    if (plan === undefined || this.#context.clock.now() < state.suspendedUntil) return queue.giveBack([record]);
    const { mappingHash } = checkpoint;
    const end = await new Turn(record, plan, { mappingHash, trust: state.trust }, this.#context, giveUp).take();
    if (end.settlement === undefined) return;
    const settlement = this.#judge(record, end, end.settlement, state);
    await queue.settle(record, settlement);
    this.#count(state, settlement);
    this.#tell(record, settlement, end.cause);
    const fatal = fatalOf(end.cause);
    if (fatal !== undefined) throw fatal;
  }

  #count({ speed }: MappingState, settlement: Settlement): void {
    const now = this.#context.clock.now();
    const isSent = (settlement.kind === "Written" || settlement.kind === "Removed") && settlement.sent;
    if (isSent) speed.written.add(1, now);
    if (doneWith.has(settlement.kind)) speed.done.add(1, now);
  }

  /** What Campaign refused is gone without its help: nobody is left to find out whether it still would. */
  async #endTrialOfNothing(state: MappingState): Promise<void> {
    const counts = await this.#context.queue.counts();
    const { pending = 0, parked = 0 } = counts.get(state.mapping.table) ?? {};
    if (pending > parked) return;
    state.wave.over();
    endBlock(state);
  }

  /** One bad record is buried; a wave of them suspends the mapping, and so does what meets every record of it. */
  #judge(record: LeasedRecord, { cause }: TurnEnd, settlement: Settlement, state: MappingState): Settlement {
    const { clock, logger, settings } = this.#context;
    if (cause instanceof ServiceError && cause.code === "EngineError") {
      return this.#afterEngineError(record, cause, settlement, state);
    }
    this.#stubborn.get(state)?.forget(record.id);
    if (settlement.kind !== "Dead") state.requests.forget(record.id);
    if ((settlement.kind === "Written" || settlement.kind === "Removed") && settlement.sent) {
      state.wave.over();
      endBlock(state);
      this.#stubborn.get(state)?.written();
      return settlement;
    }
    if (settlement.kind === "Retry" && cause instanceof ServiceError && cause.scope === "Mapping") {
      state.block = { reason: cause.code, message: cause.message };
      state.requests.ask();
      state.suspendedUntil = clock.now() + settings.lookAgainMs;
      return settlement;
    }
    // Nobody was asked, or nobody answered: whether the next would be refused is as open as before.
    if (settlement.kind !== "Dead" || ofLinks.has(settlement.refusal.reason)) return settlement;
    endBlock(state);
    const { reason, message } = settlement.refusal;
    const now = clock.now();
    const undecidedMs = maybeOfTheSchema(reason, cause)
      ? state.requests.undecidedMs(record.id, now, settings.freshCheckMs)
      : undefined;
    if (undecidedMs !== undefined) {
      // Where no check can be made, a wave of refusals would take all calls.
      if (state.requests.undecided >= settings.waveRefusals) state.suspendedUntil = now + settings.freshCheckMs;
      const afterMs = Math.min(Math.max(checkedAfterMs, undecidedMs), settings.lookAgainMs);
      return { kind: "Retry", before: settlement.before, afterMs, counts: false };
    }
    // That one was this worker's decision: Campaign refused nothing.
    if (reason === removedInCampaign) return settlement;
    const code = cause instanceof ServiceError ? cause.serviceCode : undefined;
    const wasWave = state.wave.wave !== undefined;
    if (state.wave.refused(`${reason} ${code}`, message) === "Bury") return settlement;
    state.suspendedUntil = clock.now() + settings.lookAgainMs;
    const mapping = state.mapping.table;
    if (!wasWave)
      logger.warn("mapping.suspended", { mapping, cause: state.wave.wave, refusals: settings.waveRefusals });
    return { kind: "Retry", before: settlement.before, afterMs: 0, counts: false };
  }

  /** It is tried again, until it turns out that the record is the cause. */
  #afterEngineError(
    record: LeasedRecord,
    cause: ServiceError,
    settlement: Settlement,
    state: MappingState,
  ): Settlement {
    const { clock, health } = this.#context;
    const answer = `${record.version} ${cause.message}`;
    const at = { now: clock.now(), answeredAt: health.answeredAt("Campaign") };
    const evidence = this.#stubborn.get(state)?.refused(record.id, answer, at);
    const before = settlement.kind === "Retry" ? settlement.before : record.written;
    // Of a write that may have been done something must be left, so that a deletion at the source still follows it.
    const isDefinite = settlement.kind === "Retry" || (before !== undefined && before.certainty !== "Known");
    if (evidence === undefined || !isDefinite) return settlement;
    const message = `${cause.message}; again and again, while ${evidence}`;
    const { version } = record;
    const refusal = { reason: cause.code, message };
    return { kind: "Dead", before, refusal, ...(version === undefined ? {} : { version }) };
  }

  #tell({ mapping, id, attempts }: LeasedRecord, settlement: Settlement, cause: unknown): void {
    const { logger, failures, now } = this.#context;
    if (cause === undefined || (settlement.kind !== "Retry" && settlement.kind !== "Unknown")) {
      failures.forget(mapping, id);
    }
    switch (settlement.kind) {
      case "Dead":
        logger.warn("record.refused", {
          mapping,
          id,
          reason: settlement.refusal.reason,
          why: settlement.refusal.message,
        });
        return;
      case "Unknown":
      case "Retry":
        if (cause instanceof ServiceError && cause.code === "Aborted") return;
        if (cause instanceof ServiceError) {
          const { code, message } = cause;
          failures.put(mapping, id, { at: new Date(now()).toISOString(), code, message });
          logger.debug("record.try-again", { mapping, id, attempts, settled: settlement.kind, code, why: message });
        } else if (cause !== undefined) logger.error("record.failed", { mapping, id, attempts, error: cause });
        return;
      default:
        logger.debug("record.settled", { mapping, id, settled: settlement.kind });
    }
  }

  #turnFailed(error: unknown, fail: (error: unknown) => void): void {
    const { clock, settings } = this.#context;
    const fatal = fatalOf(error);
    if (fatal !== undefined) fail(fatal);
    else if (error instanceof StoreOutage) this.#noRoomUntil = clock.now() + settings.fullStorePauseMs;
    else this.#context.logger.error("record.not-settled", { error });
  }

  #storeFailed(error: unknown, fail: (error: unknown) => void): number {
    this.#turnFailed(error, fail);
    return lookForDueEveryMs;
  }

  async #newsOr(delayMs: number, end: AbortSignal): Promise<void> {
    const waited = new AbortController();
    const timer = sleep(this.#context.clock, delayMs, AbortSignal.any([end, waited.signal]));
    await Promise.race([this.#news.promise, timer]);
    waited.abort();
  }
}

/** After a wave or a block, one record finds out whether it is over. */
function isOnTrial({ wave, block }: MappingState): boolean {
  return wave.wave !== undefined || block !== undefined;
}

/** Whether a change of the metadata may be why a record is refused, and not what it holds. */
function maybeOfTheSchema(reason: string, cause: unknown): boolean {
  return cause instanceof ServiceError || reason === removedInCampaign || reason === "ConversionFailed";
}

/** What the writer met is over; a mapping without a plan was blocked by its reader, which looks at it again. */
function endBlock(state: MappingState): void {
  if (state.plan !== undefined) state.block = undefined;
}
