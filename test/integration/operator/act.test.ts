import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { EventRecorder } from "../../../src/kubernetes/events.ts";
import { act } from "../../../src/operator/shell/act.ts";
import { CounterBudget, defaultCounterBudget } from "../../../src/operator/shell/counter-budget.ts";
import { Memories } from "../../../src/operator/shell/memory.ts";
import { configMaps } from "../../../src/operator/shell/projections.ts";
import { watchCluster } from "../../../src/operator/shell/watched.ts";
import type { Plan, Write } from "../../../src/operator/sight/plan.ts";
import type { Snapshot } from "../../../src/operator/sight/snapshot.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { policy } from "../../unit/operator/scene.ts";
import { Ground } from "./ground.ts";

let ground: Ground;

beforeAll(async () => {
  ground = await Ground.make(inject("kubeconfig"));
  await ground.apply("stale");
});
afterAll(() => ground?.end());

/** Carries a plan out as a leader does that was paused after it had decided. */
async function actLate(plan: Partial<Plan>, workflow?: Snapshot["workflow"]) {
  const { client } = ground;
  const events = new EventRecorder({
    client,
    reportingController: "test/test",
    reportingInstance: "test",
    logger: silentLogger,
  });
  const snapshot: Snapshot = {
    nowMs: Date.now(),
    workflow: workflow ?? (await ground.workflow("stale")),
    deployment: undefined,
    replicaSets: [],
    pods: [],
    pins: [],
    claims: [],
    networkPolicy: undefined,
    sharedLimits: undefined,
    rivals: [],
    fresh: true,
    memory: {},
    policy,
  };
  const memories = new Memories();
  const outcome = await act(
    {
      client,
      watched: watchCluster(client, [ground.namespace], silentLogger),
      memories,
      budget: new CounterBudget(defaultCounterBudget),
      events,
      logger: silentLogger,
      now: () => Date.now(),
    },
    "stale",
    snapshot,
    { writes: [], status: undefined, notes: [], lookAgainMs: undefined, lookAfresh: false, remember: {}, ...plan },
  );
  return { outcome, memories };
}

test("every write that was decided on what has changed since fails by itself, and changes nothing", async () => {
  const { namespace } = ground;
  const ref = { namespace, name: "contested" };
  const before = await ground.client.create(configMaps, { metadata: ref, data: { by: "operator" } });
  const changed = await ground.client.mergePatch(configMaps, ref, { data: { by: "somebody" } });
  const base = { kind: "ConfigMap", name: ref.name } as const;
  const target = { ...before.metadata, namespace };
  const manifest = { metadata: { ...ref }, data: { by: "late" } };
  const replaced = {
    ...(await ground.client.get(configMaps, ref)).metadata,
    namespace,
    uid: "00000000-0000-0000-0000-000000000000",
  };
  const late: [string, Write][] = [
    ["create", { ...base, verb: "create", manifest }],
    ["replace", { ...base, verb: "replace", target, manifest }],
    ["patch", { ...base, verb: "patch", target, patch: { data: { by: "late" } } }],
    ["delete", { ...base, verb: "delete", target }],
    ["replace of an object that was made again", { ...base, verb: "replace", target: replaced, manifest }],
    ["delete of an object that was made again", { ...base, verb: "delete", target: replaced }],
  ];
  for (const [what, write] of late) {
    // What comes after a write that failed is not done either.
    const after: Write = {
      kind: "ConfigMap",
      name: "after",
      verb: "create",
      manifest: { metadata: { namespace, name: "after" } },
    };
    const { outcome } = await actLate({ writes: [write, after] });
    expect([what, outcome]).toEqual([what, { type: "again" }]);
    expect(await ground.client.get(configMaps, ref)).toMatchObject({
      metadata: { resourceVersion: changed.metadata.resourceVersion },
      data: { by: "somebody" },
    });
    await expect(ground.client.get(configMaps, { namespace, name: "after" })).rejects.toMatchObject({ status: 404 });
  }
});

test("a status that was decided before an edit is not written", async () => {
  const seen = await ground.workflow("stale");
  await ground.patch("stale", { revisionHistoryLimit: 3 });
  const { outcome } = await actLate({ status: { state: "STOPPED", observedGeneration: 1 } }, seen);
  expect(outcome).toEqual({ type: "again" });
  expect((await ground.status("stale")).state).toBeUndefined();
});

test("a refusal is remembered with its words, and a write that can be done without is left", async () => {
  const invalid = { metadata: { namespace: ground.namespace, name: "Not A Name" } };
  const write: Write = { kind: "ConfigMap", name: "Not A Name", verb: "create", manifest: invalid };
  const refused = await actLate({ writes: [write] });
  expect(refused.outcome).toEqual({ type: "again" });
  expect(refused.memories.of("stale").memory.refusal).toMatchObject({
    object: "ConfigMap Not A Name",
    message: expect.stringContaining("RFC 1123"),
  });
  expect((await actLate({ writes: [{ ...write, dispensable: true }] })).outcome).toEqual({ type: "done" });
});
