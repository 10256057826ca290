/** What the audit says of a decision: who is opted out in the end, and why. Pure. */
import type { WriteOutcome } from "./agreement.ts";
import { foreignModifiedAt, type OptOut, type System } from "./contact.ts";
import type { Concluded, Situation } from "./decide.ts";
import { type Rule, rules } from "./rules.ts";

/** One line: a field of a contact was decided. Values are null where a system has none or was not read. */
export interface DecisionRecord {
  readonly at: string;
  readonly event: "Decided";
  /** The contact's id in Dynamics. */
  readonly contact: string;
  readonly field: string;
  readonly direction: Situation["direction"];
  readonly agreed: boolean | null;
  readonly dynamics: SideRecord & {
    readonly modifiedOn: string | null /** As the rule took it. */;
    readonly countedAs: string | null;
  };
  readonly campaign: SideRecord & { readonly changedAt: string | null };
  /** TRUE: opted out. null: nothing was decided, it stays as it is. */
  readonly decided: boolean | null;
  /** Where it is written; null: nowhere. `Parked`: it waits for a profile. */
  readonly written: System | "Parked" | null;
  readonly rule: Rule;
  readonly because: string;
}

interface SideRecord {
  readonly state: "Read" | "Unread" | "Missing";
  readonly value: boolean | null;
}

/** One line: what became of a write. */
export interface OutcomeRecord {
  readonly at: string;
  readonly event: "Written";
  readonly contact: string;
  readonly system: System;
  readonly outcome: WriteOutcome;
}

export type AuditRecord = DecisionRecord | OutcomeRecord;

/** Rules that decide nothing: contacts that were looked at because something else of them changed. */
const quiet: readonly Rule[] = ["Disabled", "Unchanged"];

/** @param at of the worker's clock; what decides are the services' times */
export function auditOf(
  contact: string,
  situation: Situation,
  { kind, verdicts }: Concluded,
  at: Date,
): readonly DecisionRecord[] {
  const { direction, agreement, dynamics, campaign } = situation;
  return verdicts
    .filter(({ rule }) => !quiet.includes(rule))
    .map(({ field, rule, write, agreed }) => {
      const inDynamics = dynamics.state === "Read" ? dynamics : undefined;
      const inCampaign = campaign.state === "Read" ? campaign.values.get(field) : undefined;
      const isParked = kind === "Park" && agreed === undefined;
      return {
        at: at.toISOString(),
        event: "Decided",
        contact,
        field,
        direction,
        agreed: agreement.values.get(field) ?? null,
        dynamics: {
          state: dynamics.state,
          value: said(inDynamics?.values.get(field)),
          modifiedOn: time(inDynamics?.modifiedAt),
          countedAs: time(inDynamics === undefined ? undefined : foreignModifiedAt(agreement, inDynamics)),
        },
        campaign: { state: campaign.state, value: said(inCampaign?.value), changedAt: time(inCampaign?.changedAt) },
        decided: agreed ?? (isParked ? true : null),
        written: isParked ? "Parked" : (write?.system ?? null),
        rule,
        because: rules[rule],
      };
    });
}

export function auditOfOutcome(contact: string, system: System, outcome: WriteOutcome, at: Date): OutcomeRecord {
  return { at: at.toISOString(), event: "Written", contact, system, outcome };
}

function said(value: OptOut): boolean | null {
  return value ?? null;
}

function time(milliseconds: number | undefined): string | null {
  return milliseconds === undefined ? null : new Date(milliseconds).toISOString();
}
