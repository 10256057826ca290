import { createHmac } from "node:crypto";
import type { FieldValues } from "./values.ts";

export interface CampaignRecord {
  /** Internal number; never on the wire. */
  readonly id: number;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly lastModified: number;
  readonly values: FieldValues;
  /** When each timed field last changed, if that was after the record was created. */
  readonly changedAt?: Readonly<Record<string, number>>;
}

/** The records of one resource, with an index for each identification key. Numbers are given in order of creation. */
export class RecordStore {
  readonly #records = new Map<number, CampaignRecord>();
  /** Key → value → the numbers of the records that have it; more than one only if duplicates are accepted. */
  readonly #indexes = new Map<string, Map<string, readonly number[] | number>>();
  #last = 0;
  #newest = 0;

  constructor(keys: readonly string[]) {
    for (const key of keys) this.#indexes.set(key, new Map());
  }

  get count(): number {
    return this.#records.size;
  }

  /** When a record was last made or changed. */
  get newest(): number {
    return this.#newest;
  }

  get(id: number): CampaignRecord | undefined {
    return this.#records.get(id);
  }

  isKey(field: string): boolean {
    return this.#indexes.has(field);
  }

  findByKey(key: string, value: string): readonly CampaignRecord[] {
    return this.#ids(key, value).flatMap((id) => this.#records.get(id) ?? []);
  }

  /** Records in order of creation, those after a number. */
  *after(id: number): Generator<CampaignRecord> {
    for (let next = id + 1; next <= this.#last; next += 1) {
      const record = this.#records.get(next);
      if (record !== undefined) yield record;
    }
  }

  insert(values: FieldValues, now: number): CampaignRecord {
    this.#last += 1;
    return this.#put({ id: this.#last, created: now, lastModified: now, values });
  }

  update(
    record: CampaignRecord,
    values: FieldValues,
    changedAt: CampaignRecord["changedAt"],
    now: number,
  ): CampaignRecord {
    this.#unindex(record);
    return this.#put({ ...record, lastModified: now, values, ...(changedAt === undefined ? {} : { changedAt }) });
  }

  /** Empties a field that is no key in every record. */
  forget(field: string): void {
    for (const record of this.#records.values()) {
      if (!(field in record.values)) continue;
      const { [field]: _value, ...values } = record.values;
      const { [field]: _time, ...changedAt } = record.changedAt ?? {};
      this.#records.set(record.id, { ...record, values, changedAt });
    }
  }

  delete(record: CampaignRecord): void {
    this.#unindex(record);
    this.#records.delete(record.id);
  }

  #ids(key: string, value: string): readonly number[] {
    const ids = this.#indexes.get(key)?.get(value) ?? [];
    return typeof ids === "number" ? [ids] : ids;
  }

  #put(record: CampaignRecord): CampaignRecord {
    this.#records.set(record.id, record);
    this.#newest = Math.max(this.#newest, record.lastModified);
    for (const [key, index] of this.#indexes) {
      const value = record.values[key];
      if (value === undefined) continue;
      const others = this.#ids(key, String(value)).filter((id) => id !== record.id);
      index.set(String(value), others.length === 0 ? record.id : [...others, record.id]);
    }
    return record;
  }

  #unindex(record: CampaignRecord): void {
    for (const [key, index] of this.#indexes) {
      const value = record.values[key];
      if (value === undefined) continue;
      const others = this.#ids(key, String(value)).filter((id) => id !== record.id);
      if (others.length === 0) index.delete(String(value));
      else index.set(String(value), others);
    }
  }
}

/** Turns record numbers into PKeys and back. Opaque, and all of them change when `rotate` is called (must-read.md). */
export class PKeys {
  #epoch = 1;

  rotate(): void {
    this.#epoch += 1;
  }

  encode(resource: string, id: number): string {
    const mac = this.#mac(resource, id);
    const bytes = Buffer.alloc(30);
    mac.copy(bytes, 0, 0, 24);
    bytes.writeUIntBE(id, 24, 6);
    for (let index = 24; index < 30; index += 1) bytes[index] = (bytes[index] ?? 0) ^ (bytes[index - 24] ?? 0);
    return `@${bytes.toString("base64url")}`;
  }

  /** The record's number, or undefined for a PKey that is not, or no longer, one of ours. */
  decode(resource: string, pkey: string): number | undefined {
    const bytes = Buffer.from(pkey.slice(1), "base64url");
    if (!pkey.startsWith("@") || bytes.length !== 30) return undefined;
    for (let index = 24; index < 30; index += 1) bytes[index] = (bytes[index] ?? 0) ^ (bytes[index - 24] ?? 0);
    const id = bytes.readUIntBE(24, 6);
    return this.#mac(resource, id).subarray(0, 24).equals(bytes.subarray(0, 24)) ? id : undefined;
  }

  #mac(resource: string, id: number): Buffer {
    return createHmac("sha256", `epoch ${this.#epoch}`).update(`${resource} ${id}`).digest();
  }
}
