import { workflowStates } from "../workflow-states.ts";
import { boolean, dateTime, integer, list, object, oneOf, optional, string } from "./build.ts";

const name = (description: string) => string({ description, maxLength: 253 });
const reason = (description: string) => string({ description, maxLength: 128 });
const count = (description: string) => integer({ description, minimum: 0 });

const condition = object(
  {
    type: string({
      description:
        "Ready, Running, Reconciling, Stalled, RestartRequired, SchemaDrift, Throttled or LimitsOvercommitted.",
      maxLength: 316,
    }),
    status: oneOf(["True", "False", "Unknown"], {
      description: "True, False, or Unknown while no operator has looked.",
    }),
    observedGeneration: optional(
      integer({
        description: "The metadata.generation that it speaks of: when that is behind, it is of before the last edit.",
      }),
    ),
    lastTransitionTime: dateTime({ description: "When status last changed." }),
    reason: reason("One word for why."),
    message: string({ description: "What, since when, what to do.", maxLength: 32_768 }),
  },
  { description: "One thing that is so, or is not, or is not known." },
);

const pendingChange = object(
  {
    path: string({ description: "The field.", maxLength: 1024 }),
    from: optional(string({ description: "What runs.", maxLength: 1024 })),
    to: optional(string({ description: "What a start would run.", maxLength: 1024 })),
    source: oneOf(["Spec", "Operator"], {
      description: "Spec: somebody edited. Operator: an upgrade would change it.",
    }),
  },
  { description: "A difference between what runs and what a start would run." },
);

const appliedRevision = object(
  {
    name: name("Name of the ConfigMap that pins it."),
    run: count("The run's number."),
    generation: integer({ description: "The resource's generation at the start." }),
    appliedAt: dateTime({ description: "When the run began." }),
  },
  { description: "What runs, or ran last." },
);

const failure = object(
  {
    reason: reason("One word for why."),
    message: string({ description: "What happened, and what to do.", maxLength: 32_768 }),
    since: dateTime({ description: "Since when it is FAILED." }),
    restarts: optional(count("Restarts of the run's containers.")),
  },
  { description: "Why the workflow FAILED; only while it is." },
);

const reading = object(
  {
    read: count("Records read so far."),
    estimatedTotal: optional(
      count("Records that the table has, by a count that may be a day old; absent when it is not known."),
    ),
    waitsFor: optional(
      list(name("A table."), {
        description: "The tables whose records are written first, because this one's records need them.",
        maxItems: 128,
      }),
    ),
  },
  { description: "How far the reading of the whole table is; only while it is read." },
);

const files = object(
  {
    read: count("Files that were read to their end."),
    waiting: count("Files that are still being written, or wait for their turn."),
    incomplete: count("Exports that cannot be read as they are: a column is missing, or the format is another."),
    denied: count("Files that the server does not give away."),
    other: count("Files that are no such export; they are left alone."),
    newestTime: optional(dateTime({ description: "When the newest export was written, by the server's clock." })),
    message: optional(string({ description: "Why the first files are not read.", maxLength: 1024 })),
  },
  { description: "The folder of exported files, as it was last listed." },
);

const mappingStatus = object(
  {
    name: name("Table, event kind, or opt-out field."),
    phase: optional(string({ description: "Snapshot, Incremental, Replay, Paused.", maxLength: 64 })),
    reason: optional(reason("One word for why it is Paused; only while it is.")),
    message: optional(string({ description: "Why it is Paused, and what to do.", maxLength: 1024 })),
    backlog: optional(count("Records read and waiting to be written.")),
    parked: optional(count("Those of the backlog that wait for another record, which they point at.")),
    read: optional(count("Records read since the mapping's first load began, each as often as it was read.")),
    written: optional(count("Records written since the mapping's first load began, each as often as it was written.")),
    reading: optional(reading),
    recordsPerSecond: optional(count("Records written a second, over the last minute; only while the workflow runs.")),
    secondsToDrain: optional(
      count(
        "When everything is written at this pace; absent when nobody can tell, and while the workflow does not run.",
      ),
    ),
    deadLettered: optional(count("Records refused for good.")),
    files: optional(files),
    lastSyncTime: optional(dateTime({ description: "Newest record written." })),
  },
  { description: "How one mapping does." },
);

const throttling = object(
  {
    service: oneOf(["Dataverse", "Campaign"], { description: "Which service." }),
    heldBy: oneOf(["Service", "Configuration"], {
      description:
        "Service: it refuses calls, or says that next to nothing is left. Configuration: the workflow's own bound, dynamics.share or campaign.engineCallsPerSecond.",
    }),
    limit: oneOf(["Calls", "ExecutionTime", "Concurrency", "Unnamed"], {
      description:
        "Which limit: the number of calls, their execution time, calls at once; Unnamed: the service does not say.",
    }),
    since: dateTime({ description: "Since when calls are held back." }),
    heldPercent: integer({
      description: "For which part of the last five minutes calls were held back.",
      minimum: 0,
      maximum: 100,
    }),
    refusedCalls: count("Calls that the service refused in the last five minutes."),
    callsLastMinute: count("Calls that were made in the last minute."),
  },
  { description: "A service that holds calls back; of a worker with replicas, of the one that was asked." },
);

const transition = object(
  {
    from: optional(oneOf(workflowStates, { description: "The state before; absent for the first." })),
    to: oneOf(workflowStates, { description: "The state since then." }),
    at: dateTime({ description: "When the state changed." }),
    reason: reason("One word for why."),
    revision: optional(name("The revision that ran.")),
  },
  { description: "A change of state." },
);

/** A resource that no operator has seen is not taken for ready. */
const unseen = {
  observedGeneration: -1,
  conditions: ["Ready", "Running"].map((type) => ({
    type,
    status: "Unknown",
    reason: "Pending",
    message: "No operator has looked at this workflow yet",
    lastTransitionTime: "1970-01-01T00:00:00Z",
  })),
};

export const status = object(
  {
    observedGeneration: optional(
      integer({
        description: "The newest metadata.generation that the operator has seen: the whole status speaks of it.",
      }),
    ),
    handledRestart: optional(
      string({ description: "The last value of spec.restart that was handled.", maxLength: 128 }),
    ),
    state: optional(
      oneOf(workflowStates, {
        description:
          "STOPPED, STARTING, RUNNING or FAILED. While the workflow stops, the last of them until all has ended.",
      }),
    ),
    backlog: optional(count("Records read and waiting to be written; absent when unknown.")),
    backlogObservedAt: optional(dateTime({ description: "When the backlog was seen." })),
    backlogEstimated: optional(
      boolean({ description: "The worker's last words were not seen: the backlog is the last one polled." }),
    ),
    lastSyncTime: optional(dateTime({ description: "Newest record written." })),
    pendingRestart: optional(boolean({ description: "An edit waits for a stop and start." })),
    pendingChangeCount: optional(count("How many fields wait.")),
    pendingChanges: optional(list(pendingChange, { description: "The first 32 of them.", maxItems: 32 })),
    appliedRevision: optional(appliedRevision),
    failure: optional(failure),
    mappings: optional(
      list(mappingStatus, {
        description: "How each mapping does, as the worker last said.",
        maxItems: 128,
        mapKeys: ["name"],
      }),
    ),
    throttling: optional(
      list(throttling, {
        description: "Services that hold calls back, so that records wait; only while the workflow is to run.",
        maxItems: 2,
        mapKeys: ["service"],
      }),
    ),
    transitions: optional(list(transition, { description: "Changes of state, newest first.", maxItems: 20 })),
    conditions: optional(
      list(condition, {
        description:
          "What the workflow does and whether that is what was asked for, for kubectl wait and for GitOps tools. An edit that waits for a restart changes RestartRequired alone.",
        maxItems: 16,
        mapKeys: ["type"],
      }),
    ),
  },
  { description: "What the operator sees.", default: unseen },
);
