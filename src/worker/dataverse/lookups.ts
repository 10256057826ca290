import { isRecord, jsonOf } from "../http/answer.ts";
import type { Service } from "../http/service.ts";
import { DataverseError, isRefused, ServiceError } from "../http/service-error.ts";
import type { ColumnMetadata, TableMetadata } from "./interface.ts";
import { dataverseError, refusalOf } from "./refusal.ts";
import { definitionPath } from "./table-metadata.ts";

/** Rows by the value of a column: as many as have it; or that Dataverse refuses this value. */
export type IdsByKey = ReadonlyMap<string, readonly string[] | ServiceError>;

type KeyColumn = Pick<ColumnMetadata, "name" | "type">;
type KeyTable = Pick<TableMetadata, "table" | "entitySet" | "primaryId">;

const standardHeaders = { accept: "application/json", "odata-version": "4.0", "odata-maxversion": "4.0" } as const;

/** A query takes 500 conditions, and an address 32,768 characters; both with room to spare. */
const mostConditions = 100;
const longestFilter = 12_000;
/** page-results.md */
const largestPage = 5000;

const guid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** What leads from one row to another: the names of lookups, and rows by their keys. */
export class Lookups {
  readonly #service: Service;
  /** `https://contoso.crm.dynamics.com/api/data/v9.2/` */
  readonly #root: string;

  constructor(root: string, service: Service) {
    this.#root = root;
    this.#service = service;
  }

  /**
   * By which name a row of the table is given its lookup to a row of another table:
   * `regardingobjectid_contact_adobe_emailsend`. Source: webapi/query-metadata-web-api.md and the entity type
   * OneToManyRelationshipMetadata (ReferencingEntityNavigationPropertyName).
   * @returns undefined when the column does not lead to that table
   * @throws DataverseError
   */
  async navigationProperty(
    table: string,
    column: string,
    target: string,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const operation = `the relationships of ${table}`;
    const select = "ReferencingAttribute,ReferencedEntity,ReferencingEntityNavigationPropertyName";
    const filter = encodeURIComponent(`ReferencedEntity eq '${target}'`);
    const url = `${this.#root}${definitionPath(table)}/ManyToOneRelationships?$select=${select}&$filter=${filter}`;
    const { rows } = await this.#list(operation, url, "control", [table, column, target], signal);
    const [name] = rows
      .filter((one) => one["ReferencingAttribute"] === column && one["ReferencedEntity"] === target)
      .map((one) => one["ReferencingEntityNavigationPropertyName"]);
    return typeof name === "string" && name !== "" ? name : undefined;
  }

  /**
   * The rows that have one of these values in a column, by value; a value that no row has is there with none, one that
   * the column cannot hold is not there. Text is compared as Dataverse does, without regard to case.
   * @throws DataverseError
   */
  async idsByKey(table: KeyTable, column: KeyColumn, keys: readonly string[], signal: AbortSignal): Promise<IdsByKey> {
    const found = new Map<string, readonly string[] | ServiceError>();
    for (const part of partsOf(column, keys)) await this.#look(table, column, part, found, signal);
    return found;
  }

  async #look(
    table: KeyTable,
    column: KeyColumn,
    part: readonly Condition[],
    found: Map<string, readonly string[] | ServiceError>,
    signal: AbortSignal,
  ): Promise<void> {
    const filter = part.map(({ condition }) => condition).join(" or ");
    const select = `${table.primaryId},${column.name}`;
    const url = `${this.#root}${table.entitySet}?$select=${select}&$filter=${encodeURIComponent(filter)}`;
    const operation = `rows of ${table.table} by ${column.name}`;
    const answer = await this.#list(operation, url, "write", [table.table, column.name], signal).catch(refusalOfRecord);
    const isRefused = answer instanceof ServiceError;
    if (part.length > 1 && (isRefused || answer.more)) {
      // One bad value costs itself alone; and what is missing here may stand on another page.
      const half = Math.ceil(part.length / 2);
      await this.#look(table, column, part.slice(0, half), found, signal);
      return await this.#look(table, column, part.slice(half), found, signal);
    }
    for (const one of part) {
      const ids = isRefused ? answer : idsOf(one.key, answer.rows, table.primaryId, column, part.length === 1);
      // Whether values that only look alike are the same, Dataverse tells when it is asked for the one.
      if (ids === "Unsure") await this.#look(table, column, [one], found, signal);
      else found.set(one.key, ids);
    }
  }

  async #list(
    operation: string,
    url: string,
    lane: "control" | "write",
    known: readonly string[],
    signal: AbortSignal,
  ): Promise<{ readonly rows: readonly Record<string, unknown>[]; readonly more: boolean }> {
    const headers = {
      ...standardHeaders,
      "if-none-match": "null",
      ...(lane === "control" ? { consistency: "Strong" } : { prefer: `odata.maxpagesize=${largestPage}` }),
    };
    const response = await this.#service.within(signal, (deadline) =>
      this.#service.call({ operation, lane, method: "GET", url, headers }, deadline),
    );
    if (response.status === 404 && lane === "control" && refusalOf(response).code !== undefined) {
      const message = `Dataverse did not find ${operation}: there is no such table that this user may see`;
      throw new DataverseError(message, { code: "TableMissing", outcome: "Refused", status: 404 });
    }
    if (response.status >= 300) throw dataverseError(response, operation, known);
    const answer = jsonOf(response.body);
    const value = isRecord(answer) ? answer["value"] : undefined;
    if (isRecord(answer) && Array.isArray(value)) {
      return { rows: value.filter(isRecord), more: answer["@odata.nextLink"] !== undefined };
    }
    throw new DataverseError(`Dataverse answered ${operation} in a way that is not understood: it is no list`, {
      code: "BadResponse",
      outcome: "Unknown",
    });
  }
}

/** Of what a question asks for; anything else is thrown on. */
function refusalOfRecord(error: unknown): ServiceError {
  if (isRefused(error)) return error;
  throw error;
}

interface Condition {
  readonly key: string;
  readonly condition: string;
}

function partsOf(column: KeyColumn, keys: readonly string[]): readonly (readonly Condition[])[] {
  const parts: Condition[][] = [];
  let length = Number.POSITIVE_INFINITY;
  for (const key of new Set(keys)) {
    const literal = literalOf(column, key);
    if (literal === undefined) continue;
    const condition = `${column.name} eq ${literal}`;
    const more = encodeURIComponent(` or ${condition}`).length;
    if (length + more > longestFilter || parts.at(-1)?.length === mostConditions) {
      parts.push([]);
      length = 0;
    }
    parts.at(-1)?.push({ key, condition });
    length += more;
  }
  return parts;
}

/** As it stands in a filter, with quotes doubled (OData 4.0 part 2, section 4.3); undefined: no such value. */
function literalOf({ type }: KeyColumn, key: string): string | undefined {
  switch (type) {
    case "Uniqueidentifier":
      return guid.test(key) ? key.toLowerCase() : undefined;
    case "Integer":
    case "BigInt":
      return /^-?\d{1,18}$/.test(key) ? key : undefined;
    default:
      return `'${key.replaceAll("'", "''")}'`;
  }
}

/**
 * Where the texts are not the same, those that Dataverse takes for the same.
 * @param alone nothing else was asked for: all rows have the value
 */
function idsOf(
  key: string,
  rows: readonly Record<string, unknown>[],
  primaryId: string,
  { name }: KeyColumn,
  alone: boolean,
): readonly string[] | "Unsure" {
  const withValue = (same: (value: string) => boolean) =>
    rows.filter((row) => same(String(row[name] ?? ""))).map((row) => String(row[primaryId]).toLowerCase());
  const folded = withValue((value) => foldCase(value) === foldCase(key));
  if (folded.length > 0) return folded;
  const alike = withValue((value) => alone || loosely.compare(value.trimEnd(), key.trimEnd()) === 0);
  return alone || alike.length === 0 ? alike : "Unsure";
}

function foldCase(text: string): string {
  return text.trimEnd().normalize("NFC").toLowerCase();
}

/** Databases differ in whether accents and widths count. */
const loosely = new Intl.Collator("en", { sensitivity: "base" });
