import type { CampaignInstance } from "./instance.ts";
import type { CampaignRecord } from "./record-store.ts";
import { type Endpoint, emptyValue, type Field, type Resource } from "./schema.ts";
import { visibleFields } from "./values.ts";

/** What a caller's URLs start with: `https://mc.adobe.io/<ORG>/campaign`. */
export interface UrlBase {
  readonly campaign: string;
  readonly endpoint: Endpoint;
}

export function resourceUrl(base: UrlBase, resource: string): string {
  return `${base.campaign}/${base.endpoint}/${resource}`;
}

export function recordUrl(
  instance: CampaignInstance,
  base: UrlBase,
  resource: Resource,
  record: CampaignRecord,
): string {
  return `${resourceUrl(base, resource.name)}/${instance.pkeys.encode(resource.name, record.id)}`;
}

/** A record as the REST API gives it: every field, empty ones included. */
export function recordJson(
  instance: CampaignInstance,
  base: UrlBase,
  resource: Resource,
  record: CampaignRecord,
): Record<string, unknown> {
  const pkey = instance.pkeys.encode(resource.name, record.id);
  const href = `${resourceUrl(base, resource.name)}/${pkey}`;
  const json: Record<string, unknown> = { PKey: pkey, href };
  for (const field of visibleFields(resource, base.endpoint)) {
    json[field.name] = fieldJson(instance, base, record, field);
  }
  if (hasSubscriptions(resource)) {
    json["subscriptions"] = { href: `${href}/subscriptions/` };
  }
  return json;
}

export function hasSubscriptions({ name }: Resource): boolean {
  return name === "profile" || name === "service";
}

export function fieldJson(instance: CampaignInstance, base: UrlBase, record: CampaignRecord, field: Field): unknown {
  switch (field.name) {
    case "created":
      return campaignTime(record.created);
    case "lastModified":
      return campaignTime(record.lastModified);
    case "title":
      return titleOf(record);
    case "age":
      return ageOf(record, instance.now());
    case "domain":
      return String(record.values["email"] ?? "").split("@")[1] ?? "";
  }
  const value = record.values[field.name];
  if (field.type === "link") return linkJson(instance, base, field, value);
  if (field.type === "item") return itemJson(field, value);
  return value ?? emptyValue(field);
}

/** Every field inside, emptied ones included. */
function itemJson(field: Field, value: unknown): unknown {
  const filled = Object.entries(Object(value)).filter(([, inner]) => inner !== undefined);
  return { ...Object(emptyValue(field)), ...Object.fromEntries(filled) };
}

function linkJson(instance: CampaignInstance, base: UrlBase, field: Field, value: unknown): unknown {
  const target = instance.resource(field.target ?? "");
  const record = instance.linked(field, value);
  if (target === undefined || record === undefined) return {};
  const pkey = instance.pkeys.encode(target.name, record.id);
  return { PKey: pkey, href: `${resourceUrl(base, target.name)}/${pkey}`, title: titleOf(record) };
}

/** `2019-09-25 23:20:35.000Z` */
export function campaignTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace("T", " ");
}

function titleOf(record: CampaignRecord): string {
  const { firstName, lastName, email, label, name } = record.values as Record<string, unknown>;
  const person = [firstName, lastName].filter((part) => part !== undefined).join(" ");
  const first = person === "" ? String(label ?? name ?? "") : person;
  const second = person === "" ? name : email;
  return second === undefined ? first : `${first} (${String(second)})`;
}

function ageOf(record: CampaignRecord, now: number): number {
  const born = Date.parse(String(record.values["birthDate"] ?? ""));
  return Number.isNaN(born) ? 0 : Math.floor((now - born) / (365.25 * 86_400_000));
}
