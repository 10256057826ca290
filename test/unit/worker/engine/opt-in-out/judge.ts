/**
 * Knows what people did and what the worker wrote, and nothing of how it decides. Objects to every opt-in that nobody asked
 * for.
 */
import type { AuditRecord } from "../../../../../src/worker/flows/opt-in-out/audit.ts";
import type { Direction } from "../../../../../src/worker/flows/opt-in-out/contact.ts";
import type { FieldName, SystemName } from "./systems.ts";

export interface Act {
  readonly order: number;
  readonly system: SystemName;
  readonly id: string;
  readonly field: FieldName;
  readonly value: boolean;
  readonly at: number;
}

interface Write extends Omit<Act, "order"> {
  /** The person's act that it covers. */
  readonly over: Act | undefined;
}

export class Judge {
  readonly direction: Exclude<Direction, "Disabled">;
  readonly objections: string[] = [];
  optIns = 0;
  readonly #acts: Act[] = [];
  /** By contact, field: where what is written, by the audit. */
  readonly #decided = new Map<string, string>();
  /** From a turn's first look to the landing of its last call. */
  readonly #turnMs: number;
  #order = 0;
  readonly #removedAt = new Map<string, number>();
  /** By system, contact: how many acts there were at the last look. */
  readonly #looks = new Map<string, number>();
  /** By contact, field: acts of the source up to this one were carried over, and it was stored. */
  readonly #carried = new Map<string, number>();

  constructor(direction: Judge["direction"], turnMs: number) {
    this.direction = direction;
    this.#turnMs = turnMs;
  }

  get #source(): SystemName {
    return this.direction === "DynamicsToCampaign" ? "Dynamics" : "Campaign";
  }

  acted(act: Omit<Act, "order">): Act {
    const ordered = { ...act, order: ++this.#order };
    this.#acts.push(ordered);
    return ordered;
  }

  profileRemoved(id: string): void {
    this.#removedAt.set(id, ++this.#order);
  }

  looked(system: SystemName, id: string): void {
    this.#looks.set(`${system} ${id}`, this.#order);
  }

  /** It was stored that this value is agreed: if it is what the source said at the last look, that is dealt with. */
  settled(id: string, field: string, value: boolean): void {
    const look = this.#looks.get(`${this.#source} ${id}`) ?? 0;
    const said = this.#acts.findLast(
      (act) => act.id === id && act.field === field && act.system === this.#source && act.order <= look,
    );
    if ((said?.value ?? false) === value) this.#carried.set(`${id} ${field}`, look);
  }

  /** What the audit has; of each contact and field the last decision to write counts. */
  audited(records: readonly AuditRecord[]): void {
    for (const record of records) {
      if (record.event !== "Decided") continue;
      this.#decided.set(`${record.contact} ${record.field}`, `${record.written} ${record.decided}`);
    }
  }

  object(what: string): void {
    this.objections.push(what);
  }

  /** The last that a person said, of what counts since the profile was last removed. */
  last(id: string, field: FieldName): Act | undefined {
    return this.#acts.findLast(
      (act) => act.id === id && act.field === field && act.order > (this.#removedAt.get(id) ?? 0),
    );
  }

  wrote(write: Write): void {
    const { system, id, field, value, at, over } = write;
    const isOneWay = this.direction !== "Bidirectional";
    const what = `${system} ${id.slice(-2)} ${field}`;
    if (isOneWay && system === this.#source) this.object(`${what}: the source was written`);
    if (this.#decided.get(`${id} ${field}`) !== `${system} ${value}`) this.object(`${what}: it is not in the audit`);
    if (value) return;
    this.optIns += 1;
    const acts = this.#acts.filter((act) => act.id === id && act.field === field);
    if (!isOneWay && system === "Campaign") this.object(`${what}: FALSE was written to Campaign`);
    const asked = acts.filter((act) => act.system === this.#source && !act.value);
    // Of the acts during the turn it could not know; after the newest of the others, somebody has to have asked.
    const before = at - this.#turnMs;
    const counts = (act: Act) => act.value && act.at < before && (!isOneWay || act.system === this.#source);
    const optOut = acts.findLast(counts)?.order ?? 0;
    if (!asked.some(({ order }) => order > optOut)) this.object(`${what}: opted in, and nobody had asked for it since`);
    if (!isOneWay && over?.value === true && !asked.some(({ order }) => order > over.order)) {
      this.object(`${what}: a person's opt-out was overwritten`);
    }
    const carried = this.#carried.get(`${id} ${field}`) ?? 0;
    if (isOneWay && !asked.some(({ order }) => order > carried)) {
      this.object(`${what}: an opt-in that was carried over went once more`);
    }
  }
}
