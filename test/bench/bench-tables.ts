/** Custom tables of the bench, each mapped to a custom resource of its own. */
import type { IngressMapping } from "../../src/api/integration-workflow.ts";
import type { Resource } from "../../src/sandbox/campaign/schema.ts";
import type { NewRow } from "../../src/sandbox/control/interface.ts";
import type { Table } from "../../src/sandbox/dataverse/schema.ts";

export interface BenchTable {
  readonly name: string;
  readonly rows: number;
}

/** One row in so many passes the mapping's filter. */
export const oneWrittenIn = 4;

const column = (name: string) => ({ name, type: "String", maxLength: 100 }) as const;

export function benchTable({ name }: BenchTable): Table {
  return {
    name,
    entitySet: `${name}s`,
    primaryId: `${name}id`,
    primaryName: "new_name",
    changeTracking: true,
    keys: [],
    columns: [
      column("new_name"),
      column("new_city"),
      column("new_mail"),
      column("new_note"),
      { name: "new_group", type: "Integer" },
    ],
  };
}

export function benchRows(from: number, to: number): NewRow[] {
  return Array.from({ length: to - from }, (_, index) => {
    const n = from + index;
    const cells = {
      new_name: `Name ${n}`,
      new_city: `City ${n % 1000}`,
      new_mail: `${n}@example.com`,
      new_group: n % oneWrittenIn,
    };
    return { cells };
  });
}

export function benchResource({ name }: BenchTable): Resource {
  const field = (fieldName: string) => ({ name: fieldName, type: "string", maxLength: 100 }) as const;
  return {
    name: resourceOf(name),
    label: name,
    schema: `cus:${name}`,
    endpoints: ["customResources"],
    keys: ["crmId"],
    fields: [field("crmId"), field("name"), field("city"), field("mail")],
  };
}

export function tableMapping({ name }: BenchTable): IngressMapping {
  const mapped = (from: string, to: string) => ({ column: from, field: to, applyUpdates: true });
  return {
    table: name,
    resource: resourceOf(name),
    key: { column: `${name}id`, field: "crmId" },
    fields: [mapped("new_name", "name"), mapped("new_city", "city"), mapped("new_mail", "mail")],
    filter: {
      match: "All",
      conditions: [{ column: "new_group", operator: "Equals", value: "0" }],
      deleteUnmatched: false,
    },
    applyDeletes: true,
    picklistValues: "Label",
  };
}

function resourceOf(table: string): string {
  return `cus${table.replace("new_", "").replace(/^./, (first) => first.toUpperCase())}`;
}
