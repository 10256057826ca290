/**
 * The two systems in memory, with tables whose rows point at each other. Campaign keeps its keys unique, gives each record
 * an identity of its own that links hold, and refuses a link to nothing, a mandatory link that is empty, and bad names. It
 * hides a record whose mandatory link leads nowhere: nobody can reach it, and its key is taken.
 */
import type { IngressMapping } from "../../../../src/api/integration-workflow.ts";
import type { Clock } from "../../../../src/telemetry/clock.ts";
import type { Campaign, CampaignFields } from "../../../../src/worker/campaign/interface.ts";
import type {
  ColumnMetadata,
  Dataverse,
  TableMetadata,
  TrackedPage,
  TrackedRead,
  TrackedRecord,
} from "../../../../src/worker/dataverse/interface.ts";
import { CampaignError, DataverseError } from "../../../../src/worker/http/service-error.ts";
import { askCampaign, askDataverse, type Lots, tellCampaign } from "./calls.ts";

/** What a row points at. */
export interface Pointer {
  readonly table: string;
  readonly id: string;
}

export interface FamilyRow {
  readonly version: number;
  readonly name: string;
  readonly parent: Pointer | undefined;
  /** Within the filter. */
  readonly isActive: boolean;
}

export const badName = "bad";

interface Change {
  readonly id: string;
  readonly version: number;
  readonly row?: FamilyRow;
}

interface Table {
  readonly rows: Map<string, FamilyRow>;
  readonly changes: Change[];
}

function metadataOf(table: string, targets: readonly string[]): TableMetadata {
  const column = (name: string, type: ColumnMetadata["type"]) => [name, { name, type, property: name }] as const;
  const columns = [column(`${table}id`, "Uniqueidentifier"), column("fullname", "String")];
  columns.push(column("revision", "Integer"), column("active", "Integer"));
  return {
    table,
    entitySet: `${table}s`,
    primaryId: `${table}id`,
    changeTracking: true,
    columns: new Map<string, ColumnMetadata>([
      ...columns,
      ["parentid", { name: "parentid", type: "Lookup", property: "_parentid_value", targets }],
    ]),
  };
}

/** Tables whose rows have a name, whether they are active, and one lookup. */
export class FamilySource {
  readonly #tables = new Map<string, Table>();
  readonly #targets: readonly string[];
  readonly #lots: Lots;
  readonly #clock: Clock;
  #version = 0;
  #oldestToken = 0;

  constructor(tables: readonly string[], lots: Lots, clock: Clock) {
    for (const table of tables) this.#tables.set(table, { rows: new Map(), changes: [] });
    this.#targets = tables;
    this.#lots = lots;
    this.#clock = clock;
  }

  rows(table: string): ReadonlyMap<string, FamilyRow> {
    return this.#table(table).rows;
  }

  /** What is not said stays as it was. */
  put(table: string, id: string, change: Partial<Omit<FamilyRow, "version">> = {}): void {
    const { rows, changes } = this.#table(table);
    this.#version += 1;
    const before = rows.get(id) ?? { name: `${table} ${id}`, parent: undefined, isActive: true };
    const row = { ...before, ...change, version: this.#version };
    rows.set(id, row);
    changes.push({ id, version: row.version, row });
  }

  delete(table: string, id: string): void {
    const { rows, changes } = this.#table(table);
    if (!rows.delete(id)) return;
    this.#version += 1;
    changes.push({ id, version: this.#version });
  }

  expireTokens(): void {
    this.#version += 1;
    this.#oldestToken = this.#version;
  }

  client(): Dataverse {
    const call = <T>(name: keyof Dataverse, answer: () => T) => askDataverse(this.#lots(name), this.#clock, answer);
    // The engine asks for these alone.
    return {
      whoAmI: () => call("whoAmI", () => ({ organizationId: "org", userId: "user" })),
      tableMetadata: (table: string) => call("tableMetadata", () => metadataOf(table, this.#targets)),
      readTracked: (read: TrackedRead) => call("readTracked", () => this.#page(read)),
      readRecord: ({ table }: TableMetadata, id: string) => call("readRecord", () => this.#record(table, id)),
      countRecords: () => call("whoAmI", () => undefined),
    } as unknown as Dataverse;
  }

  #table(name: string): Table {
    const table = this.#tables.get(name);
    if (table === undefined) throw new Error(`no table ${name}`);
    return table;
  }

  #record(table: string, id: string): TrackedRecord | undefined {
    const row = this.#table(table).rows.get(id);
    return row === undefined ? undefined : recordOf(table, id, row);
  }

  #page({ metadata: { table }, cursor, pageSize }: TrackedRead): TrackedPage {
    const link = cursor.kind === "snapshot" ? `table:${this.#version}:` : cursor.link;
    const [kind, from = "", to = "", after = "0"] = link.split(":");
    const { rows, changes } = this.#table(table);
    if (kind === "table") {
      const ids = [...rows.keys()].sort().filter((id) => id > to);
      const records = ids.slice(0, pageSize).flatMap((id) => this.#record(table, id) ?? []);
      const next = { nextLink: `table:${from}:${records.at(-1)?.id}` };
      return { records, deletedIds: [], ...(ids.length > pageSize ? next : { deltaLink: `delta:${from}` }) };
    }
    if (Number(from) < this.#oldestToken) {
      throw new DataverseError("the delta link expired", { code: "DeltaTokenExpired", outcome: "Refused" });
    }
    const end = to === "" ? this.#version : Number(to);
    const newest = new Map<string, Change>();
    for (const change of changes) {
      if (change.version <= Number(from) || change.version > end) continue;
      newest.set(`${change.id}${change.row === undefined ? "-gone" : ""}`, change);
    }
    const place = ({ version, row }: Change) => (version * 7919 + (row === undefined ? 3 : 0)) % 101;
    const told = [...newest.values()].sort((a, b) => place(a) - place(b));
    const start = Number(after);
    const page = told.slice(start, start + pageSize);
    const hasMore = told.length > start + pageSize;
    return {
      records: page.flatMap(({ id, row }) => (row === undefined ? [] : recordOf(table, id, row))),
      deletedIds: page.flatMap(({ id, row }) => (row === undefined ? id : [])),
      ...(hasMore ? { nextLink: `delta:${from}:${end}:${start + pageSize}` } : { deltaLink: `delta:${end}` }),
    };
  }
}

function recordOf(table: string, id: string, { version, name, parent, isActive }: FamilyRow): TrackedRecord {
  const row = {
    [`${table}id`]: id,
    fullname: name,
    revision: version,
    active: isActive ? 1 : 0,
    _parentid_value: parent?.id ?? null,
    ...(parent === undefined ? {} : { "_parentid_value@Microsoft.Dynamics.CRM.lookuplogicalname": parent.table }),
  };
  return { id, version: BigInt(version), row };
}

interface FamilyRecord {
  /** Of its own: a record that is made anew has another. */
  readonly serial: number;
  readonly fields: Record<string, unknown>;
}

export class FamilyTarget {
  readonly #records = new Map<string, Map<string, FamilyRecord>>();
  /** Every `revision` that was written, by resource and key. */
  readonly history = new Map<string, number[]>();
  readonly #mappings: readonly IngressMapping[];
  readonly #lots: Lots;
  readonly #clock: Clock;
  readonly #latestMs: number;
  #serial = 0;

  constructor(mappings: readonly IngressMapping[], lots: Lots, clock: Clock, latestMs: number) {
    this.#mappings = mappings;
    for (const { resource } of mappings) this.#records.set(resource, new Map());
    this.#lots = lots;
    this.#clock = clock;
    this.#latestMs = latestMs;
  }

  /** As a person sees it, or a caller. */
  record(resource: string, key: string): FamilyRecord | undefined {
    const record = this.#of(resource).get(key);
    return record === undefined || this.isHidden(resource, record) ? undefined : record;
  }

  isHidden(resource: string, { fields }: FamilyRecord): boolean {
    const link = this.#linkOf(resource);
    if (!link?.mandatory) return false;
    return ![...this.#of(link.resource).values()].some(({ serial }) => serial === fields["parent"]);
  }

  hidden(): readonly string[] {
    return [...this.#records].flatMap(([resource, records]) =>
      [...records].flatMap(([key, record]) => (this.isHidden(resource, record) ? `${resource} ${key}` : [])),
    );
  }

  keys(resource: string): readonly string[] {
    return [...this.#of(resource).keys()];
  }

  /** A person does. */
  remove(resource: string, key: string): void {
    this.#of(resource).delete(key);
  }

  client(): Campaign {
    const field = (name: string, type: "string" | "integer") => [name, { name, type, rawType: type }] as const;
    const plain = [field("key", "string"), field("name", "string"), field("revision", "integer")];
    // The engine asks for these alone.
    return {
      resourceMetadata: (resource: string) =>
        this.#read("resourceMetadata", () => {
          const target = this.#linkOf(resource)?.resource;
          const link = { name: "parent", type: "link", rawType: "link", ...(target === undefined ? {} : { target }) };
          return { resource, fields: new Map<string, unknown>([...plain, ["parent", link]]) };
        }),
      list: (resource: string) =>
        this.#read("list", () => ({
          records: this.keys(resource).flatMap((key) => {
            const record = this.record(resource, key);
            return record === undefined ? [] : [{ href: "x", fields: record.fields }];
          }),
        })),
      findByKey: ({ resource, value }: { resource: string; value: string }) =>
        this.#read("findByKey", () => {
          const found = this.record(resource, value);
          return found === undefined ? [] : [{ href: "x", fields: found.fields }];
        }),
      refusesDuplicates: async () => false,
      insert: (resource: string, body: CampaignFields) => this.#write("insert", () => this.#insert(resource, body)),
      updateByKey: ({ resource, value }: { resource: string; value: string }, body: CampaignFields) =>
        this.#write("updateByKey", () => this.#update(resource, value, body)),
      deleteByKey: ({ resource, value }: { resource: string; value: string }) =>
        this.#write("deleteByKey", () => {
          const isThere = this.record(resource, value) !== undefined;
          return isThere && this.#of(resource).delete(value) ? "Deleted" : "Missing";
        }),
    } as unknown as Campaign;
  }

  #of(resource: string): Map<string, FamilyRecord> {
    const records = this.#records.get(resource);
    if (records === undefined) throw new Error(`no resource ${resource}`);
    return records;
  }

  #linkOf(resource: string) {
    return this.#mappings.find((mapping) => mapping.resource === resource)?.fields.find(({ link }) => link)?.link;
  }

  #insert(resource: string, body: CampaignFields): void {
    const key = String(body["key"]);
    if (this.#of(resource).has(key)) throw refused("DuplicateKey", "there already");
    this.#put(resource, key, { parent: undefined, ...body });
  }

  #update(resource: string, key: string, body: CampaignFields): "Updated" | "Missing" {
    const record = this.record(resource, key);
    if (record === undefined) return "Missing";
    this.#put(resource, key, body, record);
    return "Updated";
  }

  /** Links are kept by the target's serial number. */
  #put(resource: string, key: string, body: CampaignFields, before?: FamilyRecord): void {
    if (body["name"] === badName) throw refused("Refused", "a bad name");
    const fields: Record<string, unknown> = { ...before?.fields, ...body };
    const link = this.#linkOf(resource);
    const value = body["parent"];
    if (link !== undefined && typeof value === "string") {
      const target = this.record(link.resource, value);
      if (target === undefined) throw refused("LinkTargetMissing", "no such target");
      fields["parent"] = target.serial;
    }
    if (link?.mandatory && typeof fields["parent"] !== "number") throw refused("Refused", "no mandatory link");
    this.#serial += 1;
    this.#of(resource).set(key, { serial: before?.serial ?? this.#serial, fields });
    const place = `${resource} ${key}`;
    this.history.set(place, [...(this.history.get(place) ?? []), Number(fields["revision"])]);
  }

  #read<T>(name: keyof Campaign, answer: () => T): Promise<T> {
    return askCampaign(this.#lots(name), this.#clock, answer);
  }

  #write<T>(name: keyof Campaign, act: () => T): Promise<T> {
    return tellCampaign(this.#lots(name), this.#clock, this.#latestMs, act);
  }
}

function refused(code: "DuplicateKey" | "LinkTargetMissing" | "Refused", message: string): CampaignError {
  return new CampaignError(message, { code, outcome: "Refused", status: 500 });
}
