/**
 * What may be written, and what must be so at rest, told from the documentation (docs/explanation/opt-in-out.md) and the log
 * of all writes. Nothing of what decides in the worker is used.
 */

import type { Backlog } from "../rest.ts";
import type { AuditLine } from "./audit.ts";
import { type ContactHistory, type Step, type System, valueIn } from "./history.ts";
import { type Direction, type OptInOut, type PairField, pairs, type Run } from "./pairs.ts";

/** A call that was decided so long ago is over by now: the lease of its contact, and the calls that it waited for. */
const turnMs = 12_000;

export interface Evidence {
  readonly histories: ReadonlyMap<string, ContactHistory>;
  readonly runs: readonly Run[];
  readonly audit: readonly AuditLine[];
  /** Whether Campaign's exports tell when each opt-out changed. */
  readonly hasTimes: boolean;
}

/** @returns what should not have been written, one sentence each */
export function faultyWrites(evidence: Evidence): readonly string[] {
  return [...evidence.histories.values()].flatMap((history) =>
    history.steps.filter(({ deed }) => deed.isByWorker).flatMap((step) => faultsOf(history, step, evidence)),
  );
}

function faultsOf(history: ContactHistory, step: Step, evidence: Evidence): readonly string[] {
  const { deed } = step;
  const what = `${deed.system} ${history.id}, write ${deed.sequence}`;
  if (deed.operation !== "update") return [`${what}: the worker made or removed it`];
  if (deed.others.length > 0 || deed.values.size === 0) return [`${what}: it says ${deed.others.join(", ")}`];
  return [...deed.values].flatMap(([field, value]) => {
    const why = faultOf(history, step, field, value, evidence) ?? unexplained(history, step, field, value, evidence);
    return why === undefined ? [] : [`${what}, ${field} ${value}: ${why}`];
  });
}

/** @returns why a value should not have been written; undefined: it may be */
function faultOf(
  history: ContactHistory,
  step: Step,
  field: PairField,
  value: boolean,
  { runs, hasTimes }: Evidence,
): string | undefined {
  const { deed } = step;
  const told = runs.filter(({ fromMs, toMs }) => fromMs <= deed.at && (toMs === undefined || deed.at <= toMs + turnMs));
  const forIt = told.filter(({ optInOut }) => isMapped(optInOut, field) && goesTo(optInOut.direction, deed.system));
  if (forIt.length === 0) return "nobody asked for writes there";
  const other = deed.system === "Dynamics" ? "Campaign" : "Dynamics";
  if (value) return history.saidWithin(other, field, true, step, turnMs) ? undefined : `${other} said nothing like it`;
  const isAllowed = forIt.some(({ optInOut: { direction, source } }) =>
    direction === "Bidirectional"
      ? deed.system === "Dynamics" && source === "Export" && hasTimes && hasLaterOptIn(history, step, field)
      : hasOptIn(history, step, field, other),
  );
  return isAllowed ? undefined : "nobody opted in by the documented rule";
}

/** Campaign changed to opted in, later than anybody touched the contact, when both had agreed on opted out. */
function hasLaterOptIn(history: ContactHistory, step: Step, field: PairField): boolean {
  const touchedAt = step.before.Dynamics?.foreignAt ?? Number.POSITIVE_INFINITY;
  return optIns(history, step, field, "Campaign").some(
    ({ deed, before }) => before.bothOut.has(field) && seconds(deed.at) > seconds(touchedAt),
  );
}

function hasOptIn(history: ContactHistory, step: Step, field: PairField, source: System): boolean {
  return optIns(history, step, field, source).length > 0;
}

/** A person's changes from opted out to opted in before a write, which were not taken back long before it. */
function optIns(history: ContactHistory, { deed }: Step, field: PairField, system: System): readonly Step[] {
  const before = history.steps.filter((one) => one.deed.sequence < deed.sequence && one.deed.system === system);
  return before.filter((one, n) => {
    const isOptIn =
      one.deed.operation === "update" &&
      !one.deed.isByWorker &&
      one.deed.values.get(field) === false &&
      valueIn(one.before[system], field) === true;
    const over = before
      .slice(n + 1)
      .find((later) => later.deed.operation !== "update" || later.deed.values.get(field) === true);
    return isOptIn && (over === undefined || over.deed.at >= deed.at - turnMs);
  });
}

/** Of each value that was written, there is a line of the audit of its own, from before. */
function unexplained(
  history: ContactHistory,
  { deed }: Step,
  field: PairField,
  value: boolean,
  { audit }: Evidence,
): string | undefined {
  const lines = audit.filter(
    (line) =>
      line.event === "Decided" &&
      line.contact === history.id &&
      line.field === field &&
      line.written === deed.system &&
      line.decided === value &&
      Date.parse(line.at) <= deed.at,
  );
  const writes = history.steps.filter(
    (one) =>
      one.deed.isByWorker &&
      one.deed.system === deed.system &&
      one.deed.sequence <= deed.sequence &&
      one.deed.values.get(field) === value,
  );
  return lines.length >= writes.length
    ? undefined
    : `the audit explains ${lines.length} of ${writes.length} such writes`;
}

/** @returns what is not as it must be when all is at rest, one sentence each */
export function differencesAtRest(histories: Evidence["histories"], { direction, mappings }: OptInOut): string[] {
  const found: string[] = [];
  for (const { id, now } of histories.values()) {
    if (now.Dynamics === undefined || now.Campaign === undefined) continue;
    for (const { field } of pairs.filter((pair) => mappings.some((one) => one.field === pair.field))) {
      const [inDynamics, inCampaign] = [valueIn(now.Dynamics, field), valueIn(now.Campaign, field)];
      if (inDynamics === inCampaign || direction === "Disabled") continue;
      const what = `${id}: ${field} is ${inDynamics} in Dynamics and ${inCampaign} in Campaign`;
      if (direction === "Bidirectional") found.push(what);
      else {
        const isOutAtSource = direction === "DynamicsToCampaign" ? inDynamics : inCampaign;
        const target = direction === "DynamicsToCampaign" ? now.Campaign : now.Dynamics;
        // What the target says stays until the source changes: an opt-out of the source came over once.
        if (isOutAtSource && !now.everBothOut.has(field) && target.made === 1) found.push(what);
      }
    }
  }
  return found;
}

/** How many contacts wait for a profile: those that are opted out of something. */
export function waiting(histories: Evidence["histories"], { direction, mappings }: OptInOut): Backlog {
  // Whatever waited when it was disabled waits on.
  if (direction === "Disabled") return { least: 0, most: Number.POSITIVE_INFINITY };
  if (direction === "CampaignToDynamics") return { least: 0, most: 0 };
  const mapped = pairs.filter((pair) => mappings.some((one) => one.field === pair.field));
  const withoutProfile = [...histories.values()].filter(
    ({ now }) => now.Dynamics !== undefined && now.Campaign === undefined,
  );
  const outIn = ({ now }: ContactHistory) => mapped.filter(({ field }) => valueIn(now.Dynamics, field) === true);
  return {
    // A profile that goes is told by nobody: whoever had the opt-out in both systems need not be known to wait.
    least: withoutProfile.filter((one) => outIn(one).some(({ field }) => !one.now.everBothOut.has(field))).length,
    most: withoutProfile.filter((one) => outIn(one).length > 0).length,
  };
}

function isMapped({ mappings }: OptInOut, field: PairField): boolean {
  return mappings.some((one) => one.field === field);
}

function goesTo(direction: Direction, system: System): boolean {
  if (direction === "Bidirectional") return true;
  return direction === (system === "Dynamics" ? "CampaignToDynamics" : "DynamicsToCampaign");
}

function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}
