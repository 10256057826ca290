/** Many walks side by side on a real API server with played nodes. */
import { setTimeout as pause } from "node:timers/promises";
import { effectiveSpec } from "../../../../src/api/configuration.ts";
import { labels } from "../../../../src/api/group.ts";
import type { IntegrationWorkflow } from "../../../../src/api/integration-workflow.ts";
import { sameJson } from "../../../../src/api/json.ts";
import { readRecord, runsAnnotation } from "../../../../src/api/run-record.ts";
import type { ResourceKind } from "../../../../src/kubernetes/objects.ts";
import { readPin } from "../../../../src/operator/objects/pin.ts";
import { configMaps, workflows } from "../../../../src/operator/shell/projections.ts";
import { randomSequence } from "../../../../src/sandbox/random.ts";
import { Ground, namespace } from "../../../bench/operator/ground.ts";
import { inParallel } from "../../../bench/operator/waiting.ts";
import { plainSpec } from "../../../unit/operator/scene.ts";
import { Operators } from "./operators.ts";
import { Walker } from "./walker.ts";
import { Witness } from "./witness.ts";

export interface ManyWalks {
  readonly count: number;
  readonly steps: number;
  readonly seed: number;
  /** So many at the same time. */
  readonly parallel: number;
}

export interface WalksResult {
  /** Rules that were broken; empty: none. */
  readonly faults: readonly string[];
  /** What happened to operators, and how often. */
  readonly fates: ReadonlyMap<string, number>;
  readonly secondsToRest: number;
}

const patienceMs = 180_000;

export async function manyWalks({ count, steps, seed, parallel }: ManyWalks): Promise<WalksResult> {
  const ground = await Ground.make(count);
  const { client } = ground;
  const witness = new Witness(client, namespace);
  const operators = await Operators.make(ground.operatorKubeconfig, namespace, randomSequence(seed));
  const walkers = Array.from(
    { length: count },
    (_, index) =>
      new Walker({ client, witness, namespace, name: `walk-${index}`, random: randomSequence(seed + 1 + index) }),
  );
  try {
    await makeVolumes(ground, count);
    operators.start();
    await inParallel(walkers, parallel, (walker) => walker.walk(steps));
    await operators.calm();
    await inParallel(walkers, 20, (walker) => walker.comeToRest());
    const restedAtMs = performance.now();
    const late = await atRest(walkers, witness);
    const secondsToRest = (performance.now() - restedAtMs) / 1000;
    const wrong =
      late.length > 0
        ? []
        : [...(await settledFaults(ground, walkers, witness)), ...(await idleFaults(ground, walkers))];
    const diaries = new Map(walkers.map(({ name, diary }) => [name, diary]));
    const faults = [...witness.faults, ...late, ...wrong].map((fault) => {
      const diary = diaries.get(fault.slice(0, fault.indexOf(":")));
      return diary === undefined ? fault : `${fault}\n    after: ${diary.join(", ")}`;
    });
    return { faults, fates: operators.fates, secondsToRest };
  } finally {
    await operators.end();
    await witness.end();
    await ground.end();
  }
}

/** No volume is provisioned where nothing runs: the claims find these. */
async function makeVolumes({ client }: Ground, count: number): Promise<void> {
  const spec = {
    capacity: { storage: "10Gi" },
    accessModes: ["ReadWriteOnce"],
    persistentVolumeReclaimPolicy: "Delete",
    hostPath: { path: "/nowhere" },
  };
  const names = Array.from({ length: count + 10 }, (_, index) => `volume-${index}`);
  await inParallel(names, 20, async (name) => {
    await client.create(volumes, { metadata: { name }, spec } as never); // A volume's manifest.
  });
}

const volumes: ResourceKind = {
  group: "",
  version: "v1",
  plural: "persistentvolumes",
  kind: "PersistentVolume",
  namespaced: false,
};

/** Waits until every workflow is as it was asked to be, and does what messages say. @returns which are not, in the end */
async function atRest(walkers: readonly Walker[], witness: Witness): Promise<readonly string[]> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const late: string[] = [];
    for (const walker of walkers) {
      const workflow = witness.workflows.cache.get(walker.key);
      if (workflow === undefined || isAsAsked(workflow)) continue;
      const { state, failure, conditions } = workflow.status ?? {};
      if (failure !== undefined) await walker.followAdvice();
      late.push(
        `${walker.name}: what was asked for does not come about: ${JSON.stringify([workflow.spec.state, state, failure, conditions?.[0]])}`,
      );
    }
    if (late.length === 0 || performance.now() > deadline) return late;
    await pause(500);
  }
}

function isAsAsked({ metadata, spec, status }: IntegrationWorkflow): boolean {
  const { state, observedGeneration, handledRestart } = status ?? {};
  if (observedGeneration !== metadata.generation) return false;
  if (spec.state === "Stopped") return state === "STOPPED";
  return state === "RUNNING" && (spec.restart === undefined || handledRestart === spec.restart);
}

async function settledFaults(
  { client }: Ground,
  walkers: readonly Walker[],
  witness: Witness,
): Promise<readonly string[]> {
  const { items } = await client.list(configMaps, { namespace, labelSelector: labels.workflow });
  const faults: string[] = [];
  for (const { key, name } of walkers) {
    const workflow = witness.workflows.cache.get(key);
    const deployment = witness.deployments.cache.get(key);
    if (workflow === undefined) continue;
    const unfinished = witness.unfinished(key).length;
    const isAsked = workflow.spec.state === "Running";
    const wrong = (rule: string, facts: unknown): void =>
      void faults.push(`${name}: ${rule}: ${JSON.stringify(facts)}`);
    if (unfinished !== (isAsked ? 1 : 0)) wrong("as many workers as were asked for", unfinished);
    const [run] = readRecord(deployment?.metadata.annotations?.[runsAnnotation])?.runs ?? [];
    const own = items.filter(({ metadata }) =>
      metadata.ownerReferences?.some(({ uid }) => uid === workflow.metadata.uid),
    );
    if (!isAsked) continue;
    const pin = own.find(({ metadata }) => metadata.name === run?.pin);
    const content = readPin(pin?.data);
    if (content === undefined) wrong("the run's pin is there", run);
    else {
      const isSame = sameJson(content.configuration.spec, effectiveSpec(workflow.spec));
      if (workflow.status?.pendingRestart === isSame)
        wrong("pendingRestart says whether anything differs", workflow.status);
    }
    if (own.length > workflow.spec.revisionHistoryLimit + 1) wrong("pins are kept up to the limit", own.length);
  }
  return faults;
}

/** When everything is as it was asked to be, nothing is written any more. */
async function idleFaults({ client, audit }: Ground, walkers: readonly Walker[]): Promise<readonly string[]> {
  // What is queued has been handled when a workflow that is made now has been; twice, for what that itself brings about.
  for (const name of ["marker-1", "marker-2"]) {
    audit.read();
    await marked(client, name);
  }
  const names = new Set(walkers.map(({ name }) => name));
  return audit
    .read()
    .filter(
      ({ verb, resource }) => !["get", "list", "watch"].includes(verb) && !["leases", "events"].includes(resource),
    )
    .filter(({ name = "" }) => names.has(name.replace(/-(worker|queue|[0-9a-f]{8})$/, "")))
    .map(({ verb, resource, name }) => `${name}: no write when nothing has changed: ${verb} ${resource}`);
}

async function marked(client: Ground["client"], name: string): Promise<void> {
  await client.create(workflows, { metadata: { namespace, name }, spec: plainSpec } as never); // As kubectl does.
  const deadline = performance.now() + patienceMs;
  while ((await client.get(workflows, { namespace, name })).status?.state !== "STOPPED") {
    if (performance.now() > deadline) throw new Error(`${name} was not looked at`);
    await pause(100);
  }
}
