/** What was so at some time in the storm: rows by their stamps, mappings by their runs, the labels of choices. */
import type { IngressMapping } from "../../src/api/integration-workflow.ts";
import type { Column } from "../../src/sandbox/dataverse/schema.ts";
import type { Labels, RowState } from "./expected.ts";
import { type MappedTable, perTable, tableOf } from "./workflow.ts";

export class Chronicle {
  readonly #rows = new Map<number, RowState>();
  readonly #versions = new Map<string, RowState[]>();
  readonly #mappings: Readonly<Record<MappedTable, IngressMapping[]>> = perTable(() => []);
  readonly #labels: Labels[] = [];
  #stamp = 0;

  /** A stamp for a new version of a row. */
  nextStamp(): string {
    this.#stamp += 1;
    return `Stamp ${String(this.#stamp).padStart(6, "0")}`;
  }

  /** Notes a row as it is now, under the stamp that it carries. */
  noteRow(stamp: unknown, row: RowState): void {
    const number = stampOf(stamp);
    if (number === undefined) throw new RangeError(`the row ${row.id} carries no stamp`);
    this.#rows.set(number, row);
    this.#versions.set(row.id, [...(this.#versions.get(row.id) ?? []), row]);
  }

  row(stamp: number): RowState | undefined {
    return this.#rows.get(stamp);
  }

  /** Every version that a row ever had, oldest first. */
  versions(id: string): readonly RowState[] {
    return this.#versions.get(id) ?? [];
  }

  noteMappings(mappings: readonly IngressMapping[]): void {
    for (const mapping of mappings) this.#mappings[tableOf(mapping)].push(mapping);
  }

  /** Every mapping of a table that a run had. */
  mappings(table: MappedTable): readonly IngressMapping[] {
    return this.#mappings[table];
  }

  /** Notes the labels as they are now. */
  noteLabels(tables: readonly { readonly name: string; readonly columns: readonly Column[] }[]): void {
    const known = new Map<string, string>();
    for (const { name, columns } of tables) {
      for (const column of columns) {
        for (const { value, label } of column.options ?? []) known.set(`${name} ${column.name} ${value}`, label);
      }
    }
    this.#labels.push((table, column, value) => known.get(`${table} ${column} ${value}`));
  }

  /** As they are now. */
  get labels(): Labels {
    return this.#labels.at(-1) ?? (() => undefined);
  }

  /** All that ever were in force. */
  get allLabels(): readonly Labels[] {
    return this.#labels;
  }
}

export function stampOf(value: unknown): number | undefined {
  const digits = typeof value === "string" ? /^Stamp (\d+)$/.exec(value)?.[1] : undefined;
  return digits === undefined ? undefined : Number(digits);
}
