/**
 * The two systems in memory, where a test decides what becomes of every call. They keep what matters to the engine: row
 * versions, delta links, deletions without a version, keys that are not unique, and calls that land after their caller
 * gave up.
 */

import type { Clock } from "../../../../src/telemetry/clock.ts";
import type { Campaign, CampaignFields, CampaignKey } from "../../../../src/worker/campaign/interface.ts";
import type {
  Dataverse,
  TableMetadata,
  TrackedPage,
  TrackedRead,
  TrackedRecord,
} from "../../../../src/worker/dataverse/interface.ts";
import { CampaignError, DataverseError } from "../../../../src/worker/http/service-error.ts";
import { askCampaign, askDataverse, type Lots, tellCampaign } from "./calls.ts";

interface SourceRow {
  readonly version: number;
  readonly name: string;
  readonly number: string;
}

function recordOf(id: string, { version, name, number }: SourceRow): TrackedRecord {
  return { id, version: BigInt(version), row: { contactid: id, fullname: name, number, revision: version } };
}

const metadata: TableMetadata = {
  table: "contact",
  entitySet: "contacts",
  primaryId: "contactid",
  changeTracking: true,
  columns: new Map([
    ["contactid", { name: "contactid", type: "Uniqueidentifier", property: "contactid" }],
    ["fullname", { name: "fullname", type: "String", property: "fullname" }],
    ["number", { name: "number", type: "String", property: "number" }],
    ["revision", { name: "revision", type: "Integer", property: "revision" }],
  ]),
};

interface Change {
  readonly id: string;
  readonly version: number;
  /** As it was then; absent: it was deleted. */
  readonly row?: SourceRow;
}

/**
 * Contacts whose column `revision` is their row version, and whose `number` several may have. A delta tells the newest row and the newest deletion of a record,
 * both if both happened, in no order, perhaps on different pages.
 */
export class SourceWorld {
  readonly rows = new Map<string, SourceRow>();
  /** The contact of each row version. */
  readonly idOf = new Map<number, string>();
  /** Whether a delta tells all deletions after all rows. */
  isDeletedLast = false;
  readonly #changes: Change[] = [];
  readonly #lots: Lots;
  readonly #clock: Clock;
  #version = 0;
  #oldestToken = 0;

  constructor(lots: Lots, clock: Clock) {
    this.#lots = lots;
    this.#clock = clock;
  }

  /** Without a number it keeps the one it has. */
  put(id: string, name: string, number = this.rows.get(id)?.number ?? `of ${id}`): void {
    this.#version += 1;
    const row = { version: this.#version, name, number };
    this.idOf.set(row.version, id);
    this.rows.set(id, row);
    this.#changes.push({ id, version: row.version, row });
  }

  delete(id: string): void {
    if (!this.rows.delete(id)) return;
    this.#version += 1;
    this.#changes.push({ id, version: this.#version });
  }

  expireTokens(): void {
    this.#version += 1;
    this.#oldestToken = this.#version;
  }

  client(): Dataverse {
    const call = <T>(name: keyof Dataverse, answer: () => T) => askDataverse(this.#lots(name), this.#clock, answer);
    return {
      whoAmI: () => call("whoAmI", () => ({ organizationId: "org", userId: "user" })),
      tableMetadata: () => call("tableMetadata", () => metadata),
      readTracked: (read) => call("readTracked", () => this.#page(read)),
      estimatedRecords: () => call("estimatedRecords", () => this.rows.size),
      readRecord: (_metadata, id) => call("readRecord", () => this.#record(id)),
    };
  }

  #record(id: string): TrackedRecord | undefined {
    const row = this.rows.get(id);
    return row === undefined ? undefined : recordOf(id, row);
  }

  /** Links: `table:<version at the start>:<last id>` and `delta:<version>:<end>:<place>`. */
  #page({ cursor, pageSize }: TrackedRead): TrackedPage {
    const link = cursor.kind === "snapshot" ? `table:${this.#version}:` : cursor.link;
    const [kind, from = "", to = "", after = "0"] = link.split(":");
    if (kind === "table") return this.#tablePage(from, to, pageSize);
    if (Number(from) < this.#oldestToken) {
      throw new DataverseError("the delta link expired", { code: "DeltaTokenExpired", outcome: "Refused" });
    }
    const end = to === "" ? this.#version : Number(to);
    const told = this.#told(Number(from), end);
    const start = Number(after);
    const page = told.slice(start, start + pageSize);
    const more = told.length > start + pageSize;
    return {
      records: page.flatMap(({ id, row }) => (row === undefined ? [] : recordOf(id, row))),
      deletedIds: page.flatMap(({ id, row }) => (row === undefined ? id : [])),
      ...(more ? { nextLink: `delta:${from}:${end}:${start + pageSize}` } : { deltaLink: `delta:${end}` }),
    };
  }

  #tablePage(from: string, after: string, pageSize: number): TrackedPage {
    const ids = [...this.rows.keys()].sort().filter((id) => id > after);
    const records = ids.slice(0, pageSize).flatMap((id) => this.#record(id) ?? []);
    const more = ids.length > pageSize;
    return {
      records,
      deletedIds: [],
      ...(more ? { nextLink: `table:${from}:${records.at(-1)?.id}` } : { deltaLink: `delta:${from}` }),
    };
  }

  #told(from: number, end: number): readonly Change[] {
    const newest = new Map<string, Change>();
    for (const change of this.#changes) {
      if (change.version <= from || change.version > end) continue;
      newest.set(`${change.id}${change.row === undefined ? "-gone" : ""}`, change);
    }
    // Some order that is nobody's.
    const place = ({ version, row }: Change) =>
      this.isDeletedLast ? Number(row === undefined) : (version * 7919 + (row === undefined ? 3 : 0)) % 101;
    return [...newest.values()].sort((a, b) => place(a) - place(b));
  }
}

/** Profiles by `externalId`, which Campaign keeps unique or not. */
export class TargetWorld {
  keepsKeysUnique = false;
  /** An update of what is not there makes a record of what it says. */
  makesMissing = false;
  readonly records: Record<string, unknown>[] = [];
  /** Every `revision` that was written to a key, in order; a deletion as `gone`. */
  readonly history = new Map<string, (number | "gone")[]>();
  readonly #lots: Lots;
  readonly #clock: Clock;
  /** How late a lost call may still land. */
  readonly #latestMs: number;

  constructor(lots: Lots, clock: Clock, latestMs: number) {
    this.#lots = lots;
    this.#clock = clock;
    this.#latestMs = latestMs;
  }

  /** Somebody makes a record there. */
  makeByHand(key: string): void {
    if (this.with(key).length === 0) this.records.push({ externalId: key, name: "by hand" });
  }

  with(key: string): Record<string, unknown>[] {
    return this.records.filter(({ externalId }) => externalId === key);
  }

  client(): Campaign {
    const field = (name: string, type: "string" | "integer") => [name, { name, type, rawType: type }] as const;
    const fields = new Map([field("externalId", "string"), field("name", "string"), field("revision", "integer")]);
    return {
      resourceMetadata: (resource) => this.#read("resourceMetadata", () => ({ resource, fields })),
      list: () =>
        this.#read("list", () => ({ records: this.records.map((record) => ({ href: "x", fields: { ...record } })) })),
      findByKey: ({ value }) =>
        this.#read("findByKey", () => this.with(value).map((record) => ({ href: "x", fields: record }))),
      refusesDuplicates: async () => this.keepsKeysUnique,
      insert: (_resource, body) => this.#write("insert", () => this.#insert(body)),
      updateByKey: (key, body, _signal, lookFirst) =>
        this.#write("updateByKey", () => this.#update(key, body, lookFirst === "LookFirst")),
      deleteByKey: (key) => this.#write("deleteByKey", () => this.#delete(key)),
    };
  }

  #insert(body: CampaignFields): void {
    if (this.keepsKeysUnique && this.with(String(body["externalId"])).length > 0) {
      throw new CampaignError("there already", { code: "DuplicateKey", outcome: "Refused", status: 500 });
    }
    this.records.push({ ...body });
    this.#remember(String(body["externalId"]), Number(body["revision"]));
  }

  #update({ value }: CampaignKey, body: CampaignFields, lookFirst: boolean): "Updated" | "Missing" {
    const isMade = this.with(value).length === 0 && this.makesMissing && !lookFirst;
    if (isMade) this.records.push({ externalId: value });
    const [record] = this.with(value);
    if (record === undefined) return "Missing";
    Object.assign(record, body);
    this.#remember(value, Number(record["revision"]));
    return "Updated";
  }

  #delete({ value }: CampaignKey): "Deleted" | "Missing" {
    const [record] = this.with(value);
    if (record === undefined) return "Missing";
    this.records.splice(this.records.indexOf(record), 1);
    this.#remember(value, "gone");
    return "Deleted";
  }

  #remember(key: string, what: number | "gone"): void {
    this.history.set(key, [...(this.history.get(key) ?? []), what]);
  }

  #read<T>(name: keyof Campaign, answer: () => T): Promise<T> {
    return askCampaign(this.#lots(name), this.#clock, answer);
  }

  #write<T>(name: keyof Campaign, act: () => T): Promise<T> {
    return tellCampaign(this.#lots(name), this.#clock, this.#latestMs, act);
  }
}
