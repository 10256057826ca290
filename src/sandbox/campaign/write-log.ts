import type { CampaignRecord } from "./record-store.ts";
import type { Resource } from "./schema.ts";
import type { FieldValues } from "./values.ts";

/** `api`: a caller of the REST API; `control`: the control API, standing in for people. */
export type Writer = "api" | "control";

export interface WriteEntry {
  /** Grows with every write of the instance. */
  readonly sequence: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly operation: "insert" | "update" | "delete";
  readonly by: Writer;
  /** The fields as they were sent. */
  readonly values: FieldValues;
}

/** Every write, by resource and key: proves that a record was written once, and never with older values after newer. */
export class WriteLog {
  readonly #entries = new Map<string, Map<string, WriteEntry[]>>();
  #sequence = 0;
  #enabled = true;

  /** Off saves memory where millions of records are written. */
  enable(enabled: boolean): void {
    this.#enabled = enabled;
  }

  add(resource: Resource, record: CampaignRecord, entry: Omit<WriteEntry, "sequence">): void {
    this.#sequence += 1;
    if (!this.#enabled) return;
    const key = logKey(resource, record);
    const keys = this.#entries.get(resource.name) ?? new Map<string, WriteEntry[]>();
    this.#entries.set(resource.name, keys);
    const entries = keys.get(key) ?? [];
    entries.push({ sequence: this.#sequence, ...entry });
    keys.set(key, entries);
  }

  of(resource: string, key: string): readonly WriteEntry[] {
    return this.#entries.get(resource)?.get(key) ?? [];
  }

  *all(resource: string): Generator<{ readonly key: string; readonly entries: readonly WriteEntry[] }> {
    for (const [key, entries] of this.#entries.get(resource) ?? []) yield { key, entries };
  }

  clear(): void {
    this.#entries.clear();
  }
}

/** The value of the first identification key, or `#<number>` for a record without one. */
function logKey(resource: Resource, record: CampaignRecord): string {
  const key = resource.keys[0];
  const value = key === undefined ? undefined : record.values[key];
  return value === undefined ? `#${record.id}` : String(value);
}
