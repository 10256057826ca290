import type { Column, Table } from "./schema.ts";
import { columnId, tableId } from "./table-metadata.ts";

/** Something that metadata defines. Keys and columns are named `table.name`, option sets `table.column.options`. */
export type SchemaItem = `table ${string}` | `column ${string}` | `options ${string}` | `key ${string}`;

interface Deletion {
  readonly kind: "table" | "column";
  /** MetadataId */
  readonly id: string;
  readonly version: number;
}

/** When each part of the schema last changed, and what is gone: what RetrieveMetadataChanges tells. */
export class SchemaLog {
  #version = 1;
  /** Version stamps older than this are refused. */
  oldestStamp = 0;
  /** Days that a version stamp lives (organization.ExpireSubscriptionsInDays). */
  #expireSubscriptionsInDays = 90;
  readonly #changed = new Map<SchemaItem, number>();
  readonly #deletions: Deletion[] = [];

  /** Grows with every change of the schema. */
  get version(): number {
    return this.#version;
  }

  get expireSubscriptionsInDays(): number {
    return this.#expireSubscriptionsInDays;
  }

  /** "Changing the property will invalidate all previous VersionStamp values" (cache-schema-data.md). */
  set expireSubscriptionsInDays(days: number) {
    if (days === this.#expireSubscriptionsInDays) return;
    this.#expireSubscriptionsInDays = days;
    this.#version += 1;
    this.oldestStamp = this.#version;
  }

  /** Takes down how a table's definition changed; `before` is undefined for a new one. */
  record(before: Table | undefined, after: Table): void {
    this.#version += 1;
    const { columns, keys, ...definition } = after;
    const { columns: oldColumns = [], keys: oldKeys = [], ...oldDefinition } = before ?? {};
    if (before === undefined || !same(definition, oldDefinition))
      this.#changed.set(`table ${after.name}`, this.#version);
    for (const column of oldColumns) {
      const kept = columns.some((one) => columnId(after, one) === columnId(after, column));
      if (!kept) this.#deletions.push({ kind: "column", id: columnId(after, column), version: this.#version });
    }
    this.#recordColumns(after.name, oldColumns, columns);
    for (const key of keys.filter((one) => !oldKeys.some((old) => same(old, one)))) {
      this.#changed.set(`key ${after.name}.${key.join("_")}`, this.#version);
    }
  }

  /** A table that goes: it alone is told as deleted, its columns go without a word. */
  recordDrop(table: Table): void {
    this.#version += 1;
    this.#deletions.push({ kind: "table", id: tableId(table), version: this.#version });
  }

  /** Whether the item came or changed after a version. */
  changedSince(item: SchemaItem, version: number): boolean {
    return (this.#changed.get(item) ?? 0) > version;
  }

  deletedSince(version: number): readonly Deletion[] {
    return this.#deletions.filter((deletion) => deletion.version > version);
  }

  #recordColumns(table: string, before: readonly Column[], after: readonly Column[]): void {
    for (const column of after) {
      const { options, ...rest } = column;
      const { options: oldOptions, ...oldRest } = before.find((one) => one.name === column.name) ?? { name: undefined };
      if (!same(rest, oldRest)) this.#changed.set(`column ${table}.${column.name}`, this.#version);
      if (options !== undefined && !same(options, oldOptions))
        this.#changed.set(`options ${table}.${column.name}`, this.#version);
    }
  }
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
