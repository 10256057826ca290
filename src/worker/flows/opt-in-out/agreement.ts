/** What is kept of a contact around a decision's writes. Pure. */
import {
  type Agreement,
  agreedWith,
  contactOf,
  type DynamicsSide,
  foreignModifiedAt,
  profileOf,
  unansweredOf,
} from "./contact.ts";
import type { Concluded, Situation } from "./decide.ts";

/** What is known of a call that wrote. `NotDone`: refused, a 412, or never sent. */
export type WriteOutcome = "Done" | "NotDone" | "Unknown";

/** Absent: there was no such call. */
export interface Outcomes {
  readonly dynamics?: WriteOutcome;
  readonly campaign?: WriteOutcome;
  /** The version that the record has by our write, if the answer told. */
  readonly dynamicsVersion?: bigint;
}

/**
 * To be stored before a write leaves. A worker that dies then knows at its next start that either value may stand there, and
 * takes nothing for unchanged.
 */
export function agreementWhileWriting(situation: Situation, { verdicts }: Concluded): Agreement {
  const { agreement, dynamics, campaign } = situation;
  const written = verdicts.flatMap(({ field, write }) => (write === undefined ? [] : [field]));
  return {
    ...agreement,
    values: agreedWith(agreement, situation),
    unanswered: new Set([...unansweredOf(agreement, situation), ...written]),
    profileCreated: profileOf(agreement, campaign),
    ...contactPart(agreement, dynamics),
  };
}

/**
 * To be stored before the contact is let go.
 *
 * @param situation the one that was decided, so with the agreement of before the writes
 */
export function agreementAfter(situation: Situation, { verdicts }: Concluded, outcomes: Outcomes): Agreement {
  const { agreement, dynamics, campaign } = situation;
  const values = new Map(agreedWith(agreement, situation));
  const unanswered = new Set(unansweredOf(agreement, situation));
  for (const { field, write, agreed } of verdicts) {
    const outcome = outcomeOf(write?.system, outcomes);
    if (outcome === "Unknown") unanswered.add(field);
    if (outcome !== "Done" || agreed === undefined) continue;
    values.set(field, agreed);
    unanswered.delete(field);
  }
  const ownWrite = ownWriteAfter(situation, outcomes);
  const profileCreated = profileOf(agreement, campaign);
  const contact = contactPart(agreement, dynamics);
  return { values, unanswered, profileCreated, ...contact, ...(ownWrite === undefined ? {} : { ownWrite }) };
}

function contactPart(agreement: Agreement, dynamics: DynamicsSide): Pick<Agreement, "contactCreated"> {
  const contactCreated = contactOf(agreement, dynamics);
  return contactCreated === undefined ? {} : { contactCreated };
}

function outcomeOf(system: "Dynamics" | "Campaign" | undefined, outcomes: Outcomes): WriteOutcome {
  if (system === undefined) return "Done";
  return (system === "Dynamics" ? outcomes.dynamics : outcomes.campaign) ?? "NotDone";
}

/** Without the answer's version, our write counts as anybody's: then opted out wins sooner. */
function ownWriteAfter({ agreement, dynamics }: Situation, outcomes: Outcomes): Agreement["ownWrite"] {
  if (outcomes.dynamics !== "Done") return agreement.ownWrite;
  if (outcomes.dynamicsVersion === undefined || dynamics.state !== "Read") return undefined;
  return { version: outcomes.dynamicsVersion, foreignModifiedAt: foreignModifiedAt(agreement, dynamics) };
}
