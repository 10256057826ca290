import type { MappingStatus, WorkflowStatus } from "../../api/integration-workflow.ts";
import type { Note } from "../sight/plan.ts";

/** An Event when a mapping stands still while others run, for which reason ever, and when it goes on. */
export function pauseNotes(before: WorkflowStatus, after: WorkflowStatus): readonly Note[] {
  // Where none runs, the state has its own Event.
  if (after.state !== "RUNNING") return [];
  const known = new Map((before.mappings ?? []).map((mapping) => [mapping.name, mapping]));
  return (after.mappings ?? []).flatMap((mapping) => {
    const was = known.get(mapping.name);
    if (isPaused(mapping) && (!isPaused(was) || was?.reason !== mapping.reason)) {
      const { name, reason = "Paused", message = "see the worker's log" } = mapping;
      return {
        type: "Warning",
        reason,
        action: "PauseMapping",
        note: `Mapping ${name} is paused: ${message}`,
      } as const;
    }
    if (!isPaused(was) || isPaused(mapping)) return [];
    const note = `Mapping ${mapping.name} goes on (${mapping.phase})`;
    return { type: "Normal", reason: "MappingResumed", action: "ResumeMapping", note } as const;
  });
}

function isPaused(mapping: MappingStatus | undefined): boolean {
  return mapping?.phase === "Paused";
}
