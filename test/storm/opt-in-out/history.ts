/** What both systems said of each contact at every time, from the sandbox's one log of their writes. */
import type { OptOutNames } from "../../../src/sandbox/campaign/standard-resources.ts";
import type { ControlRow, SandboxControl } from "../../../src/sandbox/control/interface.ts";
import type { WriteEntry } from "../../../src/sandbox/write-log.ts";
import { fieldOn, type PairField, pairs } from "./pairs.ts";
import { resource, table } from "./people.ts";

export type System = "Dynamics" | "Campaign";

/** One write, with what it says of each pair. */
export interface Deed {
  readonly system: System;
  readonly sequence: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly operation: WriteEntry["operation"];
  readonly isByWorker: boolean;
  /** Opted out: true. Of an update only what it says; empty is false. */
  readonly values: ReadonlyMap<PairField, boolean>;
  /** What it says of other things. */
  readonly others: readonly string[];
}

/** Of one contact. */
export interface Side {
  readonly values: ReadonlyMap<PairField, boolean>;
  /** How often it was made. */
  readonly made: number;
  /** When somebody else than the worker wrote it last. */
  readonly foreignAt: number;
}

/** As it was before a deed. */
export interface Moment {
  readonly Dynamics: Side | undefined;
  readonly Campaign: Side | undefined;
  /** Pairs that were opted out in both at once, while this profile was there. */
  readonly bothOut: ReadonlySet<PairField>;
  /** ... or any other profile or contact of this id. */
  readonly everBothOut: ReadonlySet<PairField>;
}

export interface Step {
  readonly deed: Deed;
  readonly before: Moment;
}

const nothing: Moment = { Dynamics: undefined, Campaign: undefined, bothOut: new Set(), everBothOut: new Set() };

/** One contact's history. */
export class ContactHistory {
  readonly id: string;
  readonly steps: readonly Step[];
  readonly now: Moment;

  constructor(id: string, deeds: readonly Deed[]) {
    this.id = id;
    let moment = nothing;
    const steps: Step[] = [];
    const made = { Dynamics: 0, Campaign: 0 };
    for (const deed of deeds.toSorted((a, b) => a.sequence - b.sequence)) {
      steps.push({ deed, before: moment });
      if (deed.operation === "insert") made[deed.system] += 1;
      moment = after(moment, deed, made[deed.system]);
    }
    this.steps = steps;
    this.now = moment;
  }

  /** Whether a system said so at some time of the last while before a deed. */
  saidWithin(system: System, field: PairField, value: boolean, { deed, before }: Step, withinMs: number): boolean {
    if (valueIn(before[system], field) === value) return true;
    const recent = this.steps.filter(
      (one) => one.deed.sequence < deed.sequence && one.deed.at >= deed.at - withinMs && one.deed.system === system,
    );
    return recent.some((one) => valueIn(one.before[system], field) === value);
  }
}

export function valueIn(side: Side | undefined, field: PairField): boolean | undefined {
  return side === undefined ? undefined : (side.values.get(field) ?? false);
}

function after(before: Moment, deed: Deed, made: number): Moment {
  const { system, operation, values, isByWorker, at } = deed;
  const side = before[system];
  const foreignAt = isByWorker && side !== undefined ? side.foreignAt : at;
  const next =
    operation === "delete"
      ? undefined
      : { values: new Map([...(operation === "update" ? (side?.values ?? []) : []), ...values]), made, foreignAt };
  const moment = { ...before, [system]: next };
  const out = pairs
    .map(({ field }) => field)
    .filter((field) => valueIn(moment.Dynamics, field) === true && valueIn(moment.Campaign, field) === true);
  const kept = system === "Campaign" && operation !== "update" ? [] : before.bothOut;
  return {
    ...moment,
    bothOut: new Set([...kept, ...out]),
    everBothOut: new Set([...before.everBothOut, ...out]),
  };
}

/** @param first the contacts as they were when the log began */
export async function historiesOf(
  control: SandboxControl,
  names: OptOutNames,
  first: readonly ControlRow[],
): Promise<ReadonlyMap<string, ContactHistory>> {
  const deeds = new Map<string, Deed[]>();
  const note = (id: string, more: readonly Deed[]) => deeds.set(id, [...(deeds.get(id) ?? []), ...more]);
  for (const { id, cells, modifiedOn } of first) {
    const entry = {
      sequence: 0,
      landedAt: 0,
      at: modifiedOn,
      operation: "insert",
      by: "control",
      values: cells,
    } as const;
    note(id, [deedOf("Dynamics", entry, ({ column }) => column)]);
  }
  for await (const { id, entries } of control.allRowWrites({ table })) {
    note(
      id,
      entries.map((entry) => deedOf("Dynamics", entry, ({ column }) => column)),
    );
  }
  for await (const { key, entries } of control.allWrites({ resource })) {
    note(
      key,
      entries.map((entry) => deedOf("Campaign", entry, ({ field }) => fieldOn(names, field))),
    );
  }
  return new Map([...deeds].map(([id, those]) => [id, new ContactHistory(id, those)]));
}

function deedOf(system: System, entry: WriteEntry, nameOf: (pair: (typeof pairs)[number]) => string): Deed {
  const { sequence, at, operation, by, values } = entry;
  const said = pairs.filter((pair) => nameOf(pair) in values);
  const others = Object.keys(values).filter((name) => !pairs.some((pair) => nameOf(pair) === name));
  return {
    system,
    sequence,
    at,
    operation,
    isByWorker: by === "api",
    values: new Map(said.map((pair) => [pair.field, values[nameOf(pair)] === true])),
    others,
  };
}
