import { keptOf, nothingKept } from "../../flows/opt-in-out/kept.ts";
import { toldOf } from "../../flows/opt-in-out/told.ts";
import { ServiceError } from "../../http/service-error.ts";
import type { ContactEnd } from "../../queue/contacts.ts";
import { StoreOutage } from "../../queue/errors.ts";
import type { LeasedRecord } from "../../queue/turn.ts";
import { AnswersInHand } from "../answers-in-hand.ts";
import { fatalOf } from "../fatal.ts";
import { backoffMs } from "../health.ts";
import { TurnLoop } from "../turn-loop.ts";
import { contactsMapping, type OptInOutContext, planInForce } from "./context.ts";
import { ContactTurn, LeaseOver, outcomeRecords, type TurnEnd } from "./turn.ts";

/** An opt-out is never given up: what is refused is tried again, less and less often. */
const longestRefusedMs = 3_600_000;
const firstProfileLookMs = 15_000;
const longestProfileLookMs = 3_600_000;

/**
 * Decides the contacts that wait: leases them, takes their turns in parallel, stores how they ended. While a system seems
 * to be down, one contact at a time finds out.
 */
export class Decider {
  readonly #context: OptInOutContext;
  readonly #loop: TurnLoop;
  readonly #answers: AnswersInHand;
  #noRoomUntil = 0;

  constructor(context: OptInOutContext) {
    this.#context = context;
    this.#answers = new AnswersInHand(context);
    this.#loop = new TurnLoop(context.clock, (error) => this.#failed(error));
  }

  /** There may be something to do. */
  wake(): void {
    this.#loop.wake();
  }

  /**
   * Runs until `stop` aborts and every turn under way has ended. `giveUp` ends the calls of those turns.
   * @throws FatalError
   */
  run(stop: AbortSignal, giveUp: AbortSignal): Promise<void> {
    return this.#loop.run(stop, async (end) => ((await this.#fill(giveUp, end)) ? 0 : undefined));
  }

  /** Starts turns. @returns whether there may be more to start at once */
  async #fill(giveUp: AbortSignal, end: AbortSignal): Promise<boolean> {
    const { clock, health, queue, random, settings, state } = this.#context;
    const plan = planInForce(state);
    if (plan === undefined || clock.now() < Math.max(this.#noRoomUntil, state.suspendedUntil)) return false;
    if (this.#answers.any) return false;
    const down = (["Dataverse", "Campaign"] as const).find((service) => health.isDown(service));
    const isOnTrial = down !== undefined || queue.outage !== undefined || this.#isOnTrial;
    if (down !== undefined && this.#loop.underWay === 0) await health.pause(down, random(), end);
    const room = (isOnTrial ? 1 : settings.parallelism) - this.#loop.underWay;
    if (room <= 0 || end.aborted) return false;
    const records = await queue.lease(contactsMapping, room, settings.leaseMs);
    if (records.length === 0) {
      // What was refused is gone without help: nobody is left to find out whether it still would be.
      if (this.#loop.underWay === 0 && this.#isOnTrial) await this.#endTrialOfNothing();
      return false;
    }
    const kept = await queue.contacts.agreements(
      contactsMapping,
      records.map(({ id }) => id),
    );
    for (const record of records) {
      this.#loop.add(this.#take(record, kept.get(record.id), giveUp, end));
    }
    return records.length === room && !isOnTrial;
  }

  async #take(
    record: LeasedRecord,
    agreement: string | undefined,
    giveUp: AbortSignal,
    stop: AbortSignal,
  ): Promise<void> {
    const { queue, state, clock, audit, now } = this.#context;
    const plan = planInForce(state);
    if (plan === undefined || clock.now() < state.suspendedUntil) return queue.giveBack([record]);
    const kept = agreement === undefined ? nothingKept : keptOf(agreement);
    // Without anything told, both systems are read.
    const told = record.content === undefined ? ({ dynamics: "Look" } as const) : toldOf(record.content.payload);
    const turn = new ContactTurn({ record, told, kept }, plan, this.#context, giveUp);
    const ended = await turn.take();
    const end = await this.#endOf(record, ended);
    const isKept = await this.#answers.store(() => queue.contacts.end(record, ended.kept, end), stop);
    if (isKept) this.#count(ended);
    const outcomes = outcomeRecords(record.id, ended.outcomes, new Date(now()));
    await this.#answers.store(() => audit.append(outcomes), stop);
    this.#tell(record, ended);
    const fatal = fatalOf(ended.cause);
    if (fatal !== undefined) throw fatal;
  }

  async #endOf(record: LeasedRecord, { end, cause }: TurnEnd): Promise<ContactEnd> {
    switch (end.kind) {
      case "Decided":
        this.#runs();
        return end;
      case "Unanswered":
        return end;
      case "Park":
        this.#runs();
        return { kind: "Later", afterMs: await this.#profileLookMs(record), parked: true, sent: end.sent };
      case "TryAgain":
        return { kind: "Later", afterMs: this.#againMs(record, cause), parked: false, sent: end.sent };
    }
  }

  /** Who has waited long waits longer; and all together take a small part of Campaign's calls. */
  async #profileLookMs({ attempts }: LeasedRecord): Promise<number> {
    const { queue, profileLooksPerSecond, random } = this.#context;
    const parked = (await queue.counts()).get(contactsMapping)?.parked ?? 0;
    const patient = Math.min(longestProfileLookMs, firstProfileLookMs * 2 ** Math.min(attempts, 20));
    return Math.max(patient, (parked * 1000) / profileLooksPerSecond) * (0.75 + random() / 2);
  }

  #againMs({ attempts }: LeasedRecord, cause: unknown): number {
    const { clock, settings, state, random, logger } = this.#context;
    const patient = backoffMs(attempts + 1, random());
    if (!(cause instanceof ServiceError)) return patient;
    if (cause.code === "Aborted") return 0;
    if (cause.scope === "Mapping") {
      if (state.block === undefined) {
        logger.warn("mapping.blocked", { mapping: contactsMapping, reason: cause.code, message: cause.message });
      }
      state.block = { reason: cause.code, message: cause.message };
      state.isLookAsked = true;
      state.suspendedUntil = clock.now() + settings.lookAgainMs;
      return 0;
    }
    if (cause.scope === "Service" && cause.code !== "EngineError") {
      return Math.max(patient, (cause.retryAfterSeconds ?? 0) * 1000);
    }
    const refused = Math.min(longestRefusedMs, 1000 * 2 ** Math.min(attempts, 20));
    if (cause.scope === "Service") return Math.max(patient, refused);
    state.isLookAsked = true;
    if (state.wave.refused(`${cause.code} ${cause.serviceCode}`, cause.message) === "Bury") return refused;
    state.suspendedUntil = clock.now() + settings.lookAgainMs;
    return 0;
  }

  /** What was met is over. */
  #runs(): void {
    const { state } = this.#context;
    state.wave.over();
    if (state.plan !== undefined) state.block = undefined;
  }

  get #isOnTrial(): boolean {
    const { block, wave } = this.#context.state;
    return block !== undefined || wave.wave !== undefined;
  }

  async #endTrialOfNothing(): Promise<void> {
    const { pending = 0, parked = 0 } = (await this.#context.queue.counts()).get(contactsMapping) ?? {};
    if (pending <= parked) this.#runs();
  }

  #count({ end }: TurnEnd): void {
    const { state, clock } = this.#context;
    if (end.kind !== "Unanswered" && end.sent) state.written.add(1, clock.now());
    if (end.kind === "Decided" || end.kind === "Park") state.done.add(1, clock.now());
  }

  #tell({ id, attempts }: LeasedRecord, { end, cause }: TurnEnd): void {
    const { logger, failures, now } = this.#context;
    failures.forget(contactsMapping, id);
    if (cause === undefined) logger.debug("contact.decided", { id, ended: end.kind });
    else if (!(cause instanceof ServiceError)) logger.error("contact.failed", { id, attempts, error: cause });
    else if (cause.code !== "Aborted") {
      const { code, message } = cause;
      failures.put(contactsMapping, id, { at: new Date(now()).toISOString(), code, message });
      const level = cause.scope === "Record" ? "warn" : "debug";
      logger[level]("contact.try-again", { id, attempts, ended: end.kind, code, why: message });
    }
  }

  /** @returns what ends everything */
  #failed(error: unknown): Error | undefined {
    const { clock, settings, logger } = this.#context;
    const fatal = fatalOf(error);
    if (fatal !== undefined) return fatal;
    if (error instanceof LeaseOver) logger.warn("contact.lease-over", {});
    else {
      // Nothing may be written that cannot be stored and audited. What was begun is tried again when its lease is over.
      this.#noRoomUntil = clock.now() + settings.fullStorePauseMs;
      if (!(error instanceof StoreOutage)) logger.error("contact.not-settled", { error });
    }
    return undefined;
  }
}
