import type { Cells } from "./schema.ts";

/** The rows that a table starts with. They are read, never changed: the table keeps what changes beside them. */
export interface RowSource {
  readonly count: number;
  /** Lower-case GUID of the row at `index`. */
  id(index: number): string;
  /** Index of the row with this id, or -1. */
  indexOf(id: string): number;
  cells(index: number): Cells;
  /** Index of the row whose `column` has this value, -1 for none; undefined: the source cannot tell without reading all. */
  find?(column: string, value: string): number | undefined;
}

export const noRows: RowSource = { count: 0, id: () => "", indexOf: () => -1, cells: () => ({}) };

/** Rows held in memory, each with its id. */
export function listedRows(rows: readonly { readonly id: string; readonly cells: Cells }[]): RowSource {
  const indexes = new Map(rows.map((row, index) => [row.id, index]));
  return {
    count: rows.length,
    id: (index) => rows[index]?.id ?? "",
    indexOf: (id) => indexes.get(id) ?? -1,
    cells: (index) => rows[index]?.cells ?? {},
  };
}
