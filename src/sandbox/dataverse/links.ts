import type { SandboxRequest } from "../answer.ts";
import type { Selection } from "./row-json.ts";
import type { Table } from "./schema.ts";

/** A page of a collection as it goes over the wire. */
export interface CollectionPage {
  readonly json: Record<string, unknown>;
  readonly rows: number;
  readonly endpoint: string;
}

/** `{org}/api/data/v9.2/`, by the version that the caller used. */
export function serviceRoot(request: SandboxRequest): string {
  const version = /^\/api\/data\/(v\d+\.\d+)\//.exec(request.path)?.[1] ?? "v9.2";
  return `${request.origin}/api/data/${version}/`;
}

export function collectionUrl(request: SandboxRequest, table: Table): string {
  return `${serviceRoot(request)}${table.entitySet}`;
}

export function contextUrl(request: SandboxRequest, table: Table, selection: Selection, suffix: string): string {
  const columns = selection.text === "" ? "" : `(${selection.text})`;
  return `${serviceRoot(request)}$metadata#${table.entitySet}${columns}${suffix}`;
}
