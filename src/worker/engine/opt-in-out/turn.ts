/**
 * One contact's turn: from its lease to the end that is to be stored.
 *
 * Always: what is decided is in the audit, and what may come of a call is in the store, before the call leaves, under a
 * lease of that call's own; only a definite answer makes a value agreed; nothing is written that was not decided from
 * readings of this turn.
 */
import { sleep } from "../../../telemetry/clock.ts";
import type { CampaignKey } from "../../campaign/interface.ts";
import {
  agreementAfter,
  agreementWhileWriting,
  type Outcomes,
  type WriteOutcome,
} from "../../flows/opt-in-out/agreement.ts";
import { auditOf, auditOfOutcome } from "../../flows/opt-in-out/audit.ts";
import {
  type CampaignSide,
  type DynamicsSide,
  nothingAgreed,
  type System,
  withExportedTimes,
} from "../../flows/opt-in-out/contact.ts";
import { type Concluded, decide, type Situation } from "../../flows/opt-in-out/decide.ts";
import { type Kept, keptText } from "../../flows/opt-in-out/kept.ts";
import type { OptInOutPlan } from "../../flows/opt-in-out/plan.ts";
import { campaignReading, cellsFor, dynamicsReading } from "../../flows/opt-in-out/readings.ts";
import type { Told } from "../../flows/opt-in-out/told.ts";
import { CampaignError, ServiceError } from "../../http/service-error.ts";
import type { ContactEnd } from "../../queue/contacts.ts";
import type { LeasedRecord } from "../../queue/turn.ts";
import { type OptInOutContext, profileResource } from "./context.ts";

/** Somebody who changes a contact faster than it can be written is waited for. */
const mostRounds = 5;
/** A lease is longer than a call by more than this part of it. */
const leaseForLeave = 4;

/** How a turn ended. `kept`: undefined: nothing any more. `cause`: when it was not as wished. */
export interface TurnEnd {
  readonly kept: string | undefined;
  readonly end: Exclude<ContactEnd, { kind: "Later" }> | { readonly kind: "Park" | "TryAgain"; readonly sent: boolean };
  readonly outcomes: Outcomes;
  readonly cause?: unknown;
}

/** The lease is over, or may be before a call can land. */
export class LeaseOver extends Error {
  override readonly name = "LeaseOver";
}

export class ContactTurn {
  readonly #record: LeasedRecord;
  readonly #told: Told;
  readonly #plan: OptInOutPlan;
  readonly #context: OptInOutContext;
  readonly #giveUp: AbortSignal;
  #kept: Kept;
  #dynamics: DynamicsSide;
  #campaign: CampaignSide;
  #sent = false;

  constructor(
    { record, told, kept }: { readonly record: LeasedRecord; readonly told: Told; readonly kept: Kept },
    plan: OptInOutPlan,
    context: OptInOutContext,
    giveUp: AbortSignal,
  ) {
    this.#record = record;
    this.#told = told;
    this.#kept = kept;
    this.#plan = plan;
    this.#context = context;
    this.#giveUp = giveUp;
    const isToLook = told.dynamics === "Look";
    this.#dynamics = told.dynamics === undefined || told.dynamics === "Look" ? { state: "Unread" } : told.dynamics;
    this.#campaign = isToLook || told.campaign === undefined ? { state: "Unread" } : told.campaign;
  }

  /** @throws what the store and the audit throw, LeaseOver */
  async take(): Promise<TurnEnd> {
    try {
      // Without one, it would be decided, audited and tried all over for nothing.
      if (this.#kept.parked !== undefined) await this.#lookWhetherItWaits();
      else if (this.#isFirstMet) await this.#readOther();
      for (let round = 0; round < mostRounds; round++) {
        const concluded = await this.#decide();
        const end = await this.#conclude(concluded.situation, concluded.decision);
        if (end !== undefined) return end;
        await sleep(this.#context.clock, round * 100, this.#giveUp);
      }
      return this.#tryAgain(undefined);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      return this.#tryAgain(error);
    }
  }

  /** Its profile may have come; and it may be gone, which nobody told if the link to Dynamics' changes had expired. */
  async #lookWhetherItWaits(): Promise<void> {
    await this.#readCampaign();
    if (this.#campaign.state === "Missing") this.#dynamics = { state: "Unread" };
  }

  /** Of most contacts both systems say the same from the first: one look at the other one tells, and nothing is written. */
  get #isFirstMet(): boolean {
    const isTold = [this.#dynamics, this.#campaign].filter(({ state }) => state === "Read").length === 1;
    return isTold && this.#plan.direction === "Bidirectional" && this.#kept.agreement.values.size === 0;
  }

  /** As if it had been told: for a write, both are read anew. */
  async #readOther(): Promise<void> {
    await (this.#dynamics.state === "Read" ? this.#readCampaign() : this.#readDynamics());
    const { dynamics, campaign } = { dynamics: this.#dynamics, campaign: this.#campaign };
    if (dynamics.state === "Read") this.#dynamics = { ...dynamics, fresh: false };
    if (campaign.state === "Read") this.#campaign = { ...campaign, fresh: false };
  }

  async #decide(): Promise<{ readonly situation: Situation; readonly decision: Concluded }> {
    for (;;) {
      const situation: Situation = {
        direction: this.#plan.direction,
        fields: this.#plan.pairs.map(({ field }) => field),
        agreement: this.#kept.agreement,
        dynamics: this.#dynamics,
        campaign: this.#campaign,
      };
      const decision = decide(situation);
      if (decision.kind !== "Read") return { situation, decision };
      await Promise.all(
        decision.systems.map((system) => (system === "Dynamics" ? this.#readDynamics() : this.#readCampaign())),
      );
    }
  }

  async #readDynamics(): Promise<void> {
    const { table, columns } = this.#plan;
    const record = await this.#context.dataverse.readRecord(table, this.#record.id, columns, false, this.#giveUp);
    this.#dynamics = record === undefined ? { state: "Missing" } : dynamicsReading(this.#plan, record, true);
  }

  async #readCampaign(): Promise<void> {
    const records = await this.#context.campaign.findByKey(this.#key, this.#giveUp);
    const [record] = records;
    if (records.length > 1) {
      throw new CampaignError(
        `Campaign has ${records.length} profiles with the same ${this.#plan.keyField}: remove all but one there`,
        { code: "KeyNotUnique", outcome: "Refused" },
      );
    }
    if (record === undefined) this.#campaign = { state: "Missing" };
    else this.#campaign = withExportedTimes(campaignReading(this.#plan, record, true), this.#told.campaign);
  }

  get #key(): CampaignKey {
    return { resource: profileResource, field: this.#plan.keyField, value: this.#record.id };
  }

  /** @returns undefined when it is to be decided once more */
  async #conclude(situation: Situation, decision: Concluded): Promise<TurnEnd | undefined> {
    const { audit, now } = this.#context;
    const records = auditOf(this.#record.id, situation, decision, new Date(now())).filter(
      // That it waits still is no news.
      ({ written, field }) => written !== "Parked" || this.#kept.parked?.fields.includes(field) !== true,
    );
    if (records.length > 0) await audit.append(records);
    const { outcomes, again, cause } =
      decision.kind === "Write" ? await this.#write(situation, decision) : { outcomes: {} };
    const agreement = agreementAfter(situation, decision, outcomes);
    const isGone = this.#dynamics.state === "Missing";
    this.#kept = { agreement: isGone ? nothingAgreed : agreement, ...this.#parked(decision) };
    if (again) {
      await this.#begin(this.#kept);
      await this.#tellOutcomes(outcomes);
      return undefined;
    }
    const end = (kind: TurnEnd["end"]["kind"]): TurnEnd => ({
      kept: keptText(this.#kept),
      end: kind === "Unanswered" ? { kind } : { kind, sent: this.#sent },
      outcomes,
      ...(cause === undefined ? {} : { cause }),
    });
    if (outcomes.dynamics === "Unknown" || outcomes.campaign === "Unknown") return end("Unanswered");
    if (cause !== undefined) return end("TryAgain");
    return end(decision.kind === "Park" ? "Park" : "Decided");
  }

  #parked({ kind, verdicts }: Concluded): Pick<Kept, "parked"> {
    if (kind !== "Park") return {};
    const fields = verdicts.flatMap(({ field, agreed }) => (agreed === undefined ? [field] : []));
    return { parked: { since: this.#kept.parked?.since ?? this.#context.now(), fields } };
  }

  async #write(
    situation: Situation,
    decision: Concluded,
  ): Promise<{ readonly outcomes: Outcomes; readonly again?: boolean; readonly cause?: unknown }> {
    const { campaign, updates } = this.#context;
    const { verdicts } = decision;
    const { parked: _, ...kept } = this.#kept;
    const before = { ...kept, agreement: agreementWhileWriting(situation, decision) };
    let outcomes: Outcomes = {};
    const fields = cellsFor("Campaign", this.#plan, verdicts);
    if (Object.keys(fields).length > 0) {
      await this.#begin(before);
      const [outcome, answer] = await this.#call(() =>
        campaign.updateByKey(this.#key, fields, this.#giveUp, "LookFirst"),
      );
      outcomes = { campaign: answer === "Missing" ? "NotDone" : outcome };
      if (answer === "Missing") {
        this.#campaign = { state: "Missing" };
        return { outcomes, again: true };
      }
      if (outcome !== "Done") return { outcomes, cause: answer };
      this.#sent = true;
    }
    const columns = cellsFor("Dynamics", this.#plan, verdicts);
    const { dynamics } = situation;
    if (Object.keys(columns).length === 0 || dynamics.state !== "Read") return { outcomes };
    await this.#begin(before);
    const [outcome, answer] = await this.#call(() =>
      updates.update(this.#plan.table, this.#record.id, columns, dynamics.version, this.#giveUp),
    );
    if (outcome !== "Done") return { outcomes: { ...outcomes, dynamics: outcome }, cause: answer };
    if (answer.is !== "Updated") {
      this.#dynamics = { state: answer.is === "Missing" ? "Missing" : "Unread" };
      if (this.#campaign.state === "Read") this.#campaign = { state: "Unread" };
      return { outcomes: { ...outcomes, dynamics: "NotDone" }, again: true };
    }
    this.#sent = true;
    const { version: dynamicsVersion } = answer;
    return {
      outcomes: { ...outcomes, dynamics: "Done", ...(dynamicsVersion === undefined ? {} : { dynamicsVersion }) },
    };
  }

  /** A call that writes, and what is known of it. */
  async #call<T>(
    write: () => Promise<T>,
  ): Promise<readonly ["Done", T] | readonly [Exclude<WriteOutcome, "Done">, unknown]> {
    try {
      return ["Done", await write()];
    } catch (error) {
      const isDefinite = error instanceof ServiceError && error.outcome !== "Unknown";
      return [isDefinite ? "NotDone" : "Unknown", error];
    }
  }

  /** @throws LeaseOver */
  async #begin(kept: Kept): Promise<void> {
    const { clock, settings, queue } = this.#context;
    const askedAt = clock.now();
    const isMine = await queue.contacts.begin(this.#record, keptText(kept) ?? "{}", settings.leaseMs);
    // This process stood still: the call could land when the lease is over and another process has the contact.
    if (!isMine || clock.now() - askedAt > settings.leaseMs / leaseForLeave) throw new LeaseOver();
  }

  /** Of calls that wrote, or may have. */
  async #tellOutcomes(outcomes: Outcomes): Promise<void> {
    await this.#context.audit.append(outcomeRecords(this.#record.id, outcomes, new Date(this.#context.now())));
  }

  #tryAgain(cause: unknown): TurnEnd {
    const kept = keptText(this.#kept);
    const end = { kind: "TryAgain", sent: this.#sent } as const;
    return { kept, end, outcomes: {}, ...(cause === undefined ? {} : { cause }) };
  }
}

export function outcomeRecords(contact: string, outcomes: Outcomes, at: Date) {
  const of = (system: System, outcome: WriteOutcome | undefined) =>
    outcome === undefined ? [] : [auditOfOutcome(contact, system, outcome, at)];
  return [...of("Campaign", outcomes.campaign), ...of("Dynamics", outcomes.dynamics)];
}
