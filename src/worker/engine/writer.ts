import { ServiceError } from "../http/service-error.ts";
import { StoreOutage } from "../queue/errors.ts";
import { parentMissing, removedInCampaign, stillLinked } from "../queue/reasons.ts";
import type { LeasedRecord, Settlement } from "../queue/turn.ts";
import { AnswersInHand } from "./answers-in-hand.ts";
import type { EngineContext, MappingState } from "./context.ts";
import { fatalOf } from "./fatal.ts";
import { StubbornRefusals } from "./stubborn-refusals.ts";
import { Turn, type TurnEnd } from "./turn.ts";
import { TurnLoop } from "./turn-loop.ts";

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
  readonly #loop: TurnLoop;
  /** Leased and not begun: the store is asked for several at once. */
  readonly #leased: Waiting[] = [];
  readonly #answers: AnswersInHand;
  /** A lease that is asked for while turns begin, so that it shares their flush to disk. */
  #ahead: Promise<void> | undefined;
  #rotation = 0;
  #noRoomUntil = 0;

  constructor(context: EngineContext, states: readonly MappingState[]) {
    this.#context = context;
    this.#states = states;
    this.#answers = new AnswersInHand(context);
    this.#loop = new TurnLoop(context.clock, (error) => this.#failed(error));
    this.#stubborn = new Map(states.map((state) => [state, new StubbornRefusals(context.settings)]));
  }

  /** There may be something to do. */
  wake(): void {
    this.#loop.wake();
  }

  /**
   * Runs until `stop` aborts and every turn under way has ended. `giveUp` ends the calls of those turns.
   * @throws FatalError
   */
  async run(stop: AbortSignal, giveUp: AbortSignal): Promise<void> {
    try {
      await this.#loop.run(stop, (end) => this.#fill(giveUp, end));
    } finally {
      await this.#ahead;
      await this.#context.queue.giveBack(this.#leased.splice(0).map(({ record }) => record)).catch(() => undefined); // Their leases end by themselves.
    }
  }

  /** Starts turns. @returns how long to wait for news at most, if that is not as usual */
  async #fill(giveUp: AbortSignal, end: AbortSignal): Promise<number | undefined> {
    const { health, settings, random, clock } = this.#context;
    if (clock.now() < this.#noRoomUntil) return this.#noRoomUntil - clock.now();
    const isDown = health.isDown("Campaign");
    // While the store fails, an answer may not be stored, and its call was in vain.
    const limit = isDown || this.#context.queue.outage !== undefined ? 1 : settings.parallelism;
    if (isDown && this.#loop.underWay === 0) await health.pause("Campaign", random(), end);
    while (!end.aborted && this.#loop.underWay < limit) {
      if (this.#answers.any) return undefined;
      if (this.#leased.length === 0) await this.#ahead;
      const waiting = this.#leased.shift() ?? (await this.#lease(limit));
      if (waiting === undefined) return undefined;
      this.#loop.add(this.#take(waiting, giveUp, end));
    }
    if (this.#leased.length === 0 && limit > 1 && !end.aborted) this.#ahead ??= this.#leaseAhead(limit);
    return undefined;
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

  async #take({ record, state }: Waiting, giveUp: AbortSignal, stop: AbortSignal): Promise<void> {
    const { queue } = this.#context;
    const { plan, checkpoint } = state;
    if (plan === undefined || this.#context.clock.now() < state.suspendedUntil) return queue.giveBack([record]);
    const { mappingHash } = checkpoint;
    const end = await new Turn(record, plan, { mappingHash, trust: state.trust }, this.#context, giveUp).take();
    if (end.settlement === undefined) return;
    const settlement = this.#judge(record, end, end.settlement, state);
    await this.#answers.store(() => queue.settle(record, settlement), stop);
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
    const { clock, settings } = this.#context;
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
    if (state.wave.refused(`${reason} ${code}`, message) === "Bury") return settlement;
    state.suspendedUntil = clock.now() + settings.lookAgainMs;
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

  /** @returns what ends everything */
  #failed(error: unknown): Error | undefined {
    const { clock, settings } = this.#context;
    const fatal = fatalOf(error);
    if (fatal !== undefined) return fatal;
    if (error instanceof StoreOutage) this.#noRoomUntil = clock.now() + settings.fullStorePauseMs;
    else this.#context.logger.error("record.not-settled", { error });
    return undefined;
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
