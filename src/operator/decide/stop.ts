import { writeDeployment } from "../objects/deployment.ts";
import type { Look } from "../sight/look.ts";
import type { Note } from "../sight/plan.ts";
import type { Step } from "../sight/steps.ts";

/** Ends the run: replicas 0, and in the same write the record that it is over. */
export function stopStep(look: Look, why: "Stop" | "Restart"): Step {
  const { restart } = look.workflow.spec;
  const cause = why === "Restart" ? `spec.restart is ${restart}; it starts again` : "spec.state is Stopped";
  const note = `Stopping run ${look.run?.run}: ${cause}`;
  return scaleToZero(look, { type: "Normal", reason: "Stopping", action: why, note });
}

/** Nobody but the operator starts a run: replicas that somebody set on a stopped Deployment go back to 0. */
export function keepStopped(look: Look): Step {
  if (look.own?.spec.replicas === 0) return { type: "settled" };
  const note = "Scaled the Deployment back to 0: the workflow is stopped. To start it, set spec.state to Running";
  return scaleToZero(look, { type: "Warning", reason: "PutBack", action: "PutBack", note });
}

/** The template stays as it is, even if somebody edited it: nothing new begins with it. */
function scaleToZero({ own, workflow, record }: Look, note: Note): Step {
  if (own === undefined) return { type: "settled" };
  const write = writeDeployment(workflow, own, { ...own.spec, replicas: 0 }, { ...record, active: false });
  return { type: "change", writes: [{ ...write, note }] };
}
