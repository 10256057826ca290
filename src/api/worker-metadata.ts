/**
 * What a worker tells of both systems' metadata, to whoever helps a person to edit: names, labels and types, nothing of any
 * record. `GET /metadata?table=contact&resource=profile&waitMs=2000`, with as many of each as are wanted.
 */
export const metadataPath = "/metadata";

export const metadataLimits = {
  /** Of each kind, in one question: a workflow maps no more, and a filter or a link may name some beside. */
  names: 80,
  /** Of tables, columns, resources or fields, in one list. */
  entries: 5000,
  /** Of a column's or a field's values. */
  values: 200,
  /** How long an answer may wait for the systems. */
  waitMs: 5000,
} as const;

export type Told<Content> =
  | ({ readonly is: "Told" } & Content)
  /** It is being asked, and was not answered in time: a later question finds it. */
  | { readonly is: "Asked" }
  | { readonly is: "Missing" | "Refused"; readonly message: string };

/** A list that was cut says how many were left off. */
export interface Listed<Entry> {
  readonly entries: readonly Entry[];
  readonly left: number;
}

interface Named {
  readonly name: string;
  /** As people of that system see it, in the language of the worker's user. */
  readonly label?: string;
}

export interface TableTold extends Named {
  /** Whether its changes can be followed. */
  readonly tracked: boolean;
}

export interface ColumnTold extends Named {
  /** Dataverse's attribute type: String, Memo, Integer, Picklist, ... */
  readonly type: string;
  /** Characters, of a text. */
  readonly maxLength?: number;
  /** Only of a DateTime: whether it has no time of day. */
  readonly dateOnly?: true;
  /** Only of a lookup: the tables that it may point at. */
  readonly targets?: readonly string[];
  /** Only of a choice. */
  readonly choices?: readonly { readonly value: string; readonly label: string }[];
  /** It alone tells rows apart. */
  readonly key?: "Primary" | "Alternate";
}

export type ResourceTold = Named;

export interface FieldTold extends Named {
  /** string, integer, number, boolean, date, datetime, link, other */
  readonly type: string;
  /** By Campaign's own name. */
  readonly rawType: string;
  readonly maxLength?: number;
  /** Only of a link: the resource that it points at. */
  readonly target?: string;
  /** Only of an enumeration. */
  readonly values?: readonly string[];
  readonly readOnly?: true;
}

export interface MetadataAnswer {
  readonly dynamics: {
    /** The system that was asked. */
    readonly url: string;
    readonly tables: Told<Listed<TableTold>>;
    readonly columns: Readonly<Record<string, Told<Listed<ColumnTold>>>>;
  };
  readonly campaign: {
    readonly url: string;
    readonly resources: Told<Listed<ResourceTold>>;
    readonly fields: Readonly<Record<string, Told<Listed<FieldTold>>>>;
  };
}
