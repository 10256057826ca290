/** What Campaign must hold, told from Dataverse alone: never from anything that the worker says. */
import type { IngressMapping } from "../../src/api/integration-workflow.ts";
import type { ControlRow, SandboxControl } from "../../src/sandbox/control/interface.ts";
import { expectedRecord, keyOf, stampFields } from "./mappings.ts";

/** What people did in Campaign, and what the workflow cannot know. By key. */
export interface Deeds {
  /** A record that may be missing, if its row is in `dead` instead. */
  readonly removed: Set<string>;
  /**
   * A record that may be there without a row: its mapping was away when the row or its key went, the row has no key any
   * more, or a person made it.
   */
  readonly orphans: Set<string>;
}

export interface Comparison {
  /** One sentence each; empty: Campaign is as it must be. */
  readonly differences: readonly string[];
  /** Rows that must be in `dead`, and no others. */
  readonly deadIds: ReadonlySet<string>;
}

export async function compare(
  control: SandboxControl,
  mappings: readonly IngressMapping[],
  deeds: Deeds,
): Promise<Comparison> {
  const differences: string[] = [];
  const deadIds = new Set<string>();
  for (const mapping of mappings) {
    const { table, resource, key } = mapping;
    const records = await byKey(control, resource, key.field);
    const wanted = new Map<string, { readonly row: ControlRow; readonly expected: Values }>();
    for await (const row of control.rows({ table })) {
      const expected = expectedRecord(mapping, row);
      const key = keyOf(mapping, row);
      if (expected === "Refused") {
        deadIds.add(row.id);
        if (key !== null) records.delete(key);
      } else if (expected !== undefined && key !== null && row.version > (wanted.get(key)?.row.version ?? 0)) {
        wanted.set(key, { row, expected });
      }
    }
    for (const [value, { row, expected }] of wanted) {
      const [record, ...others] = records.get(value) ?? [];
      records.delete(value);
      if (others.length > 0) differences.push(`${table} ${value} is in Campaign ${others.length + 1} times`);
      if (record === undefined) {
        deadIds.add(row.id);
        if (!deeds.removed.has(value)) differences.push(`${table} ${value} is missing`);
      } else differences.push(...fieldDifferences(mapping, value, expected, record));
    }
    for (const value of records.keys()) {
      if (!deeds.orphans.has(value)) differences.push(`${resource} ${value} has no row`);
    }
  }
  return { differences, deadIds };
}

/** Of each key and each row that had it, the stamps that callers of the API wrote never go down. */
export async function stepsBack(
  control: SandboxControl,
  resource: string,
  rowOf: (stamp: number) => string | undefined,
): Promise<readonly string[]> {
  const field = stampFields[resource] ?? "";
  const found: string[] = [];
  for await (const { key, entries } of control.allWrites({ resource })) {
    const newest = new Map<string | undefined, number>();
    for (const { by, values, sequence } of entries) {
      const stamp = by === "api" ? stampOf(values[field]) : undefined;
      if (stamp === undefined) continue;
      const row = rowOf(stamp);
      const last = newest.get(row) ?? 0;
      if (stamp < last) found.push(`${resource} ${key} went back from ${last} to ${stamp} at write ${sequence}`);
      newest.set(row, Math.max(last, stamp));
    }
  }
  return found;
}

export function stamp(n: number): string {
  return `Stamp ${String(n).padStart(6, "0")}`;
}

function stampOf(value: unknown): number | undefined {
  const digits = typeof value === "string" ? /^Stamp (\d+)$/.exec(value)?.[1] : undefined;
  return digits === undefined ? undefined : Number(digits);
}

type Values = Readonly<Record<string, unknown>>;

async function byKey(control: SandboxControl, resource: string, field: string): Promise<Map<string, Values[]>> {
  const records = new Map<string, Values[]>();
  for await (const { values } of control.records({ resource })) {
    const key = values[field];
    if (typeof key !== "string") continue; // A record without a key is nobody's.
    records.set(key, [...(records.get(key) ?? []), values]);
  }
  return records;
}

function fieldDifferences({ table, key, fields }: IngressMapping, id: string, expected: Values, record: Values) {
  return [key.field, ...fields.map(({ field }) => field)].flatMap((field) =>
    isSame(expected[field], record[field])
      ? []
      : [`${table} ${id}: ${field} is ${JSON.stringify(record[field])}, not ${JSON.stringify(expected[field])}`],
  );
}

/** An empty number is shown as 0 or left out. */
function isSame(expected: unknown, found: unknown): boolean {
  return (expected ?? "") === (found ?? "");
}
