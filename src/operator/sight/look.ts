import type { Run, RunRecord } from "../../api/run-record.ts";
import { isEnding, standingOf } from "./ownership.ts";
import { isTrue } from "./pin-identity.ts";
import { isUnfinished, type Remains, remainsOf } from "./remains.ts";
import { recordOf } from "./run-record.ts";
import type { DeploymentSeen, PinSeen, PodSeen, Snapshot } from "./snapshot.ts";

/** A snapshot, and what follows from it at once. */
export interface Look extends Snapshot {
  /** The Deployment, if it is the workflow's. */
  readonly own: DeploymentSeen | undefined;
  readonly record: RunRecord;
  /** The current run, or the last one. */
  readonly run: Run | undefined;
  /** A run was started and not stopped. */
  readonly active: boolean;
  /** spec.restart has a value that was not handled. */
  readonly restartDue: boolean;
  readonly ownPins: readonly PinSeen[];
  /** The run's pin, if it is there and holds what the run began with. */
  readonly pin: PinSeen | undefined;
  /** The run's unfinished pods. */
  readonly runPods: readonly PodSeen[];
  readonly remains: Remains | undefined;
}

export function lookAt(snapshot: Snapshot): Look {
  const { workflow, deployment, nowMs } = snapshot;
  const own = deployment !== undefined && standingOf(deployment.metadata, workflow) === "mine" ? deployment : undefined;
  const ownPins = snapshot.pins.filter(
    ({ metadata }) => standingOf(metadata, workflow) === "mine" && !isEnding(metadata),
  );
  const { record: remembered } = snapshot.memory;
  const record = recordOf(workflow, own, {
    hasPin: (name) => ownPins.some(({ metadata }) => metadata.name === name),
    remembered: remembered?.uid === workflow.metadata.uid ? remembered.text : undefined,
  });
  const [run] = record.runs;
  const { restart } = workflow.spec;
  const restartDue = restart !== undefined && restart !== record.handledRestart;
  return {
    ...snapshot,
    own,
    record,
    run,
    // Without a Deployment there is nothing left to stop.
    active: record.active && run !== undefined && (own !== undefined || (!restartDue && isAskedToRun(snapshot))),
    restartDue,
    ownPins,
    pin:
      run === undefined
        ? undefined
        : ownPins.find((pin) => pin.metadata.name === run.pin && isTrue(pin, workflow.metadata.name, run.digest)),
    runPods: run === undefined ? [] : snapshot.pods.filter((pod) => pod.run === run.run && isUnfinished(pod)),
    remains: remainsOf(nowMs, own, snapshot.replicaSets, snapshot.pods),
  };
}

export function isAskedToRun({ workflow }: Snapshot): boolean {
  return workflow.spec.state === "Running";
}
