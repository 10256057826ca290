import type { WorkflowCondition } from "../../api/integration-workflow.ts";
import { clip } from "../health/quote.ts";
import { rfc3339 } from "../time.ts";

/** The operator's conditions, in the order in which they are told. Which of them are known changes with time; this does not. */
const order = [
  "Ready",
  "Running",
  "Reconciling",
  "Stalled",
  "RestartRequired",
  "SchemaDrift",
  "LimitsOvercommitted",
  "Throttled",
] as const;

/** What a condition is to say. */
export interface Wanted {
  readonly type: (typeof order)[number];
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
}

/** What a workflow does, as its conditions say it to people, kubectl wait and kstatus. */
export interface Situation {
  /** settled: what was asked for is so. moving: it is on its way. stalled: it cannot get there. */
  readonly progress: "settled" | "moving" | "stalled";
  readonly reason: string;
  readonly message: string;
  /** Records are moving. */
  readonly running: boolean;
}

/** The four that follow from what the workflow does: the table of the resource's contract. */
export function mainConditions({ progress, reason, message, running }: Situation): readonly Wanted[] {
  const truth = (value: boolean): "True" | "False" => (value ? "True" : "False");
  return [
    { type: "Ready", status: truth(progress === "settled"), reason, message },
    { type: "Running", status: truth(running), reason, message },
    { type: "Reconciling", status: truth(progress === "moving"), reason, message },
    { type: "Stalled", status: truth(progress === "stalled"), reason, message },
  ];
}

/**
 * The conditions as they are to be written; those that are not wanted, because nothing is known of them now, stay as they
 * are. Somebody else's come last.
 */
export function conditionsFrom(
  previous: readonly WorkflowCondition[],
  wanted: readonly Wanted[],
  observedGeneration: number,
  nowMs: number,
): WorkflowCondition[] {
  const known = new Map(previous.map((condition) => [condition.type, condition]));
  const told = new Map(known);
  for (const { type, status, reason, message } of wanted) {
    const before = known.get(type);
    const lastTransitionTime = before?.status === status ? before.lastTransitionTime : rfc3339(nowMs);
    told.set(type, { type, status, observedGeneration, lastTransitionTime, reason, message: clip(message, 4096) });
  }
  const ours = new Set<string>(order);
  return [...order.flatMap((type) => told.get(type) ?? []), ...previous.filter(({ type }) => !ours.has(type))];
}
