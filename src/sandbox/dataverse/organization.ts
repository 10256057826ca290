import type { Write, WriteLog, Writer } from "../write-log.ts";
import { AlternateKeys } from "./alternate-keys.ts";
import { noRow, noRowByKey, versionStampExpired } from "./errors.ts";
import { PageChurn } from "./page-churn.ts";
import type { RowSource } from "./row-source.ts";
import type { Cells, CellValue, Column, Table } from "./schema.ts";
import { SchemaLog } from "./schema-log.ts";
import { type Row, TableStore, VersionClock } from "./table-store.ts";

/** The schema as a reader of definitions sees it. */
interface Definitions {
  readonly tables: readonly Table[];
  /** The global metadata version. */
  readonly version: number;
}

interface TableEntry {
  schema: Table;
  readonly store: TableStore;
  readonly keys: AlternateKeys;
  /** Delta tokens older than this are refused. */
  oldestToken: number;
}

const firstVersion = 1_000_000;

/** One Dataverse organisation: its tables, its rows, and the rules that hold whoever writes. */
export class Organization {
  readonly organizationId: string;
  readonly businessUnitId: string;
  readonly userId: string;
  readonly clock = new VersionClock(firstVersion);
  /** What changed in the schema, and its version: the global metadata version. */
  readonly schemaLog = new SchemaLog();
  readonly churn = new PageChurn();
  readonly writes: WriteLog;
  /** Writes of the transaction that is open. */
  #unlogged: (() => void)[] | undefined;
  /** Days that a delta token lives (organization.ExpireChangeTrackingInDays). */
  expireChangeTrackingInDays = 7;
  readonly #tables = new Map<string, TableEntry>();
  #frozenCounts: ReadonlyMap<string, number> | undefined;
  #cachedDefinitions: Definitions | undefined;
  /** How many there have been of each table's and column's name. */
  readonly #madeCounts = new Map<string, number>();
  /** Milliseconds since 1970, for the timestamps of data. */
  readonly now: () => number;
  /** Milliseconds since 1970, for what runs out: delta tokens and version stamps. */
  readonly expiryNow: () => number;

  constructor(
    ids: { organizationId: string; businessUnitId: string; userId: string },
    times: { now: () => number; expiryNow: () => number },
    writes: WriteLog,
  ) {
    this.organizationId = ids.organizationId;
    this.businessUnitId = ids.businessUnitId;
    this.userId = ids.userId;
    this.now = times.now;
    this.expiryNow = times.expiryNow;
    this.writes = writes;
  }

  addTable(schema: Table, source: RowSource): void {
    if (this.#tables.has(schema.name)) throw new RangeError(`table "${schema.name}" exists already`);
    const store = new TableStore(source, this.clock, this.now());
    const columns = schema.columns.map((column) => this.#made(`${schema.name}.${column.name}`, column));
    const made = this.#made(schema.name, { ...schema, columns });
    this.#tables.set(schema.name, { schema: made, store, keys: new AlternateKeys(store, source), oldestToken: 0 });
    this.schemaLog.record(undefined, made);
  }

  /** A person deletes the table, and its rows with it; links to it stay, and lead nowhere. */
  dropTable(name: string): void {
    this.schemaLog.recordDrop(this.#entry(name).schema);
    this.#tables.delete(name);
  }

  tables(): readonly Table[] {
    return [...this.#tables.values()].map((entry) => entry.schema);
  }

  table(name: string): Table | undefined {
    return this.#tables.get(name)?.schema;
  }

  tableOfSet(entitySet: string): Table | undefined {
    return this.tables().find((table) => table.entitySet === entitySet);
  }

  store(table: string): TableStore {
    return this.#entry(table).store;
  }

  /** What definitions say to whom asks without `Consistency: Strong`: what they say now, until it is thawed. */
  freezeDefinitions(frozen: boolean): void {
    this.#cachedDefinitions = frozen ? this.definitions({ strong: true }) : undefined;
  }

  get definitionsAreFrozen(): boolean {
    return this.#cachedDefinitions !== undefined;
  }

  /** Definitions may come from a cache unless they are asked for with `Consistency: Strong`. */
  definitions({ strong }: { readonly strong: boolean }): Definitions {
    const current = { tables: this.tables(), version: this.schemaLog.version };
    return strong ? current : (this.#cachedDefinitions ?? current);
  }

  get recordCountsAreFrozen(): boolean {
    return this.#frozenCounts !== undefined;
  }

  /** Lets `recordCount` tell what is true now until it is thawed. */
  freezeRecordCounts(frozen: boolean): void {
    const counts = [...this.#tables].map(([name, { store }]) => [name, store.count] as const);
    this.#frozenCounts = frozen ? new Map(counts) : undefined;
  }

  /** The number of rows, of now or of when counts were frozen. */
  recordCount(table: string): number {
    return this.#frozenCounts?.get(table) ?? this.store(table).count;
  }

  /**
   * Replaces a table's columns or switches. A column that is gone, or comes back as another type, is a dropped one: its
   * values are lost, and stay lost when it is made again. Rows do not count as changed by that.
   */
  changeTable(table: string, change: Partial<Pick<Table, "columns" | "changeTracking" | "keys">>): void {
    const entry = this.#entry(table);
    const before = entry.schema;
    const columns = (change.columns ?? before.columns).map((column) => {
      const old = before.columns.find((one) => one.name === column.name && one.type === column.type);
      return old === undefined
        ? this.#made(`${table}.${column.name}`, column)
        : withPredecessors(column, old.predecessors);
    });
    entry.schema = { ...before, ...change, columns };
    for (const { name, type } of before.columns) {
      if (!columns.some((one) => one.name === name && one.type === type)) entry.store.forget(name);
    }
    entry.keys.clear();
    this.schemaLog.record(before, entry.schema);
  }

  /** Refuses every delta token of the table that was given out until now. */
  expireDeltaTokens(table: string): void {
    this.#entry(table).oldestToken = this.clock.next();
  }

  /** @throws DataverseRefusal 0x80044352 */
  checkDeltaToken(table: string, version: number, issuedAt: number): void {
    const lifetime = this.expireChangeTrackingInDays * 86_400_000;
    const age = this.expiryNow() - issuedAt;
    if (version < this.#entry(table).oldestToken || age > lifetime) throw versionStampExpired();
  }

  /** @throws DataverseRefusal when there is no such row */
  row(table: string, id: string): Row {
    const row = this.store(table).get(id);
    if (row === undefined) throw noRow(table, id);
    return row;
  }

  /** The id of the row with these key values. `columns` is one of the table's alternate keys. */
  findByKey(table: string, columns: readonly string[], values: readonly string[]): string | undefined {
    return this.#entry(table).keys.find(columns, values);
  }

  idByKey(table: string, columns: readonly string[], values: readonly string[]): string {
    const id = this.findByKey(table, columns, values);
    if (id === undefined) throw noRowByKey(table);
    return id;
  }

  /** Adds a row. @throws DataverseRefusal when an alternate key is taken */
  insert(table: string, id: string, cells: Cells, by: Writer): Row {
    const row = this.#write(table, id, this.#withDefaults(table, cells), undefined);
    this.#log(table, id, { operation: "insert", by, values: cells, at: this.now(), version: row.version });
    return row;
  }

  /** Changes the named cells of a row. */
  update(table: string, id: string, cells: Cells, by: Writer): Row {
    const known = this.row(table, id);
    const row = this.#write(table, id, { ...known.cells, ...cells }, known);
    this.#log(table, id, { operation: "update", by, values: cells, at: this.now(), version: row.version });
    return row;
  }

  delete(table: string, id: string, by: Writer): void {
    if (!this.store(table).delete(id)) throw noRow(table, id);
    this.#log(table, id, { operation: "delete", by, values: {}, at: this.now() });
  }

  /** All of `work`'s writes, or none of them if it throws. Transactions do not nest. */
  transaction<T>(work: () => T): T {
    for (const { store } of this.#tables.values()) store.begin();
    const unlogged: (() => void)[] = [];
    this.#unlogged = unlogged;
    try {
      const result = work();
      for (const { store } of this.#tables.values()) store.commit();
      for (const log of unlogged) log();
      return result;
    } catch (error) {
      for (const { store, keys } of this.#tables.values()) {
        for (const { before, after } of store.rollBack()) keys.moved(after, before);
      }
      throw error;
    } finally {
      this.#unlogged = undefined;
    }
  }

  /** The name to show for a lookup's target. */
  nameOf(table: string, id: string): string | undefined {
    const entry = this.#tables.get(table);
    const name = entry?.store.get(id)?.cells[entry.schema.primaryName];
    return typeof name === "string" ? name : undefined;
  }

  #made<T extends Column | Table>(name: string, definition: T): T {
    const count = this.#madeCounts.get(name) ?? 0;
    this.#madeCounts.set(name, count + 1);
    return withPredecessors(definition, count === 0 ? undefined : count);
  }

  #write(table: string, id: string, cells: Cells, known: Row | undefined): Row {
    const { schema, store, keys } = this.#entry(table);
    const complete = table === "contact" ? { ...cells, fullname: fullName(cells) } : cells;
    keys.check(schema.keys, id, known, complete);
    const row = store.put(id, complete, this.now());
    keys.moved(known, row);
    return row;
  }

  #log(table: string, id: string, write: Write): void {
    const log = () => this.writes.add(table, id, write);
    if (this.#unlogged === undefined) log();
    else this.#unlogged.push(log);
  }

  #withDefaults(table: string, cells: Cells): Cells {
    const defaults: Record<string, CellValue> = {};
    for (const column of this.#entry(table).schema.columns) {
      const value = defaultOf(column);
      if (value !== null) defaults[column.name] = value;
    }
    return { ...defaults, ownerid: { table: "systemuser", id: this.userId }, ...cells };
  }

  #entry(table: string): TableEntry {
    const entry = this.#tables.get(table);
    if (entry === undefined)
      throw new RangeError(`there is no table "${table}"; tables: ${[...this.#tables.keys()].join(", ")}`);
    return entry;
  }
}

function withPredecessors<T extends Column | Table>(definition: T, predecessors: number | undefined): T {
  const { predecessors: _, ...rest } = definition;
  // What was taken away is optional in both types.
  return { ...(rest as T), ...(predecessors === undefined ? {} : { predecessors }) };
}

function defaultOf(column: Column): CellValue {
  if (column.type === "State") return 0;
  if (column.type === "Status") return 1;
  return column.type === "Boolean" ? false : null;
}

function fullName(cells: Cells): CellValue {
  const name = [cells["firstname"], cells["lastname"]].filter((part) => typeof part === "string" && part !== "");
  return name.length === 0 ? null : name.join(" ");
}
