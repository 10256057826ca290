import { randomUUID } from "node:crypto";
import { randomSequence } from "../random.ts";
import type { Writer } from "../write-log.ts";
import type { Cells } from "./schema.ts";
import type { TableStore } from "./table-store.ts";

/** What others do to a table after each page that a caller has read of it. */
export interface ChurnSettings {
  readonly inserts?: number;
  readonly updates?: number;
  readonly deletes?: number;
  /** What inserted and updated rows get; `{n}` in text is a number that grows. */
  readonly cells?: Cells;
  /** Makes the choice of rows repeatable. */
  readonly seed?: number;
}

/** The part of an organisation that others change. */
interface Writable {
  store(table: string): Pick<TableStore, "count" | "scan">;
  insert(table: string, id: string, cells: Cells, by: Writer): unknown;
  update(table: string, id: string, cells: Cells, by: Writer): unknown;
  delete(table: string, id: string, by: Writer): void;
}

interface Churn {
  readonly settings: ChurnSettings;
  readonly random: () => number;
  made: number;
}

/** Rows that change between pages: the case that a reader must bear and a test can hardly time. */
export class PageChurn {
  readonly #churns = new Map<string, Churn>();

  /** @param settings undefined: the table is left alone from now on */
  set(table: string, settings: ChurnSettings | undefined): void {
    if (settings === undefined) this.#churns.delete(table);
    else this.#churns.set(table, { settings, random: randomSequence(settings.seed ?? 1), made: 0 });
  }

  afterPage(organization: Writable, table: string): void {
    const churn = this.#churns.get(table);
    if (churn === undefined) return;
    const { inserts = 0, updates = 0, deletes = 0 } = churn.settings;
    for (let n = 0; n < inserts; n += 1) organization.insert(table, randomUUID(), cellsOf(churn), "control");
    for (let n = 0; n < updates; n += 1) {
      const id = anyRow(organization, table, churn);
      if (id !== undefined) organization.update(table, id, cellsOf(churn), "control");
    }
    for (let n = 0; n < deletes; n += 1) {
      const id = anyRow(organization, table, churn);
      if (id !== undefined) organization.delete(table, id, "control");
    }
  }
}

function cellsOf(churn: Churn): Cells {
  churn.made += 1;
  const cells = Object.entries(churn.settings.cells ?? {});
  return Object.fromEntries(
    cells.map(([name, value]) => [
      name,
      typeof value === "string" ? value.replaceAll("{n}", String(churn.made)) : value,
    ]),
  );
}

function anyRow(organization: Writable, table: string, { random }: Churn): string | undefined {
  const store = organization.store(table);
  for (const row of store.scan(Math.floor(random() * store.count))) return row.id;
  return undefined;
}
