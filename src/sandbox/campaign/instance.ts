import type { Caller, Write, WriteLog } from "../write-log.ts";
import { CampaignRefusal, keyChanged, keyTaken, linkMissing, noSuchKey, unknownPKey } from "./errors.ts";
import { type CampaignRecord, PKeys, RecordStore } from "./record-store.ts";
import type { Endpoint, Field, Resource } from "./schema.ts";
import type { ThrottleSettings } from "./throttle.ts";
import { type FieldValues, readFields } from "./values.ts";

/** What is not documented, and what customers' instances differ in. README.md says which answer is assumed by default. */
export interface CampaignBehaviour {
  /** Whose answers: Campaign Standard's, or those of an instance that was moved to Campaign v8. */
  readonly dialect: "Standard" | "V8";
  /** PATCH or GET or DELETE by an identification key that no record has; `create` is for PATCH alone. */
  readonly missingKey: "404" | "500" | "create";
  /** POST with a key that another record has; `accept` makes a second record of the same key. */
  readonly duplicateKey: "500" | "409" | "accept";
  /** How the engine's errors are written. */
  readonly errorShape: "text" | "json";
  /**
   * A mandatory link without its target: `refuse` the write, or take it and `hide` the record until the target is
   * there, as the page d365-acs-notices-and-recommendations.md tells.
   */
  readonly mandatoryLink: "refuse" | "hide";
  /** PATCH of a part of an item: `merge` it with what the item holds, or `replace` the item by it. */
  readonly itemPatch: "merge" | "replace";
  /** null: no limit. */
  readonly throttle: ThrottleSettings | null;
  /** Resources that take an identification key in the URL in place of a PKey. */
  readonly keyInUrl: readonly string[];
  /** XtkBigTableThreshold: beyond so many records `next` comes only with `_forcePagination` (pagination.md). */
  readonly bigTableThreshold: number;
}

const defaultBehaviour: CampaignBehaviour = {
  dialect: "Standard",
  missingKey: "404",
  duplicateKey: "500",
  errorShape: "text",
  mandatoryLink: "refuse",
  itemPatch: "merge",
  throttle: null,
  keyInUrl: ["profile", "service", "orgUnitBase"],
  bigTableThreshold: 100_000,
};

interface ResourceEntry {
  resource: Resource;
  readonly store: RecordStore;
}

/** One Campaign instance: its resources, its records, and the rules that hold whoever writes. */
export class CampaignInstance {
  behaviour: CampaignBehaviour = defaultBehaviour;
  readonly pkeys = new PKeys();
  readonly writes: WriteLog;
  /** Requests that reached the engine (the unit that Adobe's packages count). */
  engineCalls = 0;
  readonly now: () => number;
  readonly #resources = new Map<string, ResourceEntry>();

  constructor(resources: readonly Resource[], now: () => number, writes: WriteLog) {
    this.now = now;
    this.writes = writes;
    for (const resource of resources) this.addResource(resource);
  }

  addResource(resource: Resource): void {
    if (this.#resources.has(resource.name)) throw new RangeError(`resource "${resource.name}" exists already`);
    this.#resources.set(resource.name, { resource, store: new RecordStore(resource.keys) });
  }

  resources(): readonly Resource[] {
    return [...this.#resources.values()].map((entry) => entry.resource);
  }

  resource(name: string): Resource | undefined {
    return this.#resources.get(name)?.resource;
  }

  /** A person removes the resource, and its records with it; links to it lead nowhere. */
  dropResource(name: string): void {
    this.#entry(name);
    this.#resources.delete(name);
  }

  /** A field that is gone, or comes back as another type, loses its values in every record. */
  changeFields(name: string, fields: readonly Field[]): void {
    const entry = this.#entry(name);
    for (const { name: field, type } of entry.resource.fields) {
      if (!fields.some((one) => one.name === field && one.type === type)) entry.store.forget(field);
    }
    entry.resource = { ...entry.resource, fields };
  }

  store(name: string): RecordStore {
    return this.#entry(name).store;
  }

  /** The record that a URL names by PKey. @throws CampaignRefusal */
  byPKey(resource: Resource, pkey: string): CampaignRecord {
    const id = this.pkeys.decode(resource.name, pkey);
    const record = id === undefined ? undefined : this.store(resource.name).get(id);
    if (record === undefined || this.isHidden(resource, record)) throw unknownPKey(resource, pkey);
    return record;
  }

  /** The record that a URL names by an identification key, if there is one. */
  byKey(resource: Resource, value: string): CampaignRecord | undefined {
    for (const key of resource.keys) {
      const record = this.store(resource.name).findByKey(key, value)[0];
      if (record !== undefined && !this.isHidden(resource, record)) return record;
    }
    return undefined;
  }

  /** Whether a record waits for the target of a mandatory link, so that neither people nor callers see it. */
  isHidden(resource: Resource, record: CampaignRecord): boolean {
    return resource.fields.some(
      (field) => field.mandatory === true && this.linked(field, record.values[field.name]) === undefined,
    );
  }

  /** The record that a link's value leads to: by number, or by a key that had no record when it was written. */
  linked(field: Field, value: unknown): CampaignRecord | undefined {
    const target = this.resource(field.target ?? "");
    if (target === undefined) return undefined;
    if (typeof value === "number") return this.store(target.name).get(value);
    if (typeof value !== "string") return undefined;
    return target.keys.flatMap((key) => this.store(target.name).findByKey(key, value))[0];
  }

  /** @throws CampaignRefusal for bad values and a key that is taken */
  insert(resource: Resource, endpoint: Endpoint, body: FieldValues, by: Caller): CampaignRecord {
    const values = this.#read(resource, endpoint, body);
    this.#checkKeys(resource, values);
    this.#checkLinks(resource, values);
    const record = this.store(resource.name).insert(values, this.now());
    this.#log(resource, record, { operation: "insert", ...by, values: body, at: this.now() });
    return record;
  }

  /** Changes the named fields; a key that a record has stays as it is. @throws CampaignRefusal */
  update(
    resource: Resource,
    endpoint: Endpoint,
    record: CampaignRecord,
    body: FieldValues,
    by: Caller,
  ): CampaignRecord {
    const changes = this.#read(resource, endpoint, body);
    for (const key of resource.keys) {
      if (!(key in changes) || changes[key] === record.values[key]) continue;
      this.#checkKeys(resource, { [key]: changes[key] });
      if (record.values[key] !== undefined)
        throw keyChanged(resource, String(record.values[key]), String(changes[key]));
    }
    this.#checkLinks(resource, { ...record.values, ...changes });
    const values = { ...record.values, ...changes, ...this.#mergedItems(resource, record.values, changes) };
    const now = this.now();
    const changed = this.store(resource.name).update(record, values, changeTimes(resource, record, values, now), now);
    this.#log(resource, changed, { operation: "update", ...by, values: body, at: now });
    return changed;
  }

  /**
   * For a record that a URL names by an identification key: then the body must not hold one, not even the same
   * (must-read.md, "Custom keys"). @throws CampaignRefusal
   */
  refuseKeys(resource: Resource, record: CampaignRecord, body: FieldValues): void {
    for (const key of resource.keys) {
      if (key in body) throw keyChanged(resource, String(record.values[key] ?? ""), String(body[key]));
    }
  }

  delete(resource: Resource, record: CampaignRecord, by: Caller): void {
    this.store(resource.name).delete(record);
    this.#log(resource, record, { operation: "delete", ...by, values: {}, at: this.now() });
  }

  /** By the value of the first identification key, or `#<number>` for a record without one. */
  #log(resource: Resource, record: CampaignRecord, write: Write): void {
    const key = resource.keys[0];
    const value = key === undefined ? undefined : record.values[key];
    this.writes.add(resource.name, value === undefined ? `#${record.id}` : String(value), write);
  }

  #read(resource: Resource, endpoint: Endpoint, body: FieldValues): FieldValues {
    return readFields(resource, endpoint, body, (field, value) => this.#findLink(field, value));
  }

  /**
   * By `{"PKey": ...}` or by the target's identification key as a plain value. An object with other fields is
   * ignored ("POST with linked resources" on Adobe's page of limitations); a key that no record has is a 404 there.
   */
  #findLink(field: Field, value: unknown): number | string | undefined {
    const target = this.resource(field.target ?? "");
    if (target === undefined) return undefined;
    if (typeof value !== "object" || value === null) {
      const record = this.byKey(target, String(value));
      if (record !== undefined) return record.id;
      if (field.mandatory === true && this.behaviour.mandatoryLink === "hide") return String(value);
      throw noSuchKey(target, String(value));
    }
    const pkey = "PKey" in value ? value.PKey : undefined;
    return typeof pkey === "string" ? this.byPKey(target, pkey).id : undefined;
  }

  #mergedItems(resource: Resource, before: FieldValues, changes: FieldValues): FieldValues {
    if (this.behaviour.itemPatch === "replace") return {};
    const items = resource.fields.filter(({ name, type }) => type === "item" && changes[name] !== undefined);
    return Object.fromEntries(items.map(({ name }) => [name, { ...Object(before[name]), ...Object(changes[name]) }]));
  }

  #checkLinks(resource: Resource, values: FieldValues): void {
    if (this.behaviour.mandatoryLink === "hide") return;
    const missing = resource.fields.find((field) => field.mandatory === true && values[field.name] === undefined);
    if (missing !== undefined) throw linkMissing(resource, missing.name);
  }

  #checkKeys(resource: Resource, values: FieldValues): void {
    if (this.behaviour.duplicateKey === "accept") return;
    for (const key of resource.keys) {
      const value = values[key];
      if (value === undefined || this.store(resource.name).findByKey(key, String(value)).length === 0) continue;
      const taken = keyTaken(resource, key, String(value));
      throw this.behaviour.duplicateKey === "409" ? new CampaignRefusal(409, taken.message) : taken;
    }
  }

  #entry(name: string): ResourceEntry {
    const entry = this.#resources.get(name);
    if (entry === undefined) {
      throw new RangeError(`there is no resource "${name}"; resources: ${[...this.#resources.keys()].join(", ")}`);
    }
    return entry;
  }
}

/** What is known of when each timed field last changed, after a write of these values. */
function changeTimes(
  resource: Resource,
  record: CampaignRecord,
  values: FieldValues,
  now: number,
): CampaignRecord["changedAt"] {
  const changed = resource.fields.filter(
    ({ name, timed }) => timed === true && (values[name] ?? false) !== (record.values[name] ?? false),
  );
  if (changed.length === 0) return record.changedAt;
  return { ...record.changedAt, ...Object.fromEntries(changed.map(({ name }) => [name, now])) };
}
