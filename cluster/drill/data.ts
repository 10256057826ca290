/** What the workflows of a drill move: custom tables of Dynamics 365 into custom resources of Campaign, one for each kind. */

export type Kind =
  | "customer"
  | "ticket"
  | "order"
  | "product"
  | "survey"
  | "membership"
  | "branch"
  | "visit"
  | "person";

export interface Data {
  readonly table: {
    readonly name: string;
    readonly entitySet: string;
    readonly primaryId: string;
    readonly primaryName: string;
    readonly changeTracking: true;
    readonly keys: readonly [];
    readonly columns: readonly { readonly name: string; readonly type: string; readonly label: string }[];
  };
  readonly resource: { readonly name: string; readonly keys: readonly string[] } & Readonly<Record<string, unknown>>;
  /** As a workflow names the two. */
  readonly mapping: object;
}

/** Each kind alike: a name and a level. */
export function dataOf(kind: Kind): Data {
  const table = `new_${kind}`;
  const resource = `cus${kind.charAt(0).toUpperCase()}${kind.slice(1)}`;
  return {
    table: {
      name: table,
      entitySet: `${table}s`,
      primaryId: `${table}id`,
      primaryName: "new_name",
      changeTracking: true,
      keys: [],
      columns: [
        { name: `${table}id`, type: "Uniqueidentifier", label: kind },
        { name: "new_name", type: "String", label: "Name" },
        { name: "new_level", type: "String", label: "Level" },
      ],
    },
    resource: {
      name: resource,
      label: kind,
      schema: `cus:${kind}`,
      endpoints: ["customResources"],
      fields: [
        { name: "crmId", type: "string" },
        { name: "name", type: "string" },
        { name: "level", type: "string" },
      ],
      keys: ["crmId"],
    },
    mapping: {
      table,
      resource,
      key: { column: `${table}id`, field: "crmId" },
      fields: [
        { column: "new_name", field: "name" },
        { column: "new_level", field: "level", applyUpdates: true },
      ],
    },
  };
}

export function tableOf(kind: Kind): Data["table"] {
  return dataOf(kind).table;
}

export function recordsOf(kind: Kind, count: number): readonly object[] {
  return Array.from({ length: count }, (_, n) => ({
    cells: { new_name: `${kind} ${n + 1}`, new_level: n % 2 === 0 ? "gold" : "silver" },
  }));
}
