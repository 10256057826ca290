/** Dynamics' contacts and Campaign's profiles in memory, as the worker's clients show them, and the people who change them. */
import type { Campaign, CampaignRecord } from "../../../../../src/worker/campaign/interface.ts";
import type { ModifiedSince } from "../../../../../src/worker/campaign/modified-since.ts";
import type { Dataverse, TrackedRecord } from "../../../../../src/worker/dataverse/interface.ts";
import type { RowUpdate } from "../../../../../src/worker/dataverse/row-update.ts";
import { DataverseError } from "../../../../../src/worker/http/service-error.ts";
import { contactTable, newerNames } from "../../flows/opt-in-out/plans.ts";
import type { TestClock } from "../test-clock.ts";
import type { Act, Judge } from "./judge.ts";

export const startedAt = Date.parse("2026-07-01T00:00:00Z");
export const fields = ["denyListEmail", "denyListPhone"] as const;
export type FieldName = (typeof fields)[number];
const columnOf = { denyListEmail: "donotbulkemail", denyListPhone: "donotphone" } as const;
export type SystemName = "Dynamics" | "Campaign";

interface Cell {
  value: boolean;
  changedAt: number;
  /** Who set it; undefined: the worker, or a new record's default. */
  by: Act | undefined;
}
type Cells = Record<FieldName, Cell>;

interface Contact {
  readonly cells: Cells;
  version: bigint;
  modifiedAt: number;
  isDeleted: boolean;
}

interface Profile {
  readonly cells: Cells;
  readonly created: string;
  lastModified: number;
  isExported: boolean;
}

export const idOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;

export class Systems {
  readonly clock: TestClock;
  readonly judge: Judge;
  readonly contacts = new Map<string, Contact>();
  readonly profiles = new Map<string, Profile>();
  /** Exported files, by name. */
  readonly files = new Map<string, string>();
  /** Rows a page. */
  readonly pageSize = 2;
  #version = 0n;
  #profiles = 0;
  #exports = 0;

  constructor(clock: TestClock, judge: Judge, contacts: number) {
    this.clock = clock;
    this.judge = judge;
    for (let n = 0; n < contacts; n++) {
      this.contacts.set(idOf(n), {
        cells: this.#newCells(),
        version: ++this.#version,
        modifiedAt: this.now,
        isDeleted: false,
      });
      this.makeProfile(idOf(n));
    }
  }

  get now(): number {
    return startedAt + Math.floor(this.clock.now());
  }

  /** As the services tell when something was modified: in whole seconds. */
  get #second(): number {
    return Math.floor(this.now / 1000) * 1000;
  }

  person(system: SystemName, id: string, field: FieldName, value: boolean): void {
    const contact = this.contacts.get(id);
    const profile = this.profiles.get(id);
    const cell = (system === "Dynamics" ? (contact?.isDeleted ? undefined : contact) : profile)?.cells[field];
    // Saying once more what stands there changes nothing that either system would record.
    if (cell === undefined || cell.value === value) return;
    const by = this.judge.acted({ system, id, field, value, at: this.now });
    Object.assign(cell, { value, changedAt: this.now, by });
    this.#modified(system, id);
  }

  /** Somebody edits something else of the contact. */
  touch(id: string): void {
    if (this.contacts.get(id)?.isDeleted === false) this.#modified("Dynamics", id);
  }

  /** An import into Campaign writes once more what no person chose. */
  restate(id: string): void {
    const profile = this.profiles.get(id);
    if (profile === undefined) return;
    for (const field of fields) if (profile.cells[field].by === undefined) profile.cells[field].changedAt = this.now;
    this.#modified("Campaign", id);
  }

  removeProfile(id: string): void {
    if (this.profiles.delete(id)) this.judge.profileRemoved(id);
  }

  makeProfile(id: string): void {
    if (this.profiles.has(id)) return;
    const created = `profile ${++this.#profiles}`;
    this.profiles.set(id, { cells: this.#newCells(), created, lastModified: this.#second, isExported: false });
  }

  deleteContact(id: string): void {
    const contact = this.contacts.get(id);
    if (contact === undefined || contact.isDeleted) return;
    contact.isDeleted = true;
    contact.version = ++this.#version;
  }

  /** Campaign's export of the profiles that changed since the last one. */
  export(): void {
    const changed = [...this.profiles].filter(([, { isExported }]) => !isExported);
    if (changed.length === 0) return;
    const time = (at: number) => new Date(at).toISOString().slice(0, 19).replace("T", " ");
    const line = ([id, { cells }]: (typeof changed)[number]) =>
      [id, ...fields.flatMap((field) => [cells[field].value, time(cells[field].changedAt)])].join(",");
    const header = ["contactId", ...fields.flatMap((field) => [field, `${field}Time`])].join(",");
    const name = `opt_outs_${String(++this.#exports).padStart(6, "0")}.txt`;
    this.files.set(name, `${[header, ...changed.map(line)].join("\n")}\n`);
    for (const [, profile] of changed) profile.isExported = true;
  }

  values(id: string, field: FieldName): readonly [boolean | undefined, boolean | undefined] {
    const contact = this.contacts.get(id);
    return [contact?.isDeleted ? undefined : contact?.cells[field].value, this.profiles.get(id)?.cells[field].value];
  }

  /** The next question for changes is refused: everything is to be read again, and deletions of before are told nowhere. */
  isLinkExpired = false;

  dataverse(): Dataverse {
    const all = () => [...this.contacts].toSorted(([, a], [, b]) => (a.version < b.version ? -1 : 1));
    const dataverse: Pick<Dataverse, "whoAmI" | "tableMetadata" | "readTracked" | "readRecord"> = {
      whoAmI: async () => ({ organizationId: "o", userId: "u" }),
      tableMetadata: async () => contactTable(),
      readTracked: async ({ cursor }) => {
        const link = cursor.kind === "snapshot" ? "snapshot 0" : cursor.link;
        if (link.startsWith("delta") && this.isLinkExpired) {
          this.isLinkExpired = false;
          throw new DataverseError("the link has expired", {
            code: "DeltaTokenExpired",
            outcome: "Refused",
            status: 410,
          });
        }
        const [stage, after = "0"] = link.split(" ");
        const changed = all().filter(([, { version }]) => version > BigInt(after));
        const page = changed.slice(0, this.pageSize);
        const last = page.at(-1)?.[1].version ?? BigInt(after);
        const isSnapshot = stage === "snapshot";
        const links = changed.length > page.length ? { nextLink: `${stage} ${last}` } : { deltaLink: `delta ${last}` };
        return {
          records: page.filter(([, { isDeleted }]) => !isDeleted).map(([id, contact]) => this.#record(id, contact)),
          deletedIds: isSnapshot ? [] : page.filter(([, { isDeleted }]) => isDeleted).map(([id]) => id),
          ...links,
        };
      },
      readRecord: async (_, id) => {
        const contact = this.contacts.get(id);
        if (contact === undefined || contact.isDeleted) return undefined;
        this.judge.looked("Dynamics", id);
        return this.#record(id, contact);
      },
    };
    return dataverse as Dataverse; // OptInOut asks nothing else.
  }

  updates(): Pick<RowUpdate, "update"> {
    return {
      update: async (_, id, cells, version) => {
        const contact = this.contacts.get(id);
        if (contact === undefined || contact.isDeleted) return { is: "Missing" };
        if (contact.version !== version) return { is: "Changed" };
        for (const field of fields) {
          const value = cells[columnOf[field]];
          if (typeof value === "boolean") this.#byWorker("Dynamics", id, field, contact.cells[field], value);
        }
        this.#modified("Dynamics", id);
        return { is: "Updated", version: contact.version };
      },
    };
  }

  campaign(): Campaign {
    const campaign: Pick<Campaign, "resourceMetadata" | "findByKey" | "updateByKey"> = {
      resourceMetadata: async () => newerNames,
      findByKey: async ({ value }) => {
        const profile = this.profiles.get(value);
        this.judge.looked("Campaign", value);
        return profile === undefined ? [] : [this.#profile(value, profile)];
      },
      updateByKey: async ({ value: id }, values, _, lookFirst) => {
        if (lookFirst === undefined) this.judge.object("a profile could have been made");
        const profile = this.profiles.get(id);
        if (profile === undefined) return "Missing";
        for (const field of fields) {
          const value = values[field];
          if (typeof value === "boolean") this.#byWorker("Campaign", id, field, profile.cells[field], value);
        }
        this.#modified("Campaign", id);
        return "Updated";
      },
    };
    return campaign as Campaign; // OptInOut asks nothing else.
  }

  modified(): Pick<ModifiedSince, "newest" | "page"> {
    return {
      newest: async () => {
        const times = [...this.profiles.values()].map(({ lastModified }) => lastModified);
        return times.length === 0 ? undefined : new Date(Math.max(...times));
      },
      page: async (_, since, __, nextLink) => {
        const from = Number(nextLink ?? 0);
        const found = [...this.profiles].filter(([, { lastModified }]) => lastModified >= since.getTime());
        const page = found.slice(from, from + this.pageSize);
        const next = from + this.pageSize < found.length ? { nextLink: String(from + this.pageSize) } : {};
        return { records: page.map(([id, profile]) => this.#profile(id, profile)), ...next };
      },
    };
  }

  #byWorker(system: SystemName, id: string, field: FieldName, cell: Cell, value: boolean): void {
    this.judge.wrote({ system, id, field, value, at: this.now, over: cell.by });
    Object.assign(cell, { value, changedAt: this.now, by: undefined });
  }

  #modified(system: SystemName, id: string): void {
    if (system === "Dynamics") {
      const contact = this.contacts.get(id);
      if (contact === undefined) return;
      contact.version = ++this.#version;
      contact.modifiedAt = this.#second;
      return;
    }
    const profile = this.profiles.get(id);
    if (profile !== undefined) Object.assign(profile, { lastModified: this.#second, isExported: false });
  }

  #record(id: string, { cells, version, modifiedAt }: Contact): TrackedRecord {
    const values = fields.map((field) => [columnOf[field], cells[field].value] as const);
    const row = { contactid: id, ...Object.fromEntries(values), modifiedon: new Date(modifiedAt).toISOString() };
    return { id, version, row };
  }

  #profile(id: string, { cells, created, lastModified }: Profile): CampaignRecord {
    const values = Object.fromEntries(fields.map((field) => [field, cells[field].value] as const));
    const times = { created, lastModified: new Date(lastModified).toISOString().replace("T", " ") };
    return { href: id, fields: { externalId: id, ...times, ...values } };
  }

  #newCells(): Cells {
    const cell = (): Cell => ({ value: false, changedAt: this.now, by: undefined });
    return { denyListEmail: cell(), denyListPhone: cell() };
  }
}

export function outage(): DataverseError {
  return new DataverseError("no answer", { code: "Outage", outcome: "Unknown" });
}
