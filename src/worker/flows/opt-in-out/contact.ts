/** One contact, its opt-outs in both systems and what was last agreed of them. Pure. */

export type Direction = "Disabled" | "DynamicsToCampaign" | "CampaignToDynamics" | "Bidirectional";

export type System = "Dynamics" | "Campaign";

/** TRUE: opted out. undefined: the system has no value, which is no opt-out and nobody's opt-in. */
export type OptOut = boolean | undefined;

export interface DynamicsReading {
  readonly state: "Read";
  /** Read for this decision, not taken from a feed that may lag. */
  readonly fresh: boolean;
  /** The row version of the ETag: any later write of the record makes another one. */
  readonly version: bigint;
  /** The record's `modifiedon`, milliseconds since 1970. undefined: not known, so later than anything. */
  readonly modifiedAt: number | undefined;
  /** The record's `createdon`: tells a contact from one that was made again under the same id. Absent: not known. */
  readonly contactCreated?: string;
  /** By field. */
  readonly values: ReadonlyMap<string, OptOut>;
}

export interface CampaignValue {
  readonly value: OptOut;
  /** When the attribute changed, milliseconds since 1970; not when the profile did. */
  readonly changedAt: number | undefined;
}

export interface CampaignReading {
  readonly state: "Read";
  /** Read for this decision. An export may be a day old. */
  readonly fresh: boolean;
  /**
   * The profile's `created`, as REST tells it: tells a profile from one that was made again under the same key. An export
   * that does not have it leaves that open.
   */
  readonly profileCreated: string | undefined;
  /** By field. */
  readonly values: ReadonlyMap<string, CampaignValue>;
}

/** `Missing`: looked for and not found. */
export type DynamicsSide = DynamicsReading | { readonly state: "Unread" | "Missing" };
export type CampaignSide = CampaignReading | { readonly state: "Unread" | "Missing" };

/** What is kept of a contact between two decisions. */
export interface Agreement {
  /** By field: the last value that both systems had; in one direction, the source's last one that was dealt with. */
  readonly values: ReadonlyMap<string, boolean>;
  /** Fields with a write of which it is not known whether it was done. */
  readonly unanswered: ReadonlySet<string>;
  readonly profileCreated: string | undefined;
  readonly contactCreated?: string;
  /** The last write of ours to the contact. `foreignModifiedAt`: the record's `modifiedon` of before it. */
  readonly ownWrite?: { readonly version: bigint; readonly foreignModifiedAt: number | undefined };
}

export const nothingAgreed: Agreement = { values: new Map(), unanswered: new Set(), profileCreated: undefined };

/** What is known of both systems. */
export interface Sides {
  readonly dynamics: DynamicsSide;
  readonly campaign: CampaignSide;
}

/**
 * A record that was removed and made again under the same key has the values that a new one has. Nobody chose them, so no
 * opt-out counts as agreed with it, and no write went to it. That somebody is not opted out stays so: by that alone nothing
 * but an opt-out is ever written, as where nothing is agreed.
 */
export function agreedWith(agreement: Agreement, sides: Sides): Agreement["values"] {
  if (!isOfOthers(agreement, sides)) return agreement.values;
  return new Map([...agreement.values].filter(([, value]) => !value));
}

export function unansweredOf(agreement: Agreement, sides: Sides): Agreement["unanswered"] {
  return isOfOthers(agreement, sides) ? nothingAgreed.unanswered : agreement.unanswered;
}

function isOfOthers(agreement: Agreement, { dynamics, campaign }: Sides): boolean {
  return isOfAnotherProfile(agreement, campaign) || isOfAnotherContact(agreement, dynamics);
}

function isOfAnotherProfile(agreement: Agreement, campaign: CampaignSide): boolean {
  if (campaign.state !== "Read") return campaign.state === "Missing";
  return profileOf(agreement, campaign) !== agreement.profileCreated;
}

function isOfAnotherContact(agreement: Agreement, dynamics: DynamicsSide): boolean {
  return agreement.contactCreated !== undefined && contactOf(agreement, dynamics) !== agreement.contactCreated;
}

export function profileOf(agreement: Agreement, campaign: CampaignSide): string | undefined {
  const isTold = campaign.state === "Read" && (campaign.fresh || campaign.profileCreated !== undefined);
  return isTold ? campaign.profileCreated : agreement.profileCreated;
}

export function contactOf(agreement: Agreement, dynamics: DynamicsSide): string | undefined {
  return (dynamics.state === "Read" ? dynamics.contactCreated : undefined) ?? agreement.contactCreated;
}

/**
 * When somebody else last changed the record: our own write's `modifiedon` does not count. Told by the row version, since
 * `modifiedon` has whole seconds and two writes may share one.
 */
export function foreignModifiedAt(agreement: Agreement, dynamics: DynamicsReading): number | undefined {
  const { ownWrite } = agreement;
  return ownWrite?.version === dynamics.version ? ownWrite.foreignModifiedAt : dynamics.modifiedAt;
}

/**
 * What was exported says when a value came to be; what was read just now says which value it is. A time stands only with
 * the value that it was exported with: it may then be too early, which is the careful side.
 */
export function withExportedTimes(fresh: CampaignReading, exported: CampaignReading | undefined): CampaignReading {
  if (exported === undefined) return fresh;
  const values = [...fresh.values].map(([field, { value, changedAt }]) => {
    const told = exported.values.get(field);
    return [field, { value, changedAt: changedAt ?? (told?.value === value ? told?.changedAt : undefined) }] as const;
  });
  return { ...fresh, values: new Map(values) };
}
