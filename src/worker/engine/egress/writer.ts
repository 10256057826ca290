import { sleep } from "../../../telemetry/clock.ts";
import { doesNotExist } from "../../dataverse/refusal.ts";
import type { Creation, NewRow } from "../../dataverse/row-creation.ts";
import { activityOf } from "../../flows/egress/activity.ts";
import { ServiceError } from "../../http/service-error.ts";
import { StoreOutage } from "../../queue/errors.ts";
import type { Refusal } from "../../queue/page.ts";
import type { LeasedRecord, Settlement } from "../../queue/turn.ts";
import { AnswersInHand } from "../answers-in-hand.ts";
import { fatalOf } from "../fatal.ts";
import { backoffMs } from "../health.ts";
import { contactsOf, missingContact } from "./contacts.ts";
import type { EgressContext, Fit, KindState } from "./context.ts";
import type { EventSearch, Search } from "./event-search.ts";
import { placeInWords, type QueuedEvent, queuedEvent } from "./queued-event.ts";

const lookForDueEveryMs = 500;
/** Rows a call. A bulk that is refused is halved again and again, so it is not large. */
const rowsAtOnce = 100;
const searchAgainMs = 2000;
/** Of a lease, what remains for storing what became of its rows. */
const storingMs = 1000;

const nothingSent: Settlement = { kind: "Removed", sent: false };

/** What became of an event, and where it was read. */
interface Made {
  readonly record: LeasedRecord;
  readonly what: Creation | Refusal | Exclude<Search, QueuedEvent>;
  readonly queued?: QueuedEvent;
}

/**
 * Makes the activities of queued events: leases a batch, finds its contacts, creates its rows, settles each. Nothing is
 * remembered of an event that is done: its id is its own, and a row that is there is never touched, so doing it once more
 * does no harm.
 */
export class EgressWriter {
  readonly #context: EgressContext;
  readonly #search: EventSearch;
  readonly #ownerId: string;
  readonly #answers: AnswersInHand;

  /** @param ownerId the application user */
  constructor(context: EgressContext, search: EventSearch, ownerId: string) {
    this.#context = context;
    this.#search = search;
    this.#ownerId = ownerId;
    this.#answers = new AnswersInHand(context);
  }

  /**
   * Writes the events of one kind, several batches at once, until `stop` aborts and what was under way has ended; `giveUp`
   * ends its calls.
   * @throws FatalError
   */
  async run(state: KindState, stop: AbortSignal, giveUp: AbortSignal): Promise<void> {
    const ends = new AbortController();
    const end = AbortSignal.any([stop, ends.signal]);
    const lanes = Array.from({ length: this.#context.batchesAtOnce }, (_, lane) =>
      this.#runLane(state, lane === 0, end, giveUp).catch((error: unknown) => ends.abort(error)),
    );
    await Promise.all(lanes);
    if (ends.signal.aborted) throw ends.signal.reason;
  }

  /** @param isFirst of the kind: it alone tries whether a trouble is over */
  async #runLane(state: KindState, isFirst: boolean, stop: AbortSignal, giveUp: AbortSignal): Promise<void> {
    const { clock, health, settings, random, logger } = this.#context;
    while (!stop.aborted) {
      if (health.isDown("Dataverse")) await health.pause("Dataverse", random(), stop);
      if (stop.aborted) return;
      try {
        if (await this.#writeSome(state, isFirst, stop, giveUp)) continue;
        await sleep(clock, lookForDueEveryMs, stop);
      } catch (error) {
        const fatal = fatalOf(error);
        if (fatal !== undefined) throw fatal;
        if (!(error instanceof StoreOutage)) logger.error("events.not-written", { mapping: state.kind, error });
        await sleep(clock, settings.fullStorePauseMs, stop);
      }
    }
  }

  /** @returns whether there may be more to do at once */
  async #writeSome(state: KindState, isFirst: boolean, stop: AbortSignal, giveUp: AbortSignal): Promise<boolean> {
    const { clock, queue, settings, health } = this.#context;
    const { fit } = state;
    if (fit === undefined || clock.now() < state.suspendedUntil || this.#answers.any) return false;
    const isOnTrial = state.wave.wave !== undefined || state.block !== undefined || health.isDown("Dataverse");
    if (isOnTrial && !isFirst) return false;
    const records = await queue.lease(state.kind, isOnTrial ? 1 : rowsAtOnce, settings.leaseMs);
    if (records.length === 0) {
      if (isOnTrial) await this.#endTrialOfNothing(state);
      return false;
    }
    // No call outlives the lease of its rows.
    const late = new AbortController();
    const cancel = clock.schedule(settings.leaseMs - storingMs, () => late.abort(new Error("the lease is over")));
    try {
      await this.#settle(await this.#write(records, fit, AbortSignal.any([giveUp, late.signal])), state, fit, stop);
    } finally {
      cancel();
    }
    return !giveUp.aborted && records.length === rowsAtOnce;
  }

  /** What was refused is gone without Dataverse's help: nothing is left to find out whether it still would. */
  async #endTrialOfNothing(state: KindState): Promise<void> {
    const counts = await this.#context.queue.counts();
    if ((counts.get(state.kind)?.pending ?? 0) === 0) runs(state);
  }

  async #write(records: readonly LeasedRecord[], fit: Fit, signal: AbortSignal): Promise<readonly Made[]> {
    const made: Made[] = [];
    const queued = new Map<LeasedRecord, QueuedEvent>();
    for (const record of records) {
      const { id, content, version } = record;
      const event = content === undefined ? this.#search.ask(id, version) : queuedEvent(content.payload);
      if (typeof event === "string") made.push({ record, what: event });
      else queued.set(record, event);
    }
    const rows = await this.#rowsOf(queued, fit, made, signal);
    const { createNew, createEach } = this.#creating(fit, signal);
    const fresh = [...rows.keys()].filter(({ attempts }) => attempts === 0);
    const again = [...rows.keys()].filter(({ attempts }) => attempts > 0);
    for (const [those, create] of [
      [fresh, createNew],
      [again, createEach],
    ] as const) {
      if (those.length === 0) continue;
      const creations = await create(those.flatMap((record) => rows.get(record) ?? []));
      for (const [index, record] of those.entries()) {
        made.push({ record, what: creations[index] ?? "There", ...whereOf(queued.get(record)) });
      }
    }
    return made;
  }

  /** The rows to create; an event that can have none goes to `made`. */
  async #rowsOf(
    queued: ReadonlyMap<LeasedRecord, QueuedEvent>,
    fit: Fit,
    made: Made[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<LeasedRecord, NewRow>> {
    const { egress, configuration, lookups } = this.#context;
    const keys = [...queued.values()].map(({ event }) => event.contactKey);
    const contactOf = await contactsOf(keys, fit.contactKey, lookups, signal);
    const rows = new Map<LeasedRecord, NewRow>();
    let failure: ServiceError | undefined;
    for (const [record, where] of queued) {
      const contact = contactOf(where.event.contactKey);
      if (contact instanceof ServiceError) failure = contact;
      if (contact instanceof ServiceError || "reason" in contact) {
        made.push({ record, what: contact, queued: where });
        continue;
      }
      const { row } = activityOf(where.event, {
        instanceUrl: configuration.spec.campaign.url,
        names: egress.activities,
        ownerId: this.#ownerId,
        contactId: contact.id,
        regardingProperty: fit.regardingProperty,
      });
      rows.set(record, { id: record.id, row });
    }
    const wasAsked = fit.contactKey.kind === "Column" && keys.length > 0;
    if (wasAsked) await this.#tellHealth(failure);
    return rows;
  }

  async #settle(made: readonly Made[], state: KindState, fit: Fit, stop: AbortSignal): Promise<void> {
    const { queue, clock, logger } = this.#context;
    const { kind } = state;
    const counted: Record<string, number> = {};
    await Promise.all(
      made.map(async ({ record, what, queued }) => {
        const settlement = at(queued, this.#settlementOf(record, what, state, fit));
        const outcome = typeof what === "string" ? what : settlement.kind;
        counted[outcome] = (counted[outcome] ?? 0) + 1;
        if (settlement.kind === "Dead") {
          const { reason, message } = settlement.refusal;
          logger.warn("record.refused", { mapping: kind, id: record.id, reason, why: message });
        }
        await this.#answers.store(() => queue.settle(record, settlement), stop);
        if (record.content === undefined && settlement.kind !== "Retry") this.#search.forget(record.id);
      }),
    );
    state.written.add(counted["Created"] ?? 0, clock.now());
    const failure = made.map(({ what }) => what).find((what) => what instanceof ServiceError);
    logger.debug("events.settled", {
      mapping: kind,
      ...counted,
      ...(failure === undefined ? {} : { why: failure.message }),
    });
    for (const { what } of made) {
      const fatal = fatalOf(what);
      if (fatal !== undefined) throw fatal;
    }
  }

  #settlementOf(record: LeasedRecord, what: Made["what"], state: KindState, fit: Fit): Settlement {
    const { clock, settings, random } = this.#context;
    if (what === "Created" || what === "There") {
      runs(state);
      return what === "Created" ? { kind: "Removed", sent: true } : nothingSent;
    }
    if (what === "Searching") return retry(searchAgainMs, false);
    if (what === "Gone") return dead(eventGone);
    if (!(what instanceof ServiceError)) return dead(what);
    // What was definitely not done was not tried either: it may be made in bulk still.
    const counts = what.outcome === "Unknown";
    if (what.code === "Aborted") return retry(0, counts);
    if (what.scope === "Service") {
      const afterMs = Math.max((what.retryAfterSeconds ?? 0) * 1000, backoffMs(record.attempts + 1, random()));
      return retry(afterMs, counts);
    }
    if (what.scope === "Mapping") {
      if (state.block === undefined) {
        this.#context.logger.warn("mapping.blocked", { mapping: state.kind, reason: what.code, message: what.message });
      }
      state.block = { reason: what.code, message: what.message };
      state.suspendedUntil = clock.now() + settings.lookAgainMs;
      return retry(0, counts);
    }
    // Contacts go, and their events are refused one by one, however many they are.
    if (what.serviceCode === doesNotExist) return dead(missingContact(fit.contactKey));
    if (state.wave.refused(`${what.code} ${what.serviceCode}`, what.message) === "Bury") {
      return dead({ reason: what.code, message: what.message });
    }
    state.suspendedUntil = clock.now() + settings.lookAgainMs;
    return retry(0, false);
  }

  /** What comes back is told to the health: the client gives failures back, row by row. */
  #creating({ table }: Fit, signal: AbortSignal) {
    const { rows } = this.#context;
    const observed =
      (create: typeof rows.createNew) =>
      async (those: readonly NewRow[]): Promise<readonly Creation[]> => {
        const creations = await create.call(rows, table, those, signal);
        await this.#tellHealth(creations.find((made) => made instanceof ServiceError && made.scope === "Service"));
        return creations;
      };
    return { createNew: observed(rows.createNew), createEach: observed(rows.createEach) };
  }

  /** @param failure that concerns all; absent: Dataverse has answered */
  async #tellHealth(failure: Creation | undefined): Promise<void> {
    await this.#context.health
      .observe("Dataverse", async () => {
        if (failure instanceof ServiceError) throw failure;
      })
      .catch(() => undefined); // Its rows carry it.
  }
}

const eventGone: Refusal = {
  reason: "EventGone",
  message: "no exported file that can be read has the event any longer: export its log again",
};

function retry(afterMs: number, counts: boolean): Settlement {
  return { kind: "Retry", before: undefined, afterMs, counts };
}

function dead(refusal: Refusal): Settlement {
  return { kind: "Dead", before: undefined, refusal };
}

function whereOf(queued: QueuedEvent | undefined): { readonly queued?: QueuedEvent } {
  return queued === undefined ? {} : { queued };
}

/** A refusal says where its event was read: what it was is not kept. */
function at(queued: QueuedEvent | undefined, settlement: Settlement): Settlement {
  if (queued === undefined || settlement.kind !== "Dead") return settlement;
  const { reason, message } = settlement.refusal;
  return dead({ reason, message: `${message}; it is ${placeInWords(queued.place)}` });
}

/** What the writer met is over, or nothing waits any more; a kind without a table is looked at again in time. */
function runs(state: KindState): void {
  state.wave.over();
  if (state.fit !== undefined) state.block = undefined;
}
