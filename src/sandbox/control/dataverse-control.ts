import { randomUUID } from "node:crypto";
import { readCell } from "../dataverse/cells.ts";
import { DataverseRefusal } from "../dataverse/errors.ts";
import type { Organization } from "../dataverse/organization.ts";
import { noRows } from "../dataverse/row-source.ts";
import { type Cells, type CellValue, type Choice, type Column, isLookup, type Table } from "../dataverse/schema.ts";
import { systemColumns } from "../dataverse/standard-tables.ts";
import type { Row } from "../dataverse/table-store.ts";
import {
  ControlError,
  type ControlRow,
  type ManyChanges,
  type NewRow,
  type RowUpdate,
  type SandboxControl,
} from "./interface.ts";
import type { SandboxWorld } from "./world.ts";

type DataverseControl = Pick<
  SandboxControl,
  | "tables"
  | "addTable"
  | "dropTable"
  | "setOption"
  | "dropOption"
  | "setColumn"
  | "dropColumn"
  | "setChangeTracking"
  | "setAlternateKeys"
  | "rows"
  | "row"
  | "countRows"
  | "insertRows"
  | "updateRows"
  | "deleteRows"
  | "allRowWrites"
  | "changeMany"
  | "expireDeltaTokens"
  | "setServiceProtection"
  | "setPageChurn"
  | "setOrganization"
  | "setClock"
>;

const standardTables = ["systemuser", "account", "contact"];

export function dataverseControl({ organization, protection, clock }: SandboxWorld): DataverseControl {
  const known = (name: string): Table => {
    const table = organization.table(name);
    if (table !== undefined) return table;
    const names = organization.tables().map((one) => one.name);
    throw new ControlError(`there is no table "${name}"; tables: ${names.join(", ")}`);
  };
  return {
    tables: async () => organization.tables(),
    addTable: async ({ table }) => addTable(organization, table),
    dropTable: async ({ table }) => dropTable(organization, known(table)),
    setOption: async ({ table, column, option }) => {
      changeOptions(organization, known(table), column, (options) => {
        const at = options.findIndex((one) => one.value === option.value);
        return at < 0 ? [...options, option] : options.with(at, option);
      });
    },
    dropOption: async ({ table, column, value }) =>
      changeOptions(organization, known(table), column, (options) => options.filter((one) => one.value !== value)),
    setColumn: async ({ table, column, expireTokens }) => {
      const { columns } = known(table);
      const others = columns.filter((one) => one.name !== column.name);
      organization.changeTable(table, { columns: [...others, column] });
      if (expireTokens === true) organization.expireDeltaTokens(table);
    },
    dropColumn: async ({ table, column, expireTokens }) => {
      const { columns, keys, primaryId } = known(table);
      if (column === primaryId)
        throw new ControlError(`"${column}" is the primary key of "${table}" and cannot be dropped`);
      if (!columns.some((one) => one.name === column)) return;
      organization.changeTable(table, {
        columns: columns.filter((one) => one.name !== column),
        keys: keys.filter((key) => !key.includes(column)),
      });
      if (expireTokens !== false) organization.expireDeltaTokens(table);
    },
    setChangeTracking: async ({ table, enabled }) => {
      if (known(table).changeTracking !== enabled) organization.changeTable(table, { changeTracking: enabled });
    },
    setAlternateKeys: async ({ table, keys }) => {
      const { columns } = known(table);
      for (const name of keys.flat()) columnOf(known(table), columns, name);
      organization.changeTable(table, { keys });
    },
    rows: ({ table }) => rows(organization, known(table)),
    row: async ({ table, id }) => {
      const row = organization.store(known(table).name).get(id.toLowerCase());
      return row === undefined ? undefined : controlRow(row);
    },
    countRows: async ({ table }) => organization.store(known(table).name).count,
    insertRows: async ({ table, rows: list }) => list.map((row) => insert(organization, known(table), row)),
    updateRows: async ({ table, rows: list }) => {
      for (const row of list) update(organization, known(table), row);
    },
    deleteRows: async ({ table, ids }) => {
      const store = organization.store(known(table).name);
      const there = ids.map((id) => id.toLowerCase()).filter((id) => store.get(id) !== undefined);
      for (const id of new Set(there)) organization.delete(table, id, "control");
      return new Set(there).size;
    },
    allRowWrites: ({ table }) => rowWrites(organization, known(table)),
    changeMany: async (input) => changeMany(organization, known(input.table), input),
    expireDeltaTokens: async ({ table }) => {
      const tables = table === undefined ? organization.tables() : [known(table)];
      for (const one of tables) organization.expireDeltaTokens(one.name);
    },
    setServiceProtection: async (settings) => {
      protection.settings = { ...protection.settings, ...settings };
      protection.reset();
      return protection.settings;
    },
    setPageChurn: async ({ table, ...settings }) => {
      const { inserts = 0, updates = 0, deletes = 0 } = settings;
      if (settings.cells !== undefined) checkCells(known(table), settings.cells);
      organization.churn.set(known(table).name, inserts + updates + deletes === 0 ? undefined : settings);
    },
    setOrganization: async (settings) => {
      const { expireChangeTrackingInDays, expireSubscriptionsInDays, staleRecordCounts, staleDefinitions } = settings;
      const { schemaLog } = organization;
      organization.expireChangeTrackingInDays = expireChangeTrackingInDays ?? organization.expireChangeTrackingInDays;
      schemaLog.expireSubscriptionsInDays = expireSubscriptionsInDays ?? schemaLog.expireSubscriptionsInDays;
      if (staleRecordCounts !== undefined) organization.freezeRecordCounts(staleRecordCounts);
      if (staleDefinitions !== undefined) organization.freezeDefinitions(staleDefinitions);
      return {
        expireChangeTrackingInDays: organization.expireChangeTrackingInDays,
        expireSubscriptionsInDays: schemaLog.expireSubscriptionsInDays,
        staleRecordCounts: organization.recordCountsAreFrozen,
        staleDefinitions: organization.definitionsAreFrozen,
      };
    },
    setClock: async (settings) => clock.set(settings),
  };
}

/** A declared table gets the columns that every table has, unless it declares them itself. */
function addTable(organization: Organization, table: Table): void {
  if (organization.table(table.name) !== undefined) throw new ControlError(`table "${table.name}" exists already`);
  if (organization.tableOfSet(table.entitySet) !== undefined) {
    throw new ControlError(`entity set "${table.entitySet}" belongs to another table`);
  }
  const declared = new Set(table.columns.map((column) => column.name));
  const system = systemColumns(table.name).filter(
    (column) => !declared.has(column.name) && column.type !== "Uniqueidentifier",
  );
  const id: readonly Column[] = declared.has(table.primaryId)
    ? []
    : [{ name: table.primaryId, type: "Uniqueidentifier" }];
  organization.addTable({ ...table, columns: [...id, ...system, ...table.columns] }, noRows);
}

function dropTable(organization: Organization, { name }: Table): void {
  if (standardTables.includes(name)) throw new ControlError(`"${name}" is a standard table and cannot be dropped`);
  organization.dropTable(name);
}

function changeOptions(
  organization: Organization,
  table: Table,
  name: string,
  change: (options: readonly Choice[]) => readonly Choice[],
): void {
  const { options } = columnOf(table, table.columns, name);
  if (options === undefined) throw new ControlError(`"${table.name}.${name}" has no options`);
  const columns = table.columns.map((one) => (one.name === name ? { ...one, options: change(options) } : one));
  organization.changeTable(table.name, { columns });
}

async function* rows(organization: Organization, table: Table): AsyncIterable<ControlRow> {
  for (const row of organization.store(table.name).scan(0)) yield controlRow(row);
}

async function* rowWrites(organization: Organization, { name }: Table): ReturnType<SandboxControl["allRowWrites"]> {
  for (const { key, entries } of organization.writes.all(name)) yield { id: key, entries };
}

function controlRow({ id, version, createdOn, modifiedOn, cells }: Row): ControlRow {
  const filled = Object.entries(cells).filter(([, value]) => value !== null);
  return { id, version, createdOn, modifiedOn, cells: Object.fromEntries(filled) };
}

function insert(organization: Organization, table: Table, row: NewRow): string {
  const id = (row.id ?? randomUUID()).toLowerCase();
  if (organization.store(table.name).get(id) !== undefined)
    throw new ControlError(`"${table.name}" has a row ${id} already`);
  checked(() => organization.insert(table.name, id, checkCells(table, row.cells), "control"));
  return id;
}

function update(organization: Organization, table: Table, row: RowUpdate): void {
  checked(() => organization.update(table.name, row.id.toLowerCase(), checkCells(table, row.cells), "control"));
}

function changeMany(organization: Organization, table: Table, input: ManyChanges): readonly string[] {
  const store = organization.store(table.name);
  const ids: string[] = [];
  let skipped = 0;
  for (const row of store.scan(0)) {
    if (ids.length === input.count) break;
    if (skipped < (input.skip ?? 0)) skipped += 1;
    else ids.push(row.id);
  }
  if (ids.length < input.count) {
    throw new ControlError(
      `"${table.name}" has only ${ids.length + skipped} rows, too few for skip ${input.skip ?? 0} and count ${input.count}`,
    );
  }
  for (const [index, id] of ids.entries()) {
    if (input.operation === "delete") organization.delete(table.name, id, "control");
    else update(organization, table, { id, cells: numbered(input.cells ?? {}, index) });
  }
  return ids;
}

function numbered(cells: Cells, index: number): Cells {
  return Object.fromEntries(
    Object.entries(cells).map(([name, value]) => [
      name,
      typeof value === "string" ? value.replaceAll("{n}", String(index)) : value,
    ]),
  );
}

function checkCells(table: Table, cells: Cells): Cells {
  const checkedCells: Record<string, CellValue> = {};
  for (const [name, value] of Object.entries(cells)) {
    const column = columnOf(table, table.columns, name);
    const lookup = typeof value === "object" && value !== null;
    if (lookup !== isLookup(column) && value !== null) {
      throw new ControlError(
        `"${table.name}.${name}" is a ${column.type}: a lookup is {"table","id"}, anything else a plain value`,
      );
    }
    checkedCells[name] = lookup ? { ...value, id: value.id.toLowerCase() } : readCell(table, column, value);
  }
  return checkedCells;
}

function columnOf(table: Table, columns: readonly Column[], name: string): Column {
  const column = columns.find((one) => one.name === name);
  if (column === undefined) throw new ControlError(`"${table.name}" has no column "${name}"`);
  return column;
}

function checked(write: () => unknown): void {
  try {
    write();
  } catch (cause) {
    if (cause instanceof DataverseRefusal) throw new ControlError(cause.message, { cause });
    throw cause;
  }
}
