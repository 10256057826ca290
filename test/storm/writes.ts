/** What the sandbox's log of writes says of every call that the worker made. */
import type { IngressMapping } from "../../src/api/integration-workflow.ts";
import type { SandboxControl } from "../../src/sandbox/control/interface.ts";
import type { WriteEntry } from "../../src/sandbox/write-log.ts";
import { type Chronicle, stampOf } from "./chronicle.ts";
import { expectedFields, isSame, keyOf, passes, type RowState, type Values } from "./expected.ts";
import { stampFields, tableOf } from "./workflow.ts";

/** Fields whose values change without a new stamp. */
export type Unstamped = ReadonlySet<string>;

/** Of each key: no call for it came while another one for it was under way, which landed later. */
async function overlaps(control: SandboxControl, resource: string): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { key, entries } of control.allWrites({ resource })) {
    // In the order of landing: whatever came before an earlier one landed was under way with it.
    let earlier: WriteEntry | undefined;
    for (const entry of entries) {
      const { arrivedAt, landedAt, sequence } = entry;
      if (arrivedAt === undefined) continue;
      if (earlier !== undefined && arrivedAt < earlier.landedAt) {
        found.push(
          `${resource} ${key}: write ${sequence} came ${Math.round(earlier.landedAt - arrivedAt)} ms before write ${earlier.sequence} landed, and itself landed ${Math.round(landedAt - earlier.landedAt)} ms after it`,
        );
      }
      earlier = entry;
    }
  }
  return found;
}

/**
 * Of each key and each row that had it, stamps never go down; and every write is a version that its row had, whole, as one
 * of the mappings that were in force made it, and within that mapping's filter.
 */
export async function faultyWrites(
  control: SandboxControl,
  mapped: IngressMapping,
  chronicle: Chronicle,
  unstamped: Unstamped,
  partial: ReadonlySet<string>,
): Promise<readonly string[]> {
  const { resource } = mapped;
  const table = tableOf(mapped);
  const found = [...(await overlaps(control, resource))];
  const mappings = chronicle.mappings(table);
  for await (const { key, entries } of control.allWrites({ resource })) {
    const newest = new Map<string, number>();
    for (const entry of entries) {
      if (entry.by !== "api" || entry.operation === "delete") continue;
      const stamp = stampOf(entry.values[stampFields[table]]);
      const row = stamp === undefined ? undefined : chronicle.row(stamp);
      if (stamp === undefined || row === undefined) {
        found.push(`${resource} ${key} was written as no row ever was, at write ${entry.sequence}`);
        continue;
      }
      const last = newest.get(row.id) ?? 0;
      if (stamp < last) found.push(`${resource} ${key} went back from ${last} to ${stamp} at write ${entry.sequence}`);
      newest.set(row.id, Math.max(last, stamp));
      // Where a PATCH makes what is missing, the log calls it an insert.
      const update: readonly WriteEntry[] = partial.has(key) ? [{ ...entry, operation: "update" }] : [];
      const isMade = (mapping: IngressMapping) =>
        [entry, ...update].some((write) => isVersion(mapping, mappings, key, row, write, chronicle, unstamped));
      if (!mappings.some(isMade)) {
        found.push(
          `${resource} ${key} was written as no mapping makes stamp ${stamp}, at write ${entry.sequence}: ${JSON.stringify(entry.values)}`,
        );
      }
    }
  }
  return found;
}

function isVersion(
  mapping: IngressMapping,
  mappings: readonly IngressMapping[],
  key: string,
  row: RowState,
  { operation, values }: WriteEntry,
  chronicle: Chronicle,
  unstamped: Unstamped,
): boolean {
  if (!passes(mapping, row) || keyOf(mapping, row) !== key) return false;
  const allExpected = chronicle.allLabels.map((labels) => expectedFields(mapping, row, labels));
  const isMapped = (field: string) => mapping.fields.some((one) => one.field === field);
  const linkOf = (field: string) => mapping.fields.find((one) => one.field === field && one.link !== undefined);
  const isRight = ([field, value]: readonly [string, unknown]) =>
    field === mapping.key.field
      ? value === key
      : linkOf(field) !== undefined
        ? isLink(linkOf(field)?.column ?? "", row, value)
        : isMapped(field)
          ? unstamped.has(field) || allExpected.some((expected) => isSame(expected[field], value))
          : isConstant(mappings, field, value);
  if (!Object.entries(values).every(isRight)) return false;
  return operation === "update"
    ? hasUpdates(mapping, values)
    : hasAll(mapping, values, allExpected[0] ?? {}, unstamped);
}

/** An update says all that follows updates, what is empty too. */
function hasUpdates({ fields }: IngressMapping, values: Values): boolean {
  return fields.every(({ field, applyUpdates }) => !applyUpdates || field in values);
}

/** An insert says all that is not empty, and the constants. */
function hasAll(
  { fields, constants = [] }: IngressMapping,
  values: Values,
  expected: Values,
  unstamped: Unstamped,
): boolean {
  return (
    fields.every(
      ({ field, link }) =>
        link !== undefined || unstamped.has(field) || isSame(expected[field], undefined) || field in values,
    ) && constants.every(({ field }) => field in values)
  );
}

/** The key of the row that the link's column points at, which is its id in all links of the storm, or nothing yet. */
function isLink(column: string, { cells }: RowState, value: unknown): boolean {
  const cell = cells[column] ?? null;
  return isSame(undefined, value) || (typeof cell === "object" && cell !== null && cell.id === value);
}

/** Constants act from the next record on, whatever mapping made the rest. */
function isConstant(mappings: readonly IngressMapping[], field: string, value: unknown): boolean {
  return mappings.some(({ constants = [] }) => constants.some((one) => one.field === field && one.value === value));
}
