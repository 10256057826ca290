import { boolean, dateTime, integer, list, object, oneOf, optional, string } from "./build.ts";

export const workflowStates = ["STOPPED", "STARTING", "RUNNING", "FAILED"] as const;

const name = (description: string) => string({ description, maxLength: 253 });
const reason = (description: string) => string({ description, maxLength: 128 });
const count = (description: string) => integer({ description, minimum: 0 });

const condition = object(
  {
    type: string({
      description: "Ready, Running, Reconciling, Stalled, RestartRequired or SchemaDrift.",
      maxLength: 316,
    }),
    status: oneOf(["True", "False", "Unknown"], { description: "Whether it holds." }),
    observedGeneration: optional(integer({ description: "The generation that it speaks of." })),
    lastTransitionTime: dateTime({ description: "When status last changed." }),
    reason: reason("One word for why."),
    message: string({ description: "What, since when, what to do.", maxLength: 32_768 }),
  },
  { description: "A condition." },
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
    message: string({ description: "What to do.", maxLength: 32_768 }),
    since: dateTime({ description: "Since when." }),
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

const mappingStatus = object(
  {
    name: name("Table, event kind, or opt-out field."),
    phase: optional(string({ description: "Snapshot, Incremental, Replay, Paused.", maxLength: 64 })),
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
    lastSyncTime: optional(dateTime({ description: "Newest record written." })),
  },
  { description: "How one mapping does." },
);

const transition = object(
  {
    from: optional(oneOf(workflowStates, { description: "State before." })),
    to: oneOf(workflowStates, { description: "State after." }),
    at: dateTime({ description: "When." }),
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
    observedGeneration: optional(integer({ description: "The newest generation that the operator has seen." })),
    handledRestart: optional(
      string({ description: "The last value of spec.restart that was handled.", maxLength: 128 }),
    ),
    state: optional(oneOf(workflowStates, { description: "STOPPED, STARTING, RUNNING or FAILED." })),
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
    mappings: optional(list(mappingStatus, { description: "Each mapping.", maxItems: 128, mapKeys: ["name"] })),
    transitions: optional(list(transition, { description: "Changes of state, newest first.", maxItems: 20 })),
    conditions: optional(list(condition, { description: "Conditions.", maxItems: 16, mapKeys: ["type"] })),
  },
  { description: "What the operator sees.", default: unseen },
);
