import { setImmediate as nextTurn } from "node:timers/promises";
import type { IntegrationWorkflow, MappingStatus, WorkflowStatus } from "../../api/integration-workflow.ts";
import { workflowStates } from "../../api/workflow-states.ts";
import { epochMsOf } from "../time.ts";
import type { Memories } from "./memory.ts";
import type { Shard } from "./shard.ts";

/** What is known of a workflow when somebody asks. */
interface Known {
  readonly status: WorkflowStatus;
  /** From the newest poll of the present run, which is newer than status; else from status. */
  readonly figures: {
    readonly backlog?: number;
    readonly lastSyncTime?: string;
    readonly mappings?: readonly MappingStatus[];
  };
  readonly transitions: Readonly<Record<string, Durations>>;
}

interface Durations {
  readonly count: number;
  readonly sumSeconds: number;
}

/** More labels, as they are written, and a value; a value that is not known is left out. */
type Sample = readonly [suffix: string, labels: string, value: number | undefined];

interface Family {
  readonly name: string;
  readonly type: "gauge" | "counter" | "summary";
  readonly help: string;
  readonly samples: (known: Known) => readonly Sample[];
}

const sampleOf = (value: number | undefined): readonly Sample[] => [["", "", value]];

const sum = (
  { figures: { mappings } }: Known,
  of: (mapping: MappingStatus) => number | undefined,
): number | undefined => mappings?.reduce<number>((total, mapping) => total + (of(mapping) ?? 0), 0);

const count = ({ figures: { mappings } }: Known, which: (mapping: MappingStatus) => boolean): number =>
  mappings?.filter(which).length ?? 0;

const holds = ({ status }: Known, condition: string): number =>
  status.conditions?.some(({ type, status: truth }) => type === condition && truth === "True") === true ? 1 : 0;

const seconds = (time: string | undefined): number | undefined => {
  const timeMs = epochMsOf(time);
  return timeMs === undefined ? undefined : timeMs / 1000;
};

function gauge(name: string, help: string, value: (known: Known) => number | undefined): Family {
  return { name, type: "gauge", help, samples: (known) => sampleOf(value(known)) };
}

/** Each is `integration_workflow_<name>`, with the labels namespace and name. Queues are told whole, whatever the replicas. */
const families: readonly Family[] = [
  {
    name: "state",
    type: "gauge",
    help: "1 for the state that the workflow is in, 0 for the others.",
    samples: ({ status }) => workflowStates.map((word) => ["", `,state="${word}"`, status.state === word ? 1 : 0]),
  },
  gauge(
    "backlog_records",
    "Records read and waiting to be written; absent when unknown.",
    ({ figures }) => figures.backlog,
  ),
  gauge("parked_records", "Those of the backlog that wait for another record.", (known) =>
    sum(known, ({ parked }) => parked),
  ),
  gauge("reading_mappings", "Mappings whose whole table is being read: the backlog grows meanwhile.", (known) =>
    count(known, ({ reading }) => reading !== undefined),
  ),
  gauge("paused_mappings", "Mappings for which nothing is written for now.", (known) =>
    count(known, ({ phase }) => phase === "Paused"),
  ),
  gauge("pending_restart", "Whether an edit waits for a stop and start.", ({ status }) =>
    status.pendingRestart === true ? 1 : 0,
  ),
  gauge(
    "schema_drift",
    "Whether a table, column, resource or field in use no longer is what a mapping expects.",
    (known) => holds(known, "SchemaDrift"),
  ),
  gauge(
    "limits_overcommitted",
    "Whether running workflows are promised more than 100 per cent of the limits of this one's application user.",
    (known) => holds(known, "LimitsOvercommitted"),
  ),
  gauge("throttled", "Whether a service, or the workflow's own bound, holds calls back.", (known) =>
    holds(known, "Throttled"),
  ),
  gauge("last_sync_timestamp_seconds", "When a record was last written; absent: never yet.", ({ figures }) =>
    seconds(figures.lastSyncTime),
  ),
  gauge("dead_letters", "Records refused for good, that nobody has re-driven yet.", (known) =>
    sum(known, ({ deadLettered }) => deadLettered),
  ),
  {
    name: "records_total",
    type: "counter",
    help: "Records read and written since the first load, and refused for good.",
    samples: (known) => [
      ["", ',outcome="read"', sum(known, ({ read }) => read)],
      ["", ',outcome="written"', sum(known, ({ written }) => written)],
      ["", ',outcome="dead_lettered"', sum(known, ({ deadLettered }) => deadLettered)],
    ],
  },
  {
    name: "transition_duration_seconds",
    type: "summary",
    help: "How long the workflow's starts (until RUNNING) and stops (until STOPPED) took, as this operator saw them.",
    samples: ({ transitions }) =>
      Object.entries(transitions).flatMap(([transition, durations]): Sample[] => [
        ["_sum", `,transition="${transition}"`, durations.sumSeconds],
        ["_count", `,transition="${transition}"`, durations.count],
      ]),
  },
];

/** Workflows that are told of in one turn of the event loop: a fraction of a millisecond. */
const workflowsPerTurn = 500;

interface SeenWorkflows {
  get(key: string): IntegrationWorkflow | undefined;
  keys(): Iterable<string>;
}

/**
 * The metrics of all workflows. They are written when somebody asks and kept nowhere: with 10,000 workflows they are some
 * 190,000 samples.
 */
export class WorkflowMetrics {
  readonly #workflows: SeenWorkflows;
  readonly #shard: Pick<Shard, "has">;
  readonly #transitions = new Map<string, Readonly<Record<string, Durations>>>();
  #memories: Memories | undefined;

  constructor(workflows: SeenWorkflows, shard: Pick<Shard, "has">) {
    this.#workflows = workflows;
    this.#shard = shard;
  }

  /** Whoever leads tells of the workflows, and nobody else: what two tell is added up by whoever sums. `undefined` ends it. */
  tellOf(memories: Memories | undefined): void {
    this.#memories = memories;
    if (memories === undefined) this.#transitions.clear();
  }

  noteTransition(key: string, transition: "start" | "stop", durationSeconds: number): void {
    const before = this.#transitions.get(key) ?? {};
    const { count: times, sumSeconds } = before[transition] ?? { count: 0, sumSeconds: 0 };
    const now = { count: times + 1, sumSeconds: sumSeconds + durationSeconds };
    this.#transitions.set(key, { ...before, [transition]: now });
  }

  /** Prometheus' text format, piece by piece; others get their turn in between. */
  async *text(): AsyncGenerator<string> {
    const memories = this.#memories;
    if (memories === undefined) return;
    // Each once, whatever comes and goes meanwhile: a sample that comes twice spoils a scrape.
    const keys = [...this.#workflows.keys()];
    for (const key of this.#transitions.keys()) if (this.#ofShard(key) === undefined) this.#transitions.delete(key);
    for (const { name, type, help, samples } of families) {
      const metric = `integration_workflow_${name}`;
      yield `# HELP ${metric} ${help}\n# TYPE ${metric} ${type}\n`;
      for (let from = 0; from < keys.length; from += workflowsPerTurn) {
        let piece = "";
        for (const key of keys.slice(from, from + workflowsPerTurn)) {
          const workflow = this.#ofShard(key);
          if (workflow === undefined) continue;
          const { namespace, name: workflowName } = workflow.metadata;
          // Names of Kubernetes hold nothing that would have to be escaped.
          const labels = `namespace="${namespace}",name="${workflowName}"`;
          for (const [suffix, more, value] of samples(this.#knownOf(key, workflow, memories))) {
            if (value !== undefined) piece += `${metric}${suffix}{${labels}${more}} ${value}\n`;
          }
        }
        yield piece;
        await nextTurn();
      }
    }
  }

  #ofShard(key: string): IntegrationWorkflow | undefined {
    const workflow = this.#workflows.get(key);
    return workflow !== undefined && this.#shard.has(workflow) ? workflow : undefined;
  }

  #knownOf(key: string, { status = {} }: IntegrationWorkflow, memories: Memories): Known {
    const { poll } = memories.of(key).memory;
    const isCurrent = poll !== undefined && poll.run === status.appliedRevision?.run && status.state !== "STOPPED";
    return { status, figures: isCurrent ? poll.status : status, transitions: this.#transitions.get(key) ?? {} };
  }
}
