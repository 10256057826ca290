/** What a list says beside a workflow's state. Pure. */
import type { WorkflowStatus } from "../api/integration-workflow.ts";
import { deadLetters, throttledBy } from "./outlook.ts";

/** Why it is so, in a few words each; what to do stands on the workflow's own page. Edits that wait are not among them. */
export function notesOf(status: WorkflowStatus): readonly string[] {
  const { state, failure, conditions = [], mappings = [] } = status;
  const ready = conditions.find(({ type }) => type === "Ready");
  const isUnderWay = ready?.reason === "Stopping" || ready?.reason === "Recovering";
  const held = throttledBy(status);
  const hasDrift = conditions.some(({ type, status: truth }) => type === "SchemaDrift" && truth === "True");
  const paused = mappings.filter(({ phase }) => phase === "Paused").length;
  const dead = deadLetters(mappings);
  return [
    state === "FAILED" && failure?.reason,
    isUnderWay && ready.reason,
    held !== undefined && `held back by ${held}`,
    state === "RUNNING" && paused > 0 && pausedMappings(paused, hasDrift),
    dead > 0 && `${dead.toLocaleString("en-US")} refused`,
  ].filter((note) => typeof note === "string");
}

function pausedMappings(count: number, hasDrift: boolean): string {
  return `${count === 1 ? "1 mapping paused" : `${count} mappings paused`}${hasDrift ? ": schema drift" : ""}`;
}
