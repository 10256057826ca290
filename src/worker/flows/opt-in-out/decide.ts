/** Decides one contact's opt-outs, all fields together. Pure: the same readings give the same decision. */
import {
  type Agreement,
  agreedWith,
  type CampaignReading,
  type CampaignSide,
  type Direction,
  type DynamicsReading,
  type DynamicsSide,
  foreignModifiedAt,
  type OptOut,
  profileOf,
  type System,
  unansweredOf,
} from "./contact.ts";
import type { Rule } from "./rules.ts";

export interface Situation {
  readonly direction: Direction;
  /** All mapped fields, by the names of the mapping. */
  readonly fields: readonly string[];
  readonly agreement: Agreement;
  readonly dynamics: DynamicsSide;
  readonly campaign: CampaignSide;
}

export interface FieldVerdict {
  readonly field: string;
  readonly rule: Rule;
  readonly write?: { readonly system: System; readonly value: boolean };
  /** What is agreed from then on, once the write (if there is one) was answered. Absent: stays as it was. */
  readonly agreed?: boolean;
}

/**
 * - `Read`: nothing may be written before these systems are read; then decide again.
 * - `Park`: an opt-out for which there is no profile. Never a POST.
 * - `Write`: at least one verdict has a write. To Dynamics with `If-Match` of the version that was read: after a 412,
 *   decide again.
 */
export type Decision = { readonly kind: "Read"; readonly systems: readonly System[] } | Concluded;

export interface Concluded {
  readonly kind: "Nothing" | "Park" | "Write";
  readonly verdicts: readonly FieldVerdict[];
}

export function decide(situation: Situation): Decision {
  const { direction, dynamics, campaign } = situation;
  if (direction === "Disabled") return all(situation, "Disabled");
  if (dynamics.state === "Missing") return all(situation, "ContactMissing");
  if (campaign.state === "Missing") return withoutProfile(situation, dynamics);
  if (direction === "DynamicsToCampaign") return fromDynamics(situation, dynamics, campaign);
  // Whatever is as agreed on the side that was heard of needs no look at the other.
  if (isAsAgreed(situation, dynamics, campaign)) return all(situation, "Unchanged");
  const values = valuesOf(situation);
  // Nothing is written then. Whatever was told too late for it is told once more, and is a change since.
  if (direction === "Bidirectional" && areAlike(situation, values)) {
    return concluded(values.map((one) => bothWays(one, () => undefined)));
  }
  const systems = notFresh(dynamics, campaign);
  if (dynamics.state !== "Read" || campaign.state !== "Read" || systems.length > 0) return { kind: "Read", systems };
  return concluded(
    values.map((one) =>
      direction === "Bidirectional"
        ? bothWays(one, () => isCampaignLater(situation.agreement, one.field, dynamics, campaign))
        : oneWay(one, "Campaign"),
    ),
  );
}

function valuesOf({ fields, agreement, dynamics, campaign }: Situation): readonly Values[] {
  const agreed = agreedWith(agreement, { dynamics, campaign });
  const unanswered = unansweredOf(agreement, { dynamics, campaign });
  return fields.map((field) => ({
    field,
    agreed: agreed.get(field),
    unanswered: unanswered.has(field),
    dynamics: dynamics.state === "Read" ? dynamics.values.get(field) : undefined,
    campaign: campaign.state === "Read" ? campaign.values.get(field)?.value : undefined,
  }));
}

interface Values {
  readonly field: string;
  readonly agreed: boolean | undefined;
  readonly unanswered: boolean;
  readonly dynamics: OptOut;
  readonly campaign: OptOut;
}

/**
 * Of two systems that differ, one has the agreed value and the other one changed. FALSE wins in one case: Campaign changed to
 * it, and later than anybody touched Dynamics' record. So no FALSE goes to Campaign, which has no conditional write to keep
 * it off an opt-out of the same moment.
 *
 * @param campaignLater whether Campaign's time is later; undefined: it has none
 */
function bothWays(values: Values, campaignLater: () => boolean | undefined): FieldVerdict {
  const { field, agreed } = values;
  const inDynamics = values.dynamics === true;
  const inCampaign = values.campaign === true;
  if (inDynamics === inCampaign)
    return { field, rule: agreed === inDynamics ? "Unchanged" : "Same", agreed: inDynamics };
  const optOut = (rule: Rule): FieldVerdict => writing(field, rule, inDynamics ? "Campaign" : "Dynamics", true);
  if (agreed === undefined) return optOut("NoAgreedValue");
  if (!agreed) return optOut(inDynamics ? "OptedOutInDynamics" : "OptedOutInCampaign");
  if (inCampaign) return optOut("OptedOutWins");
  if (values.campaign === undefined) return optOut("NoValue");
  const later = campaignLater();
  if (later === undefined) return optOut("NoAttributeTime");
  return later ? writing(field, "CampaignLater", "Dynamics", false) : optOut("DynamicsLaterOrEqual");
}

/** What the target says is not asked, but for a first time: its opt-outs of before then stay. */
function oneWay(values: Values, source: System): FieldVerdict {
  const { field, agreed, unanswered } = values;
  const [from, to] = source === "Dynamics" ? [values.dynamics, values.campaign] : [values.campaign, values.dynamics];
  const target = source === "Dynamics" ? "Campaign" : "Dynamics";
  if (from === undefined) return { field, rule: agreed === true || unanswered ? "NoValue" : "Unchanged" };
  if (from === agreed && !unanswered) return { field, rule: "Unchanged" };
  if (from === to) return { field, rule: "Same", agreed: from };
  if (unanswered) return writing(field, "Unanswered", target, from);
  if (agreed !== undefined) return writing(field, "SourceChanged", target, from);
  return from ? writing(field, "NoAgreedValue", target, true) : { field, rule: "NoAgreedValue", agreed: false };
}

function writing(field: string, rule: Rule, system: System, value: boolean): FieldVerdict {
  return { field, rule, write: { system, value }, agreed: value };
}

/** Campaign is not read for it. What goes out is looked at once more in Dynamics: the feed may lag, or come twice. */
function fromDynamics(situation: Situation, dynamics: DynamicsSide, campaign: CampaignSide): Decision {
  if (dynamics.state !== "Read") return { kind: "Read", systems: ["Dynamics"] };
  // A target that was read before is no ground for leaving a write out.
  const target = campaign.state === "Read" && !campaign.fresh ? ({ state: "Unread" } as const) : campaign;
  const verdicts = valuesOf({ ...situation, campaign: target }).map((values) => oneWay(values, "Dynamics"));
  const decision = concluded(verdicts);
  return decision.kind === "Write" && !dynamics.fresh ? { kind: "Read", systems: ["Dynamics"] } : decision;
}

/** An opt-out of Dynamics waits for its profile. Everything else needs none: a new profile is not opted out. */
function withoutProfile(situation: Situation, dynamics: DynamicsSide): Decision {
  if (situation.direction === "CampaignToDynamics") return all(situation, "ProfileMissing");
  if (dynamics.state !== "Read") return { kind: "Read", systems: ["Dynamics"] };
  const verdicts = situation.fields.map((field): FieldVerdict => {
    const isOut = dynamics.values.get(field) === true;
    return { field, rule: "ProfileMissing", ...(isOut ? {} : { agreed: false }) };
  });
  return { kind: verdicts.some(({ agreed }) => agreed === undefined) ? "Park" : "Nothing", verdicts };
}

function isAsAgreed(
  { direction, fields, agreement }: Situation,
  dynamics: DynamicsSide,
  campaign: CampaignSide,
): boolean {
  const agreed = agreedWith(agreement, { dynamics, campaign });
  const unanswered = unansweredOf(agreement, { dynamics, campaign });
  const inDynamics = direction === "Bidirectional" && dynamics.state === "Read" ? dynamics.values : undefined;
  const inCampaign = campaign.state === "Read" ? campaign.values : undefined;
  if (inDynamics === undefined && inCampaign === undefined) return false;
  return fields.every((field) => {
    if (unanswered.has(field)) return false;
    const value = agreed.get(field);
    const same = (other: OptOut) => (other ?? false) === value;
    return (
      (inDynamics === undefined || same(inDynamics.get(field))) &&
      (inCampaign === undefined || same(inCampaign.get(field)?.value))
    );
  });
}

/**
 * Whether both systems said the same of all fields, be it in a feed or an export. Of a write without an answer, that tells
 * nothing; nor of a profile of which it is not known whether it is the one that is there. Nor against what is agreed: an
 * export may be older than that, and would hide that the other system alone changed.
 */
function areAlike({ agreement, dynamics, campaign }: Situation, values: readonly Values[]): boolean {
  if (dynamics.state !== "Read" || campaign.state !== "Read") return false;
  if (profileOf(agreement, campaign) === undefined && !campaign.fresh) return false;
  return values.every(({ agreed, unanswered, ...one }) => {
    const inDynamics = one.dynamics === true;
    return !unanswered && inDynamics === (one.campaign === true) && (agreed ?? inDynamics) === inDynamics;
  });
}

function notFresh(dynamics: DynamicsSide, campaign: CampaignSide): readonly System[] {
  const isFresh = (side: DynamicsSide | CampaignSide) => side.state === "Read" && side.fresh;
  return [...(isFresh(dynamics) ? [] : ["Dynamics" as const]), ...(isFresh(campaign) ? [] : ["Campaign" as const])];
}

/** `modifiedon` has whole seconds. In a common second nobody knows which was first, so that is equal. */
function isCampaignLater(
  agreement: Agreement,
  field: string,
  dynamics: DynamicsReading,
  campaign: CampaignReading,
): boolean | undefined {
  const changedAt = campaign.values.get(field)?.changedAt;
  const modifiedAt = foreignModifiedAt(agreement, dynamics) ?? Number.POSITIVE_INFINITY;
  return changedAt === undefined ? undefined : Math.floor(changedAt / 1000) > Math.floor(modifiedAt / 1000);
}

function concluded(verdicts: readonly FieldVerdict[]): Concluded {
  return { kind: verdicts.some(({ write }) => write !== undefined) ? "Write" : "Nothing", verdicts };
}

function all({ fields }: Situation, rule: Rule): Decision {
  return { kind: "Nothing", verdicts: fields.map((field) => ({ field, rule })) };
}
