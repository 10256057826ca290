import { effectiveSpec } from "../../../../src/api/configuration.ts";
import { labels } from "../../../../src/api/group.ts";
import type { IntegrationWorkflow, WorkflowSpec, WorkflowStatus } from "../../../../src/api/integration-workflow.ts";
import { sameJson } from "../../../../src/api/json.ts";
import { type Run, type RunRecord, readRecord, runsAnnotation } from "../../../../src/api/run-record.ts";
import { quantityValue } from "../../../../src/operator/objects/quantity.ts";
import { deploymentOfRun } from "../../../../src/operator/objects/render.ts";
import type { Write } from "../../../../src/operator/sight/plan.ts";
import type {
  DeploymentSeen,
  DeploymentSpec,
  PinContent,
  PinSeen,
  SeenMetadata,
  Snapshot,
} from "../../../../src/operator/sight/snapshot.ts";
import { type Observer, templateOf } from "../tiny-api.ts";
import type { World } from "../world.ts";
import { must } from "./must.ts";
import { type Away, checkPlan } from "./plan-rules.ts";
import { checkBegun, hasOptOut } from "./run-rules.ts";
import { checkFigures, checkStatus } from "./status-rules.ts";
import { digestOfPin, isOwnedBy, isReady, isUnfinished, recordOf, truthOf } from "./truth.ts";

interface KnownRun {
  readonly template: string;
  readonly content: PinContent;
  readonly run: Run;
}

/** What is known of one resource, by its uid: a resource made again under the name is another one. */
class Story {
  asks = 0;
  readonly runs = new Map<number, KnownRun>();
  handledRestart: string | undefined;
  /** By generation, as the operator may have seen it. */
  readonly specs = new Map<number, WorkflowSpec>();
  /** All backlogs that anybody ever told of. */
  readonly told = new Set<number>();
  /** When an operator last saw a ready worker of a run. */
  readonly readyAtMs = new Map<number, number>();
  /** Since which look a run is found RUNNING without a ready worker. */
  awaySince: Away | undefined;
}

/** What must be so at every moment of a walk, checked as an observer who is no operator. */
export class Invariants implements Observer {
  readonly #world: World;
  readonly #stories = new Map<string, Story>();
  onStatus: (workflow: IntegrationWorkflow) => void = () => {};

  constructor(world: World) {
    this.#world = world;
    world.api.observer = this;
    this.watch(world.operator);
  }

  watch(operator: World["operator"]): void {
    operator.onPlan = (planned) => {
      this.#looked(planned.snapshot);
      const { uid } = planned.snapshot.workflow.metadata;
      const story = this.#story(uid);
      story.awaySince = checkPlan(planned, story.awaySince, operator.firstLookMs(uid));
    };
  }

  /** A user has asked for a run: a start, or a restart. */
  asked(name: string): void {
    const story = this.#storyOf(name);
    if (story !== undefined) story.asks += 1;
  }

  /** A resource that was restored with its status: what that says was told. */
  restored(name: string, { backlog, handledRestart }: WorkflowStatus): void {
    this.told(name, backlog);
    const story = this.#storyOf(name);
    if (story !== undefined) story.handledRestart = handledRestart;
  }

  /** A worker has told of a backlog, or a backup of a status did. */
  told(name: string, backlog: number | undefined): void {
    if (backlog !== undefined) this.#storyOf(name)?.told.add(backlog);
  }

  /** What the last run runs, or ran. */
  contentOf(name: string): PinContent | undefined {
    return [...(this.#storyOf(name)?.runs.values() ?? [])].at(-1)?.content;
  }

  check(): void {
    const { stored } = this.#world.api;
    const runs = new Map<string, string>();
    for (const pod of stored.Pod.values()) {
      if (!isUnfinished(pod) || pod.of === undefined) continue;
      const name = pod.metadata.labels?.[labels.workflow] ?? "";
      const run = `${pod.of} run ${pod.run}`;
      must((runs.get(name) ?? run) === run, "never two runs at once", () => [name, run, runs.get(name)]);
      runs.set(name, run);
    }
  }

  written(write: Write, before: { readonly metadata: SeenMetadata } | undefined): void {
    const { api } = this.#world;
    const { actingOn: snapshot } = api;
    if (snapshot === undefined) throw new Error("nobody has looked");
    const { workflow } = snapshot;
    if (before !== undefined) {
      const { metadata } = before;
      const isFree = write.kind === "PersistentVolumeClaim" && (metadata.ownerReferences ?? []).length === 0;
      must(isOwnedBy(metadata, workflow) || isFree, "what belongs to somebody else is left alone", () => write);
    }
    must(workflow.metadata.deletionTimestamp === undefined, "a resource that is being deleted is left alone");
    if (write.kind === "Deployment") {
      must(write.verb === "create" || write.verb === "replace", "a Deployment is never deleted", () => write);
      const { metadata, spec } = write.manifest as unknown as DeploymentSeen; // A Deployment's, by its kind.
      this.#deploymentWritten(snapshot, before as DeploymentSeen | undefined, { metadata, spec });
    } else if (write.kind === "PersistentVolumeClaim") this.#claimWritten(snapshot, write);
    else if (write.verb === "delete") this.#pinDeleted(snapshot, write, before as PinSeen | undefined);
  }

  statusWritten(before: IntegrationWorkflow, after: WorkflowStatus): void {
    const snapshot = this.#world.api.actingOn;
    const story = this.#stories.get(before.metadata.uid);
    if (snapshot === undefined || story === undefined) throw new Error("nobody has looked");
    checkStatus({ before, after, snapshot });
    this.onStatus({ ...before, status: after });
    const { backlog } = after;
    must(backlog === undefined || story.told.has(backlog), "a backlog is one that a worker told of", () => backlog);
    must(backlog !== undefined || before.status?.backlog === undefined, "a backlog that was told is not forgotten");
    this.#checkRun(before, after, snapshot, story);
    this.#checkPending(before, after, snapshot, story);
    checkFigures(before, after, snapshot);
  }

  #looked(snapshot: Snapshot): void {
    const { metadata, spec } = snapshot.workflow;
    const story = this.#story(metadata.uid);
    story.specs.set(metadata.generation, spec);
    const { run, runPods } = truthOf(snapshot);
    if (runPods.some(isReady)) story.readyAtMs.set(run, snapshot.nowMs);
  }

  #deploymentWritten(
    snapshot: Snapshot,
    before: DeploymentSeen | undefined,
    after: Pick<DeploymentSeen, "metadata" | "spec">,
  ): void {
    const { workflow } = snapshot;
    const story = this.#story(workflow.metadata.uid);
    const record = readRecord(after.metadata.annotations?.[runsAnnotation]);
    const [run] = record?.runs ?? [];
    must(
      after.metadata.labels?.[labels.workflow] === workflow.metadata.name,
      "what is made carries the workflow's label",
    );
    if (record?.active !== true || run === undefined) {
      must(after.spec.replicas === 0, "a run that is over has no replicas", () => after.spec.replicas);
      must(
        before !== undefined && sameJson({ ...before.spec, replicas: 0 }, after.spec),
        "a stop changes replicas alone",
      );
      const was = recordOf(before);
      must(was === undefined || sameJson(was.runs, record?.runs), "a stop keeps the record of runs", () => [
        was,
        record,
      ]);
      const { restart } = workflow.spec;
      const isDue = restart !== undefined && restart !== record?.handledRestart;
      const isEnded = was?.active !== true || workflow.spec.state === "Stopped" || isDue;
      must(isEnded, "a run is stopped when somebody asked for it", () => [workflow.spec, record]);
      must(record?.handledRestart === story.handledRestart, "a stop handles no restart", () => record);
      return;
    }
    // What is made of a resource that is being deleted, unseen yet, goes with it.
    const { uid, deletionTimestamp } = this.#world.api.stored.Workflow.get(workflow.metadata.name)?.metadata ?? {};
    if (uid !== workflow.metadata.uid || deletionTimestamp !== undefined) {
      story.handledRestart = record.handledRestart;
      return;
    }
    const known = story.runs.get(run.run);
    if (known === undefined) this.#begun(snapshot, story, record, run, after.spec);
    else {
      must(templateOf(after.spec) === known.template, "a run keeps its template", () => run);
      must(
        sameJson(run.pin, known.run.pin) && run.generation === known.run.generation,
        "a run keeps its record",
        () => [run, known.run],
      );
      must(record.handledRestart === story.handledRestart, "a restart is handled by a run that begins", () => record);
    }
    const replicas = known?.content.configuration.spec.worker.replicas ?? after.spec.replicas;
    must(after.spec.replicas === replicas, "a run has the replicas that were pinned");
  }

  /** A run begins with this write. */
  #begun(snapshot: Snapshot, story: Story, record: RunRecord, run: Run, spec: DeploymentSpec): void {
    const { workflow } = snapshot;
    const { stored } = this.#world.api;
    const latest = Math.max(0, ...story.runs.keys(), ...(story.runs.size === 0 ? [run.run - 1] : []));
    must(run.run === latest + 1, "runs count up, one by one", () => [run, latest]);
    must(snapshot.fresh, "a run begins on what the API server says, not on caches");
    must(
      !truthOf(snapshot).isAnythingLeft,
      "a run begins when everything of the earlier one is gone",
      () => snapshot.pods,
    );
    const others = [...stored.Pod.values()].filter(
      (pod) =>
        isUnfinished(pod) && pod.of !== undefined && pod.metadata.labels?.[labels.workflow] === workflow.metadata.name,
    );
    must(others.length === 0, "a run begins when no pod of another is left", () => others);
    must(workflow.spec.state === "Running", "a run begins when it was asked for");
    const content = this.#pinned(story, workflow, run, spec);
    checkBegun(snapshot, content, this.contentOf(workflow.metadata.name));
    this.#checkRivals(workflow.metadata.name, content);
    story.runs.set(run.run, { run, template: templateOf(spec), content });
    must(story.runs.size <= story.asks, "no more runs than anybody asked for", () => [story.runs.size, story.asks]);
    must(
      record.handledRestart === (workflow.spec.restart ?? story.handledRestart),
      "the start handles the restart that was asked for, and no other",
      () => [record.handledRestart, workflow.spec.restart, story.handledRestart],
    );
    story.handledRestart = record.handledRestart;
    must(run.startedAt.slice(0, 19) === new Date(snapshot.nowMs).toISOString().slice(0, 19), "a run records its start");
  }

  /** Two operators at the same time may start two at the same time. */
  #checkRivals(name: string, content: PinContent): void {
    if (this.#world.hadTwoLeaders || !hasOptOut(content)) return;
    for (const other of this.#world.api.stored.Workflow.keys()) {
      const isOfOtherType = (other === "opt-outs") !== (name === "opt-outs");
      const theirs = this.contentOf(other);
      if (!isOfOtherType || theirs === undefined || !hasOptOut(theirs)) continue;
      must(this.#world.recordOf(other)?.active !== true, "two workflows never write one opt-out", () => [name, other]);
      const left = this.#world.pods.filter((pod) => pod.of === theirs.configuration.workflow.uid && isUnfinished(pod));
      must(left.length === 0, "who has an opt-out has it until its last pod has ended", () => [name, other]);
    }
  }

  /** The pin of a run that begins: it is there, it is what the spec says, and the Deployment is rendered from it. */
  #pinned(story: Story, { metadata }: IntegrationWorkflow, run: Run, spec: DeploymentSpec): PinContent {
    // One that was there and is deleted by hand meanwhile is made again.
    const seen = this.#world.api.actingOn?.pins.find((one) => one.metadata.name === run.pin);
    const pin = [this.#world.api.stored.ConfigMap.get(run.pin), seen].find((one) => digestOfPin(one) === run.digest);
    const content = pin?.content;
    must(content !== undefined, "a run's pin is there before it begins", () => run);
    const { worker } = content.configuration.spec;
    const rendered = deploymentOfRun(content.deployment, run, worker.replicas);
    must(sameJson(rendered, spec), "the Deployment is rendered from the pin", () => run);
    const asked = story.specs.get(run.generation);
    must(
      asked !== undefined && sameJson(effectiveSpec(asked), content.configuration.spec),
      "the pin holds the spec of its generation",
    );
    must(run.generation === metadata.generation, "a start pins what was asked for last", () => [
      run,
      metadata.generation,
    ]);
    return content;
  }

  #claimWritten({ workflow }: Snapshot, write: Write): void {
    must(write.verb !== "delete" && write.verb !== "replace", "what holds records is never deleted", () => write);
    if (write.verb !== "patch") return;
    const { spec } = write.patch as { spec?: { resources: { requests: { storage: string } } } };
    const size = spec?.resources.requests.storage;
    if (size === undefined) return;
    // One that is about to start takes what the spec says; one that runs, what was pinned: also while its name is taken.
    const isActive = this.#world.recordOf(workflow.metadata.name)?.active;
    const asked = [
      isActive === false ? undefined : this.contentOf(workflow.metadata.name)?.configuration.spec,
      isActive === true ? undefined : effectiveSpec(workflow.spec),
    ].map((spec) => spec?.queue.volume?.size);
    must(asked.includes(size), "a volume grows as far as the run asks", () => [size, asked]);
    const present = this.#world.api.actingOn?.claims.find(({ metadata }) => metadata.name === write.name)?.size ?? "0";
    must((quantityValue(size) ?? 0) > (quantityValue(present) ?? 0), "volumes only grow", () => [present, size]);
  }

  #pinDeleted({ workflow, deployment }: Snapshot, { kind, name }: Write, pin: PinSeen | undefined): void {
    must(kind === "ConfigMap", "nothing but pins is ever deleted", () => [kind, name]);
    const { runs = [] } = recordOf(deployment) ?? {};
    const pins = [...new Set(runs.map((run) => run.pin))].slice(0, workflow.spec.revisionHistoryLimit + 1);
    const digest = runs.find((run) => run.pin === name)?.digest;
    // One whose content was exchanged is no pin any more.
    const isForged = pin !== undefined && digestOfPin(pin) !== digest;
    must(!pins.includes(name) || isForged, "pins of recorded runs are kept, up to the limit", () => [name, runs]);
  }

  #checkRun(before: IntegrationWorkflow, after: WorkflowStatus, snapshot: Snapshot, story: Story): void {
    const { record, runPods } = truthOf(snapshot);
    const { appliedRevision: applied, handledRestart } = after;
    const recorded = record?.runs[0]?.run ?? 0;
    // A cache may be behind what status tells, and behind what the operator has read.
    if (record !== undefined && recorded < (applied?.run ?? 0)) {
      const known = story.runs.get(applied?.run ?? 0)?.run;
      must(known !== undefined && applied?.name === known.pin, "appliedRevision is a run that began", () => applied);
    } else if (record !== undefined && recorded >= (before.status?.appliedRevision?.run ?? 0)) {
      must(
        applied?.run === record.runs[0]?.run && applied?.name === record.runs[0]?.pin,
        "appliedRevision is the run that is recorded",
      );
      must(handledRestart === record.handledRestart, "handledRestart is the one that is recorded", () => [
        handledRestart,
        record,
      ]);
    }
    const run = applied?.run;
    const isSameRun = run !== undefined && sameJson(before.status?.appliedRevision, applied);
    const lastMs = story.readyAtMs.get(run ?? 0);
    const isLeft =
      before.status?.state === "RUNNING" && after.state !== "RUNNING" && isSameRun && record?.active === true;
    if (isLeft && after.state === "STARTING" && lastMs !== undefined) {
      must(snapshot.nowMs - lastMs >= 60_000, "RUNNING is left for STARTING after 60 s without a ready worker");
      must(!runPods.some(isReady), "RUNNING is not left while a worker is ready");
    }
    if (after.state === "RUNNING" && lastMs !== undefined && !runPods.some(isReady)) {
      const awayMs = snapshot.nowMs - lastMs;
      must(awayMs <= 60_000 || before.status?.state === "RUNNING", "what has no ready worker is not RUNNING");
    }
  }

  #checkPending(before: IntegrationWorkflow, after: WorkflowStatus, snapshot: Snapshot, story: Story): void {
    const { record } = truthOf(snapshot);
    // A cache may be behind what status tells.
    const told = Math.max(before.status?.appliedRevision?.run ?? 0, after.appliedRevision?.run ?? 0);
    const recorded = record?.runs[0]?.run ?? 0;
    if (recorded < told) return;
    const known = story.runs.get(recorded);
    if (record?.active !== true || known === undefined) return;
    const pinned = known.content.configuration.spec;
    const isSame = sameJson(inForceLeftOut(pinned), inForceLeftOut(effectiveSpec(snapshot.workflow.spec)));
    const hasPin = snapshot.pins.some(
      (one) => one.metadata.name === known.run.pin && digestOfPin(one) === known.run.digest,
    );
    if (hasPin)
      must(after.pendingRestart === !isSame, "pendingRestart says whether the spec is another than the run's");
  }

  #storyOf(name: string): Story | undefined {
    const uid = this.#world.api.stored.Workflow.get(name)?.metadata.uid;
    return uid === undefined ? undefined : this.#story(uid);
  }

  #story(uid: string): Story {
    const story = this.#stories.get(uid) ?? new Story();
    this.#stories.set(uid, story);
    return story;
  }
}

/** Whether the volume goes with the workflow takes force at once. */
export function inForceLeftOut(spec: ReturnType<typeof effectiveSpec>): unknown {
  const { volume } = spec.queue;
  return volume === undefined ? spec : { ...spec, queue: { ...spec.queue, volume: { ...volume, whenDeleted: "" } } };
}
