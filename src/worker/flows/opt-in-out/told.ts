/** What was told of a contact, as it waits in the queue. Pure. */
import type { CampaignReading, CampaignValue, DynamicsReading, OptOut } from "./contact.ts";

export interface Told {
  /** `Look`: both are to be read, for it may be gone, or Campaign told what contradicts. Absent: Dynamics told nothing. */
  readonly dynamics?: DynamicsReading | "Look";
  readonly campaign?: CampaignReading;
}

/** A row version has 64 bits: as text. */
interface Text {
  readonly dynamics?: "Look" | DynamicsText;
  readonly campaign?: {
    readonly profileCreated?: string;
    readonly values: Values;
    readonly changedAt: Readonly<Record<string, number>>;
  };
}
interface DynamicsText {
  readonly version: string;
  readonly modifiedAt?: number;
  readonly contactCreated?: string;
  readonly values: Values;
}
type Values = Readonly<Record<string, boolean>>;

export function toldText({ dynamics, campaign }: Told): string {
  const text: Text = {
    ...(dynamics === undefined ? {} : { dynamics: dynamics === "Look" ? dynamics : dynamicsText(dynamics) }),
    ...(campaign === undefined ? {} : { campaign: campaignText(campaign) }),
  };
  return JSON.stringify(text);
}

/** @param text of toldText */
export function toldOf(text: string): Told {
  const { dynamics, campaign } = JSON.parse(text) as Text; // By toldText alone.
  return {
    ...(dynamics === undefined ? {} : { dynamics: dynamics === "Look" ? dynamics : dynamicsOf(dynamics) }),
    ...(campaign === undefined ? {} : { campaign: campaignOf(campaign) }),
  };
}

/**
 * One waits with all that was told: of Dynamics the newest version, of Campaign's fields each as it was changed last. So a
 * change in Dynamics does not take away the times that an export told.
 */
export function mergeTold(before: string, text: string): string {
  const [earlier, later] = [toldOf(before), toldOf(text)];
  const isToLook = earlier.campaign && later.campaign && contradict(earlier.campaign, later.campaign);
  const dynamics = isToLook ? "Look" : both(earlier.dynamics, later.dynamics, newer);
  const campaign = both(earlier.campaign, later.campaign, mergeCampaign);
  return toldText({
    ...(dynamics === undefined ? {} : { dynamics }),
    ...(campaign === undefined ? {} : { campaign }),
  });
}

function both<T>(earlier: T | undefined, later: T | undefined, merge: (earlier: T, later: T) => T): T | undefined {
  return earlier === undefined || later === undefined ? (later ?? earlier) : merge(earlier, later);
}

function newer(earlier: DynamicsReading | "Look", later: DynamicsReading | "Look"): DynamicsReading | "Look" {
  if (earlier === "Look" || later === "Look") return "Look";
  return later.version >= earlier.version ? later : earlier;
}

/** Nobody knows which of two values is the later one, or they are of two profiles with one key. */
function contradict(earlier: CampaignReading, later: CampaignReading): boolean {
  const created = earlier.profileCreated ?? later.profileCreated;
  if ((later.profileCreated ?? created) !== created) return true;
  return [...later.values].some(([field, { value, changedAt }]) => {
    const before = earlier.values.get(field);
    if (before === undefined || before.value === value) return false;
    return before.changedAt === undefined || changedAt === undefined || before.changedAt === changedAt;
  });
}

function mergeCampaign(earlier: CampaignReading, later: CampaignReading): CampaignReading {
  const values = [...later.values].map(([field, value]) => {
    const before = earlier.values.get(field);
    return [field, before === undefined ? value : changedLast(before, value)] as const;
  });
  const profileCreated = later.profileCreated ?? earlier.profileCreated;
  return { ...later, profileCreated, values: new Map([...earlier.values, ...values]) };
}

/** Of a value without a time it is not known when: then what was told last counts, with the time that it had before. */
function changedLast(earlier: CampaignValue, later: CampaignValue): CampaignValue {
  if (earlier.changedAt !== undefined && later.changedAt !== undefined) {
    return later.changedAt >= earlier.changedAt ? later : earlier;
  }
  return earlier.value === later.value && later.changedAt === undefined ? earlier : later;
}

function dynamicsText({ version, modifiedAt, contactCreated, values }: DynamicsReading): DynamicsText {
  return {
    version: String(version),
    ...(modifiedAt === undefined ? {} : { modifiedAt }),
    ...(contactCreated === undefined ? {} : { contactCreated }),
    values: valuesText(values),
  };
}

function dynamicsOf({ version, modifiedAt, contactCreated, values }: DynamicsText): DynamicsReading {
  const reading = { version: BigInt(version), modifiedAt, values: new Map(Object.entries(values)) };
  return { state: "Read", fresh: false, ...reading, ...(contactCreated === undefined ? {} : { contactCreated }) };
}

function campaignText({ profileCreated, values }: CampaignReading) {
  const known = [...values].map(([field, { value }]) => [field, value] as const);
  const times = [...values].flatMap(([field, { changedAt }]) => (changedAt === undefined ? [] : [[field, changedAt]]));
  return {
    ...(profileCreated === undefined ? {} : { profileCreated }),
    values: valuesText(new Map(known)),
    changedAt: Object.fromEntries(times) as Record<string, number>, // Of pairs of a field and a time.
  };
}

function campaignOf({ profileCreated, values, changedAt }: NonNullable<Text["campaign"]>): CampaignReading {
  const fields = new Set([...Object.keys(values), ...Object.keys(changedAt)]);
  const read = [...fields].map((field) => [field, { value: values[field], changedAt: changedAt[field] }] as const);
  return { state: "Read", fresh: false, profileCreated, values: new Map(read) };
}

function valuesText(values: ReadonlyMap<string, OptOut>): Values {
  return Object.fromEntries([...values].flatMap(([field, value]) => (value === undefined ? [] : [[field, value]])));
}

const guid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The contact that a profile's key names, as Dataverse tells ids; undefined: it is no contact's. */
export function contactIdOf(key: unknown): string | undefined {
  const id = typeof key === "string" ? key.trim().toLowerCase() : "";
  return guid.test(id) ? id : undefined;
}
