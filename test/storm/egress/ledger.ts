/**
 * Which activities Dataverse must hold, and which refusals the store, told from what lay in the folder, from the contacts
 * and from the runs' configurations: never from anything that the worker says or decides.
 */

import { createHash } from "node:crypto";
import type { ControlRow } from "../../../src/sandbox/control/interface.ts";
import type { CellValue } from "../../../src/sandbox/dataverse/schema.ts";
import type * as exports from "../exports/folder.ts";
import type { Span } from "../runs.ts";
import type { DeadEntry } from "../store.ts";
import type { ActivityDeeds, Rows } from "./activities.ts";
import type { Contacts } from "./contacts.ts";
import { type EmailEvent, type Kind, kinds, type Meaning } from "./event-log.ts";

type Content = exports.Content<Meaning>;

/** What a run was told. */
export interface Instructions {
  readonly events: Readonly<Record<Kind, boolean>>;
  readonly since: Date;
}
type Run = Instructions & Span;

export interface Facts {
  readonly folder: exports.Folder<Meaning>;
  readonly contacts: Contacts;
  readonly runs: readonly Run[];
  readonly deeds: ActivityDeeds;
  /** Campaign's address, as configured. */
  readonly instanceUrl: string;
  readonly ownerId: string;
}

/** Every mention of an event, and where it stood. */
interface Told {
  readonly event: EmailEvent;
  readonly content: Content;
}

export class Ledger {
  readonly #facts: Facts;
  /** By kind and id. */
  readonly #told = new Map<string, Told[]>();
  readonly #present: ReadonlySet<Content>;

  constructor(facts: Facts) {
    this.#facts = facts;
    this.#present = new Set(facts.folder.present);
    for (const content of facts.folder.contents) {
      for (const { meaning } of content.lines) {
        if (meaning.is !== "Event") continue;
        const key = `${meaning.event.kind} ${this.#idOf(meaning.event)}`;
        const those = this.#told.get(key) ?? [];
        those.push({ event: meaning.event, content });
        this.#told.set(key, those);
      }
    }
  }

  /** @returns what is not as it must be of the activities, one sentence each; an event may be refused instead of `missing` */
  activities(rows: Rows): {
    readonly differences: readonly string[];
    readonly mustBeDead: ReadonlyMap<string, string>;
  } {
    const differences: string[] = [];
    const mustBeDead = new Map<string, string>();
    for (const kind of kinds) {
      for (const [id, row] of rows[kind]) differences.push(...this.#faultsOf(kind, id, row));
    }
    for (const [key, those] of this.#told) {
      const [kind = "send", id = ""] = key.split(" ") as [Kind, string]; // As they were joined above.
      if (rows[kind].has(id) || this.#facts.deeds.removed.has(id)) continue;
      const due = those.filter((one) => this.#present.has(one.content) && this.#isFor(one, "EveryRun"));
      if (due.length === 0) continue;
      const contact = contactOf(due[0]?.event);
      if (contact === undefined) mustBeDead.set(key, "ContactKeyInvalid");
      else if (due.some(({ content }) => this.#facts.contacts.wasThereSince(contact, content.sinceMs))) {
        differences.push(`${kind} ${describe(due)} has no activity (${id})`);
      } else mustBeDead.set(key, "ContactMissing");
    }
    return { differences, mustBeDead };
  }

  /** @returns what is not as it must be of the refusals */
  refusals(dead: readonly DeadEntry[], rows: Rows): readonly string[] {
    const differences: string[] = [];
    const { mustBeDead } = this.activities(rows);
    const found = new Map(dead.map(({ mapping, id, reason }) => [`${mapping} ${id}`, reason]));
    for (const [key, reason] of mustBeDead) {
      if (found.get(key) !== reason) differences.push(`${key} is not in dead for ${reason}, but ${found.get(key)}`);
    }
    for (const { mapping, id, reason } of dead) {
      const why = mapping === "exports" ? this.#lineFault(id, reason) : this.#deadFault(mapping, id, reason, rows);
      if (why !== undefined) differences.push(`${mapping} ${id} is in dead for ${reason}: ${why}`);
    }
    for (const content of this.#present) {
      const runs = this.#runsOf(content);
      for (const { number, meaning } of content.lines) {
        if (meaning.is !== "Refused" || !runs.every((run) => isLookedAt(meaning.kind, run))) continue;
        // Of the same content under another name nothing is read again.
        if ([...content.names].some((name) => found.has(`exports ${name}:${number}`))) continue;
        differences.push(`line ${number} of ${[...content.names].join(" or ")} is not in dead (${meaning.why})`);
      }
    }
    return differences;
  }

  #faultsOf(kind: Kind, id: string, row: ControlRow): readonly string[] {
    const { deeds } = this.#facts;
    const version = deeds.edited.get(id);
    if (version !== undefined)
      return version === row.version ? [] : [`${kind} ${id}: a person edited it, and it was written again`];
    if (row.modifiedOn !== row.createdOn) return [`${kind} ${id}: it was written twice`];
    const told = this.#told.get(`${kind} ${id}`) ?? [];
    if (told.length === 0) return [`${kind} ${id}: no line of any file tells of it: ${JSON.stringify(row.cells)}`];
    const allowed = told.filter((one) => this.#isFor(one, "AnyRun"));
    if (allowed.length === 0) return [`${kind} ${id}: it is switched off, or older than since: ${describe(told)}`];
    const misfits = allowed.map(({ event }) => this.#misfit(event, row));
    return misfits.includes(undefined) ? [] : [`${kind} ${id}: ${misfits.find((one) => one !== undefined)}`];
  }

  /** @returns the first column that is not what the event says */
  #misfit(event: EmailEvent, { cells }: ControlRow): string | undefined {
    const contact = contactOf(event) ?? "";
    const time = event.occurredAt.getTime();
    const expected: Readonly<Record<string, unknown>> = {
      subject: `${event.campaignId} ${event.deliveryId}`.trim(),
      adobe_campaignname: event.campaignName,
      adobe_deliveryname: event.deliveryName,
      adobe_mirrorpageurl: event.mirrorPageUrl,
      adobe_trackingurl: event.trackingUrl,
      actualstart: time,
      actualend: time,
      adobe_occurredat: time,
      ownerid: this.#facts.ownerId,
      regardingobjectid: contact,
    };
    for (const [column, value] of Object.entries(expected)) {
      const cell = cells[column] ?? null;
      const is = typeof value === "number" ? timeOf(cell) : (idOf(cell) ?? "");
      // With a contact its activities' link to it goes.
      const mayLack = column === "regardingobjectid" && is === "" && !this.#facts.contacts.wasThereSince(contact, 0);
      if (is !== value && !mayLack) return `${column} is ${JSON.stringify(cell)}, not ${JSON.stringify(value)}`;
    }
    return undefined;
  }

  #deadFault(mapping: string, id: string, reason: string, rows: Rows): string | undefined {
    const kind = kinds.find((one) => one === mapping);
    const told = (this.#told.get(`${mapping} ${id}`) ?? []).filter((one) => this.#isFor(one, "AnyRun"));
    if (kind === undefined || told.length === 0) return "no such event was to be written";
    if (rows[kind].has(id)) return "its activity is there";
    const contact = contactOf(told[0]?.event);
    if (contact === undefined) return reason === "ContactKeyInvalid" ? undefined : "its key is no contact's id";
    const firstMs = Math.min(...told.map(({ content }) => content.sinceMs));
    if (this.#facts.contacts.wasThereSince(contact, firstMs)) return "its contact was there all the time";
    return reason === "ContactMissing" ? undefined : "its contact was missing";
  }

  #lineFault(id: string, reason: string): string | undefined {
    const [, name = "", line] = /^(.*):(\d+)$/s.exec(id) ?? [];
    const told = this.#facts.folder.contents
      .filter(({ names }) => names.has(name))
      .flatMap(({ lines }) => lines.filter(({ number }) => number === Number(line)).map(({ meaning }) => meaning));
    const isRight = told.some((meaning) => meaning.is === "Refused" && `Line${meaning.why}` === reason);
    return isRight ? undefined : `that line was ${JSON.stringify(told.map((meaning) => meaning.is))}`;
  }

  #isFor({ event, content }: Told, which: "EveryRun" | "AnyRun"): boolean {
    const runs = this.#runsOf(content);
    const isOn = (run: Run) => run.events[event.kind] && event.occurredAt >= run.since;
    return which === "EveryRun" ? runs.every(isOn) : runs.some(isOn);
  }

  /** Those that may have read it. */
  #runsOf({ sinceMs }: Content): readonly Run[] {
    return this.#facts.runs.filter(({ toMs }) => toMs === undefined || toMs >= sinceMs);
  }

  #idOf({ kind, logId }: EmailEvent): string {
    const { host, pathname } = new URL(this.#facts.instanceUrl);
    return nameBasedId(`${host}\n${pathname.replace(/\/+$/, "")}\n${kind}\n${logId}`);
  }
}

function isLookedAt(kind: Kind | undefined, { events }: Run): boolean {
  return kind === undefined || events[kind];
}

/** The id, without braces and in small letters; undefined: it is none. */
function contactOf(event: EmailEvent | undefined): string | undefined {
  const plain = event?.contactKey.replaceAll(/[{}]/g, "").toLowerCase() ?? "";
  return /^[0-9a-f-]{36}$/.test(plain) ? plain : undefined;
}

function describe(told: readonly Told[]): string {
  const [one] = told;
  return `${one?.event.logId} of ${[...(one?.content.names ?? [])].join(" or ")}, ${one?.event.occurredAt.toISOString()}`;
}

function timeOf(cell: CellValue): number {
  return typeof cell === "number" ? cell : Date.parse(String(cell));
}

function idOf(cell: CellValue): CellValue {
  return typeof cell === "object" && cell !== null ? cell.id : cell;
}

/** RFC 9562, section 5.5. The namespace is the project's own: another one would write every event a second time. */
function nameBasedId(name: string): string {
  const namespace = Buffer.from("07e4bd8c090f4efd9c52871f16e6dea1", "hex");
  const bytes = createHash("sha1").update(namespace).update(name).digest();
  bytes[6] = ((bytes[6] ?? 0) % 16) + 0x50;
  bytes[8] = ((bytes[8] ?? 0) % 64) + 0x80;
  const hex = bytes.toString("hex", 0, 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
