/** Two operators that divide the workflows by their labels. */
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { labels } from "../../../src/api/group.ts";
import type { Cached } from "../../../src/kubernetes/cache.ts";
import { createInformer } from "../../../src/kubernetes/informer.ts";
import { leases } from "../../../src/kubernetes/lease-record.ts";
import { pods, projectPod } from "../../../src/operator/shell/projections.ts";
import { isUnfinished } from "../../../src/operator/sight/remains.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { plainSpec } from "../../unit/operator/scene.ts";
import { Ground } from "./ground.ts";
import type { OperatorProcess } from "./operator-process.ts";

// Each waits several times, for as long as a busy machine may need.
vi.setConfig({ testTimeout: 300_000 });

let ground: Ground;
let a: OperatorProcess;
let b: OperatorProcess;

const operatorOf = async (shard: string): Promise<OperatorProcess> => {
  const election = ["--leader-elect", "true", "--leader-election-namespace", ground.namespace];
  const operator = await ground.operator("--shard-selector", `shard=${shard}`, ...election);
  await operator.said("leading");
  return operator;
};

beforeAll(async () => {
  ground = await Ground.make(inject("kubeconfig"));
  [a, b] = await Promise.all([operatorOf("a"), operatorOf("b")]);
});
afterAll(() => ground?.end());

/** Each signs in as an application user of its own: else they tell of each other. */
const own = (name: string) => ({ dynamics: { ...plainSpec.dynamics, credentialsSecretRef: { name } } });
const label = (name: string, shard: string) =>
  ground.kubectl("label", "iw", name, shard === "" ? "shard-" : `shard=${shard}`, "--overwrite");
/** Workflows that an operator has written anything of. */
const writtenBy = ({ lines }: OperatorProcess) => new Set(lines.map(({ workflow }) => workflow).filter(Boolean));
const keyOf = (name: string) => `${ground.namespace}/${name}`;

test("both lead at the same time, each by a lease of its own", async () => {
  const { items } = await ground.client.list(leases, { namespace: ground.namespace });
  const names = items.map(({ metadata }) => metadata.name);
  expect(names).toEqual([expect.stringMatching(/-[0-9a-f]{8}$/), expect.stringMatching(/-[0-9a-f]{8}$/)]);
});

test("each runs the workflows of its own shard, and nobody those of none", async () => {
  for (const name of ["one", "two", "nobodys"]) await ground.apply(name, { state: "Running", ...own(name) });
  await label("one", "a");
  await label("two", "b");
  await ground.until("one", { state: "RUNNING" });
  await ground.until("two", { state: "RUNNING" });
  expect([writtenBy(a), writtenBy(b)]).toEqual([new Set([keyOf("one")]), new Set([keyOf("two")])]);
  expect(await ground.status("nobodys")).toMatchObject({ observedGeneration: -1 });
});

test("a workflow that moves goes on with its run, and from then on the other operator looks after it", async () => {
  const before = [await ground.askedOf("one"), await ground.pods("one")];
  await label("one", "b");
  await a.said("workflow is of another shard");
  await ground.patch("one", { campaign: { engineCallsPerSecond: 25 } });
  await ground.until("one", { pendingRestart: true });
  expect([await ground.askedOf("one"), await ground.pods("one")]).toEqual(before);
  await ground.patch("one", { state: "Stopped" });
  await ground.until("one", { state: "STOPPED" });
  const stopped = ({ lines }: OperatorProcess) =>
    lines.filter(
      ({ message, workflow, verb }) => message === "wrote" && workflow === keyOf("one") && verb !== "create",
    );
  expect([stopped(a).length, stopped(b).length]).toEqual([0, 1]);
});

test("an opt-out field that a workflow of another shard has is refused", async () => {
  const [plain] = plainSpec.ingress.mappings;
  const fields = [{ column: "optout", field: "denyList" }];
  const optOuts = {
    type: "OptInOut",
    ingress: undefined,
    optInOut: { direction: "DynamicsToCampaign", source: "Poll", mappings: fields },
  };
  await ground.apply("first", { ...optOuts, state: "Running", ...own("first") });
  await label("first", "a");
  await ground.until("first", { state: "RUNNING" });
  await ground.apply("second", { state: "Running", ...own("second"), ingress: { mappings: [{ ...plain, fields }] } });
  await label("second", "b");
  const { failure } = await ground.until("second", { state: "FAILED" });
  expect(failure?.reason).toBe("FieldConflict");
  await ground.patch("first", { state: "Stopped" });
  await ground.until("second", { state: "RUNNING" });
});

test("however a workflow is moved while it starts and stops, two runs of it are never there at once", async () => {
  const names = ["m1", "m2", "m3", "m4"];
  const runs = new Map<string, Map<string, number | undefined>>();
  const overlaps: string[] = [];
  const watching = createInformer({
    client: ground.client,
    kind: pods,
    namespaces: [ground.namespace],
    labelSelector: `${labels.workflow} in (${names.join(",")})`,
    project: (pod) => ({ ...projectPod(pod), metadata: pod.metadata }) as ReturnType<typeof projectPod> & Cached,
    logger: silentLogger,
  });
  watching.cache.subscribe(({ type, key, object }) => {
    const name = object.metadata.labels?.[labels.workflow] ?? "";
    const present = runs.get(name) ?? new Map<string, number | undefined>();
    if (type === "delete" || !isUnfinished(object)) present.delete(key);
    else present.set(key, object.run);
    runs.set(name, present);
    if (new Set(present.values()).size > 1) overlaps.push(`${name}: ${[...present.values()]}`);
  });
  const end = new AbortController();
  const watched = watching.run(end.signal);
  for (const name of names) await ground.apply(name, own(name));
  for (let round = 0; round < 5; round += 1) {
    const state = round % 2 === 0 ? "Running" : "Stopped";
    await Promise.all(
      names.map(async (name, index) => {
        const shard = (round + index) % 2 === 0 ? "a" : "b";
        await Promise.all([label(name, shard), ground.patch(name, { state, restart: `round-${round}` })]);
        if (index % 2 === 0) await label(name, shard === "a" ? "b" : "a");
      }),
    );
  }
  for (const name of names) await ground.until(name, { state: "RUNNING", handledRestart: "round-4" });
  end.abort();
  await watched;
  expect([...runs.keys()].sort()).toEqual(names);
  expect(overlaps).toEqual([]);
});
