import { sleep } from "../../../telemetry/clock.ts";
import { doesNotExist } from "../../dataverse/refusal.ts";
import type { Creation, NewRow } from "../../dataverse/row-creation.ts";
import { activityOf } from "../../flows/egress/activity.ts";
import type { EmailEvent } from "../../flows/egress/events.ts";
import { ServiceError } from "../../http/service-error.ts";
import { StoreOutage } from "../../queue/errors.ts";
import type { LeasedRecord, Refusal, Settlement } from "../../queue/interface.ts";
import { fatalOf } from "../fatal.ts";
import { backoffMs } from "../health.ts";
import type { EgressContext, KindState } from "./context.ts";

const lookForDueEveryMs = 500;
/** Rows a call. A bulk that is refused is halved again and again, so it is not large. */
const rowsAtOnce = 100;
/** Of a lease, what remains for storing what became of its rows. */
const storingMs = 1000;

const nothingSent: Settlement = { kind: "Removed", sent: false };

/**
 * Makes the activities of queued events: leases a batch, creates its rows, settles each. Nothing is remembered of an event
 * that is done: its id is its own, and a row that is there is never touched, so doing it once more does no harm.
 */
export class EgressWriter {
  readonly #context: EgressContext;
  readonly #ownerId: string;

  /** @param ownerId the application user */
  constructor(context: EgressContext, ownerId: string) {
    this.#context = context;
    this.#ownerId = ownerId;
  }

  /**
   * Writes the events of one kind until `stop` aborts and what was under way has ended; `giveUp` ends its calls.
   * @throws FatalError
   */
  async run(state: KindState, stop: AbortSignal, giveUp: AbortSignal): Promise<void> {
    const { clock, health, settings, random, logger } = this.#context;
    while (!stop.aborted) {
      if (health.isDown("Dataverse")) await health.pause("Dataverse", random(), stop);
      if (stop.aborted) return;
      try {
        if (await this.#writeSome(state, giveUp)) continue;
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
  async #writeSome(state: KindState, giveUp: AbortSignal): Promise<boolean> {
    const { clock, queue, settings, health } = this.#context;
    if (state.table === undefined || clock.now() < state.suspendedUntil) return false;
    const isOnTrial = state.wave.wave !== undefined || state.block !== undefined || health.isDown("Dataverse");
    const records = await queue.lease(state.kind, isOnTrial ? 1 : rowsAtOnce, settings.leaseMs);
    if (records.length === 0) {
      runs(state);
      return false;
    }
    // No call outlives the lease of its rows.
    const late = new AbortController();
    const cancel = clock.schedule(settings.leaseMs - storingMs, () => late.abort(new Error("the lease is over")));
    try {
      await this.#write(records, state, AbortSignal.any([giveUp, late.signal]));
    } finally {
      cancel();
    }
    return !giveUp.aborted;
  }

  async #write(records: readonly LeasedRecord[], state: KindState, signal: AbortSignal): Promise<void> {
    const made: (readonly [LeasedRecord, Creation | Refusal])[] = [];
    const rows = new Map<LeasedRecord, NewRow>();
    for (const record of records) {
      const row = this.#rowOf(record, state);
      if ("reason" in row) made.push([record, row]);
      else rows.set(record, row);
    }
    const { createNew, createEach } = this.#creating(state, signal);
    const fresh = [...rows.keys()].filter(({ attempts }) => attempts === 0);
    const again = [...rows.keys()].filter(({ attempts }) => attempts > 0);
    for (const [those, create] of [
      [fresh, createNew],
      [again, createEach],
    ] as const) {
      if (those.length === 0) continue;
      const creations = await create(those.flatMap((record) => rows.get(record) ?? []));
      for (const [index, record] of those.entries()) made.push([record, creations[index] ?? "There"]);
    }
    await this.#settle(made, state);
  }

  async #settle(made: readonly (readonly [LeasedRecord, Creation | Refusal])[], state: KindState): Promise<void> {
    const { queue, clock, logger } = this.#context;
    const { kind } = state;
    const counted: Record<string, number> = {};
    await Promise.all(
      made.map(async ([record, what]) => {
        const settlement = this.#settlementOf(record, what, state);
        const outcome = typeof what === "string" ? what : settlement.kind;
        counted[outcome] = (counted[outcome] ?? 0) + 1;
        if (settlement.kind === "Dead") {
          const { reason, message } = settlement.refusal;
          logger.warn("record.refused", { mapping: kind, id: record.id, reason, why: message });
        }
        await queue.settle(record, settlement);
      }),
    );
    state.written.add(counted["Created"] ?? 0, clock.now());
    const failure = made.map(([, what]) => what).find((what) => what instanceof ServiceError);
    logger.debug("events.settled", {
      mapping: kind,
      ...counted,
      ...(failure === undefined ? {} : { why: failure.message }),
    });
    for (const [, what] of made) {
      const fatal = fatalOf(what);
      if (fatal !== undefined) throw fatal;
    }
  }

  #settlementOf(record: LeasedRecord, what: Creation | Refusal, state: KindState): Settlement {
    const { clock, settings, random } = this.#context;
    if (what === "Created" || what === "There") {
      runs(state);
      return what === "Created" ? { kind: "Removed", sent: true } : nothingSent;
    }
    const retry = (afterMs: number, counts: boolean): Settlement => ({
      kind: "Retry",
      before: undefined,
      afterMs,
      counts,
    });
    const dead = (refusal: Refusal): Settlement => ({ kind: "Dead", before: undefined, refusal });
    if (!(what instanceof ServiceError)) return dead(what);
    if (what.code === "Aborted") return retry(0, true);
    if (what.scope === "Service") {
      const afterMs = Math.max((what.retryAfterSeconds ?? 0) * 1000, backoffMs(record.attempts + 1, random()));
      return retry(afterMs, true);
    }
    if (what.scope === "Mapping") {
      if (state.block === undefined) {
        this.#context.logger.warn("mapping.blocked", { mapping: state.kind, reason: what.code, message: what.message });
      }
      state.block = { reason: what.code, message: what.message };
      state.suspendedUntil = clock.now() + settings.lookAgainMs;
      return retry(0, true);
    }
    // Contacts go, and their events are refused one by one, however many they are.
    if (what.serviceCode === doesNotExist) {
      return dead({
        reason: "ContactMissing",
        message: "Dataverse has no contact of the event's key (column contactId)",
      });
    }
    if (state.wave.refused(`${what.code} ${what.serviceCode}`, what.message) === "Bury") {
      return dead({ reason: what.code, message: what.message });
    }
    state.suspendedUntil = clock.now() + settings.lookAgainMs;
    return retry(0, false);
  }

  #rowOf({ id, content }: LeasedRecord, { kind }: KindState): NewRow | Refusal {
    if (content === undefined) return { reason: "ContentLost", message: "the event is known by its id alone" };
    const { egress, configuration } = this.#context;
    const { occurredAt, ...rest } = JSON.parse(content.payload) as EmailEvent; // Written by the reader alone.
    const activity = activityOf(
      { ...rest, occurredAt: new Date(occurredAt) },
      {
        instanceUrl: configuration.spec.campaign.url,
        names: egress.activities,
        ownerId: this.#ownerId,
        contacts: {
          entitySet: "contacts",
          keyColumn: "contactid",
          // Dataverse's own name for an activity's link to a contact.
          regardingProperty: `regardingobjectid_contact_${egress.activities[kind].table}`,
        },
      },
    );
    if (activity !== "ContactKeyInvalid") return { id, row: activity.row };
    return { reason: activity, message: "the event's key (column contactId) is no id of a contact" };
  }

  /** What comes back is told to the health: the client gives failures back, row by row. */
  #creating({ table }: KindState, signal: AbortSignal) {
    const { rows, health } = this.#context;
    const observed =
      (create: typeof rows.createNew) =>
      async (those: readonly NewRow[]): Promise<readonly Creation[]> => {
        if (table === undefined) return [];
        const creations = await create.call(rows, table, those, signal);
        const failure = creations.find((made) => made instanceof ServiceError && made.scope === "Service");
        await health
          .observe("Dataverse", async () => {
            if (failure !== undefined) throw failure;
          })
          .catch(() => undefined); // Its rows carry it.
        return creations;
      };
    return { createNew: observed(rows.createNew), createEach: observed(rows.createEach) };
  }
}

/** What the writer met is over, or nothing waits any more; a kind without a table is looked at again in time. */
function runs(state: KindState): void {
  state.wave.over();
  if (state.table !== undefined) state.block = undefined;
}
