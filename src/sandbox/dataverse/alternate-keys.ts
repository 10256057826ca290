import { keyTaken } from "./errors.ts";
import type { RowSource } from "./row-source.ts";
import type { Cells, Table } from "./schema.ts";
import type { Row, TableStore } from "./table-store.ts";

const separator = "\u0000";

/** The alternate keys of one table: which row has which values. */
export class AlternateKeys {
  readonly #store: TableStore;
  readonly #source: RowSource;
  /** Columns → values → id; built at the first use of a key. */
  readonly #indexes = new Map<string, Map<string, string>>();

  constructor(store: TableStore, source: RowSource) {
    this.#store = store;
    this.#source = source;
  }

  /** The id of the row with these values. */
  find(columns: readonly string[], values: readonly string[]): string | undefined {
    const wanted = values.join(separator);
    const holds = (row: Row | undefined) =>
      row !== undefined && keyValues(columns, row.cells)?.join(separator) === wanted;
    const id = this.#index(columns).get(wanted);
    if (id !== undefined && holds(this.#store.get(id))) return id;
    const index = sourceFinds(this.#source, columns, values[0] ?? "") ?? -1;
    const sourced = index >= 0 ? this.#store.get(this.#source.id(index)) : undefined;
    return holds(sourced) ? sourced?.id : undefined;
  }

  /** @param known the row before. @throws DataverseRefusal when another row has one of the values that it is to have */
  check(keys: Table["keys"], id: string, known: Row | undefined, cells: Cells): void {
    for (const columns of keys) {
      const key = keyValues(columns, cells);
      if (key === undefined || (known !== undefined && sameKey(columns, known.cells, cells))) continue;
      const holder = this.find(columns, key);
      if (holder !== undefined && holder !== id) throw keyTaken(columns);
    }
  }

  /** A row went from one state to another; undefined: it is not there. */
  moved(from: Row | undefined, to: Row | undefined): void {
    for (const [name, index] of this.#indexes) {
      const columns = name.split(",");
      const old = from === undefined ? undefined : keyValues(columns, from.cells);
      if (old !== undefined && index.get(old.join(separator)) === from?.id) index.delete(old.join(separator));
      const key = to === undefined ? undefined : keyValues(columns, to.cells);
      if (key !== undefined && to !== undefined) index.set(key.join(separator), to.id);
    }
  }

  /** The columns, or what rows hold in them, are others from now on. */
  clear(): void {
    this.#indexes.clear();
  }

  /** All rows by key; without those of the source where the source finds its own. */
  #index(columns: readonly string[]): Map<string, string> {
    const name = columns.join(",");
    const known = this.#indexes.get(name);
    if (known !== undefined) return known;
    const index = new Map<string, string>();
    const rows = sourceFinds(this.#source, columns, "") === undefined ? this.#store.scan(0) : this.#store.changedRows();
    for (const row of rows) {
      const key = keyValues(columns, row.cells);
      if (key !== undefined) index.set(key.join(separator), row.id);
    }
    this.#indexes.set(name, index);
    return index;
  }
}

/** The key's values as text, or undefined when one is empty: such a row has no key. */
function keyValues(columns: readonly string[], cells: Cells): string[] | undefined {
  const values: string[] = [];
  for (const column of columns) {
    const value = cells[column] ?? null;
    if (value === null) return undefined;
    values.push(typeof value === "object" ? value.id : String(value));
  }
  return values;
}

function sameKey(columns: readonly string[], before: Cells, after: Cells): boolean {
  return keyValues(columns, before)?.join(separator) === keyValues(columns, after)?.join(separator);
}

function sourceFinds(source: RowSource, columns: readonly string[], value: string): number | undefined {
  const column = columns[0];
  return columns.length === 1 && column !== undefined ? source.find?.(column, value) : undefined;
}
