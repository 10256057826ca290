import {
  agreementAfter,
  agreementWhileWriting,
  type Outcomes,
} from "../../../../../src/worker/flows/opt-in-out/agreement.ts";
import {
  type Agreement,
  type CampaignReading,
  type Direction,
  type DynamicsReading,
  nothingAgreed,
  type System,
  withExportedTimes,
} from "../../../../../src/worker/flows/opt-in-out/contact.ts";
import { type Concluded, decide, type Situation } from "../../../../../src/worker/flows/opt-in-out/decide.ts";

/**
 * One contact in two systems, people who change it, and a worker that dies, whose calls get lost, and to whom the feed and
 * the exports bring things late, twice and in any order. The world sees all of it, and objects to what must not be.
 */

export const fields = ["denyListEmail", "denyListPhone"] as const;
export type FieldName = (typeof fields)[number];

interface Act {
  readonly order: number;
  readonly system: System;
  readonly field: FieldName;
  readonly value: boolean;
}

interface Cell {
  value: boolean;
  changedAt: number;
  /** Who set it; undefined: the worker, or a new profile's default. */
  by: Act | undefined;
}

/** What the worker was told and has not done with. */
export type Message =
  | { readonly from: "Dynamics"; readonly reading: DynamicsReading }
  | { readonly from: "Campaign"; readonly reading: CampaignReading };

/** How many acts there were when the turn began to look, and when it read each system. */
interface Looks {
  readonly begun?: number;
  readonly Dynamics?: number;
  readonly Campaign?: number;
}

export type Fault = "none" | "lost, and done" | "lost, and not done";

const newCells = (now: number): Record<FieldName, Cell> => ({
  denyListEmail: { value: false, changedAt: now, by: undefined },
  denyListPhone: { value: false, changedAt: now, by: undefined },
});

export class World {
  readonly direction: Direction;
  /** Dynamics writes whole seconds; Campaign's attributes have milliseconds. */
  now = Date.parse("2026-11-22T10:00:00Z");
  readonly acts: Act[] = [];
  /** Acts of before the last removal of the profile are not judged: what Campaign had of them went with it. */
  judgedFrom = 0;
  readonly dynamics = { cells: newCells(0), version: 1n, modifiedAt: this.now };
  campaign: { readonly cells: Record<FieldName, Cell>; readonly created: string } | undefined;
  agreement: Agreement = nothingAgreed;
  /** A value that was said to be carried over: the acts of up to then are dealt with. */
  readonly carried: Record<FieldName, number> = { denyListEmail: 0, denyListPhone: 0 };
  readonly pending: Message[] = [];
  readonly told: Message[] = [];
  readonly objections: string[] = [];
  /** How often the worker opted somebody in. */
  optIns = 0;
  #order = 0;
  #exportDue = false;
  #profiles = 0;
  #exports = 0;

  constructor(direction: Direction) {
    this.direction = direction;
    this.makeProfile();
    this.#tellOfDynamics();
  }

  person(system: System, field: FieldName, value: boolean): void {
    const cell = (system === "Dynamics" ? this.dynamics : this.campaign)?.cells[field];
    if (cell === undefined) return;
    const by = { order: ++this.#order, system, field, value };
    // Saying once more what stands there changes nothing that either system would record.
    if (cell.value === value) return;
    this.acts.push(by);
    Object.assign(cell, { value, changedAt: this.now, by });
    if (system === "Dynamics") this.touch();
    else this.#exportDue = true;
  }

  /** Somebody edits something else of the contact. */
  touch(): void {
    this.dynamics.version += 1n;
    this.dynamics.modifiedAt = Math.floor(this.now / 1000) * 1000;
    this.#tellOfDynamics();
  }

  /** An import into Campaign writes once more what no person chose: the values stay, and their times are new. */
  restate(): void {
    if (this.campaign === undefined) return;
    for (const field of fields) {
      const cell = this.campaign.cells[field];
      if (cell.by === undefined) cell.changedAt = this.now;
    }
    this.#exportDue = true;
  }

  removeProfile(): void {
    this.campaign = undefined;
    this.judgedFrom = ++this.#order;
  }

  makeProfile(): void {
    if (this.campaign !== undefined) return;
    this.campaign = { cells: newCells(this.now), created: `profile ${++this.#profiles}` };
    this.#exportDue = true;
  }

  /** Campaign's export of what changed since the last one. */
  export(): void {
    const told = this.#readCampaign(false);
    // Every other file does not tell when the profile was made.
    const reading = told === undefined || ++this.#exports % 2 === 0 ? told : { ...told, profileCreated: undefined };
    if (this.#exportDue && reading !== undefined) this.#tell({ from: "Campaign", reading });
    this.#exportDue = false;
  }

  /** The worker's turn with a message. Between two steps anything may happen; a turn that is dropped is a crash. */
  *turn(message: Message): Generator<void, void, Fault> {
    const exported = message.from === "Campaign" ? message.reading : undefined;
    let dynamics: Situation["dynamics"] = message.from === "Dynamics" ? message.reading : { state: "Unread" };
    let campaign: Situation["campaign"] = exported ?? { state: "Unread" };
    let looks: Looks = {};
    for (;;) {
      const situation = { direction: this.direction, fields, agreement: this.agreement, dynamics, campaign };
      const decision = decide(situation);
      if (decision.kind === "Read") {
        looks = { begun: this.#order, ...looks };
        for (const system of decision.systems) {
          yield;
          looks = { ...looks, [system]: this.#order };
          if (system === "Dynamics") dynamics = this.#readDynamics(true);
          else campaign = this.#campaignWith(exported);
        }
        continue;
      }
      if (decision.kind === "Write") {
        yield;
        this.agreement = agreementWhileWriting(situation, decision);
      }
      const { outcomes, again } = yield* this.#write(decision, dynamics, looks);
      yield;
      this.agreement = agreementAfter(situation, decision, outcomes);
      for (const { field, agreed, write } of decision.verdicts) {
        const outcome = write?.system === "Dynamics" ? outcomes.dynamics : outcomes.campaign;
        if (agreed !== undefined && (write === undefined || outcome === "Done"))
          this.carried[field as FieldName] = looks[this.#source] ?? this.#order;
      }
      if (again === "ProfileMissing") campaign = { state: "Missing" };
      else if (again === "Conflict") {
        dynamics = { state: "Unread" };
        if (campaign.state === "Read") campaign = { state: "Unread" };
        looks = {};
      } else {
        const isLost = outcomes.dynamics === "Unknown" || outcomes.campaign === "Unknown";
        if (decision.kind !== "Park" && !isLost) this.#done(message);
        return;
      }
    }
  }

  *#write(
    { verdicts }: Concluded,
    dynamics: Situation["dynamics"],
    looks: Looks,
  ): Generator<void, { outcomes: Outcomes; again?: "Conflict" | "ProfileMissing" }, Fault> {
    let outcomes: Outcomes = {};
    const to = (system: System) => verdicts.filter(({ write }) => write?.system === system);
    if (to("Campaign").length > 0) {
      const fault = yield;
      if (this.campaign === undefined) return { outcomes: { campaign: "NotDone" }, again: "ProfileMissing" };
      if (fault !== "lost, and not done") {
        for (const { field, write } of to("Campaign")) this.#set("Campaign", field, write?.value === true, looks);
        this.#exportDue = true;
      }
      outcomes = { campaign: fault === "none" ? "Done" : "Unknown" };
    }
    if (to("Dynamics").length > 0) {
      const fault = yield;
      if (dynamics.state !== "Read" || dynamics.version !== this.dynamics.version)
        return { outcomes: { ...outcomes, dynamics: "NotDone" }, again: "Conflict" };
      if (fault !== "lost, and not done") {
        for (const { field, write } of to("Dynamics")) this.#set("Dynamics", field, write?.value === true, looks);
        this.touch();
      }
      outcomes = { ...outcomes, dynamics: fault === "none" ? "Done" : "Unknown" };
      if (fault === "none") outcomes = { ...outcomes, dynamicsVersion: this.dynamics.version };
    }
    return { outcomes };
  }

  #set(system: System, name: string, value: boolean, looks: Looks): void {
    const field = name as FieldName;
    const cell = (system === "Dynamics" ? this.dynamics : this.campaign)?.cells[field];
    if (cell === undefined) return;
    if (!value) this.optIns += 1;
    if (!value) this.#judgeOptIn(system, field, cell, looks);
    Object.assign(cell, { value, changedAt: this.now, by: undefined });
  }

  #judgeOptIn(system: System, field: FieldName, cell: Cell, looks: Looks): void {
    const of = this.acts.filter((act) => act.field === field);
    const object = (what: string) => this.objections.push(`${system} ${field}: ${what}`);
    if (this.direction === "Bidirectional") {
      const optedInSince = (optOut: Act) => of.some(({ value, order }) => !value && order > optOut.order);
      if (cell.by?.value === true && !optedInSince(cell.by))
        object("a person's opt-out was overwritten, and nobody has opted in since");
      const known = of.filter(({ order }) => order > this.judgedFrom && order <= (looks.begun ?? 0)).at(-1);
      if (known?.value === true && !optedInSince(known))
        object("opted in, though the last that a person said, before the look, was opted out");
      return;
    }
    const last = of.filter((act) => act.system === this.#source && act.order <= (looks[this.#source] ?? 0)).at(-1);
    if (system === this.#source) object("the source was written");
    else if (last === undefined || last.value) object("opted in, though nobody asked for it in the source");
    else if (last.order <= this.carried[field]) object("an opt-in that was carried over went once more");
    else if (system === "Dynamics" && last.order < this.judgedFrom && this.judgedFrom <= (looks.Campaign ?? 0))
      object("an opt-in of a profile that was removed");
  }

  get #source(): System {
    return this.direction === "DynamicsToCampaign" ? "Dynamics" : "Campaign";
  }

  #done(message: Message): void {
    const index = this.pending.indexOf(message);
    if (index >= 0) this.pending.splice(index, 1);
  }

  #tellOfDynamics(): void {
    this.#tell({ from: "Dynamics", reading: this.#readDynamics(false) });
  }

  #tell(message: Message): void {
    // In one direction nobody asks the target for changes.
    if (this.direction !== "Bidirectional" && message.from !== this.#source) return;
    this.pending.push(message);
    this.told.push(message);
  }

  #readDynamics(fresh: boolean): DynamicsReading {
    const { cells, version, modifiedAt } = this.dynamics;
    const values = new Map(fields.map((field) => [field, cells[field].value] as const));
    return { state: "Read", fresh, version, modifiedAt, values };
  }

  /** Campaign's REST interface tells no time of an attribute; only the export does. */
  #readCampaign(fresh: boolean): CampaignReading | undefined {
    if (this.campaign === undefined) return undefined;
    const { cells, created } = this.campaign;
    const value = ({ value, changedAt }: Cell) => ({ value, changedAt: fresh ? undefined : changedAt });
    const values = new Map(fields.map((field) => [field, value(cells[field])] as const));
    return { state: "Read", fresh, profileCreated: created, values };
  }

  #campaignWith(exported: CampaignReading | undefined): Situation["campaign"] {
    const reading = this.#readCampaign(true);
    return reading === undefined ? { state: "Missing" } : withExportedTimes(reading, exported);
  }
}
