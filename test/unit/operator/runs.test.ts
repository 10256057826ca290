import { describe, expect, test } from "vitest";
import { looks, running } from "./moments.ts";
import { policy } from "./scene.ts";
import { World } from "./world.ts";

describe("an operator that was upgraded", () => {
  const upgraded = { ...policy, defaultWorkerImage: "registry.example/integration-workflow:2.0.0" };

  test("tells what a restart would change, warns nobody, and changes nothing that runs", () => {
    const world = running();
    const template = world.deployment?.spec.template;
    world.operator.crash();
    world.operator.policy = upgraded;
    world.settle();
    expect(world.deployment?.spec.template).toBe(template);
    expect(world.status).toMatchObject({ pendingRestart: false, pendingChangeCount: 1 });
    expect(world.status.pendingChanges).toEqual([
      {
        path: "deployment.template.spec.containers[name=worker].image",
        from: policy.defaultWorkerImage,
        to: upgraded.defaultWorkerImage,
        source: "Operator",
      },
    ]);
    expect(world.condition("RestartRequired")?.status).toBe("False");
  });
  test("brings its image with the next start", () => {
    const world = running();
    world.operator.policy = upgraded;
    world.edit({ restart: "upgrade" });
    world.settle();
    expect(world.deployment?.spec.template.spec?.containers[0]?.image).toBe(upgraded.defaultWorkerImage);
    expect(world.status).toMatchObject({ pendingChangeCount: 0, handledRestart: "upgrade" });
  });
});

describe("restart", () => {
  test("set while stopped, it is handled by the next start", () => {
    const world = new World({ restart: "early" });
    world.settle();
    expect(world.status.handledRestart).toBeUndefined();
    world.edit({ state: "Running" });
    world.settle();
    expect(world.status).toMatchObject({ handledRestart: "early", appliedRevision: { run: 1 } });
  });
  test("removed, it does nothing; given again, it does nothing either", () => {
    const world = running({ restart: "one" });
    const { restart, ...spec } = world.workflow.spec;
    world.setSpec(spec);
    world.settle();
    world.edit({ restart });
    world.settle();
    expect(world.status).toMatchObject({ handledRestart: "one", appliedRevision: { run: 1 } });
  });
  test("is a start and no recovery, whose worker was never ready yet", () => {
    const world = running();
    world.edit({ restart: "now" });
    const reasons: (string | undefined)[] = [];
    const look = (): void => {
      world.controllers();
      world.operator.catchUp();
      looks(world);
      reasons.push(world.condition("Ready")?.reason);
    };
    for (const act of ["finish", "finish", "finish", "start", "ready"] as const) {
      look();
      world.kubelets(act);
    }
    look();
    expect([...new Set(reasons)]).toEqual(["Stopping", "Starting", "Running"]);
  });
  test("of a workflow that FAILED, it is a new run that begins with STARTING", () => {
    const world = running();
    world.kubelets("giveUp");
    world.operator.catchUp();
    looks(world);
    world.edit({ restart: "mended" });
    world.settle();
    expect(world.status.transitions?.slice(0, 3).map(({ to }) => to)).toEqual(["RUNNING", "STARTING", "FAILED"]);
  });
});

describe("revisions", () => {
  test("A, B, A: the pin of A is used again, and the record keeps the order", () => {
    const world = running();
    const first = world.status.appliedRevision?.name;
    world.editMapping(false);
    world.edit({ restart: "b" });
    world.settle();
    world.editMapping(true);
    world.edit({ restart: "a" });
    world.settle();
    expect(world.status.appliedRevision).toMatchObject({ name: first, run: 3 });
    expect(world.record?.runs.map(({ run, pin }) => [run, pin === first])).toEqual([
      [3, true],
      [2, false],
      [1, true],
    ]);
  });
  test("earlier pins are kept up to the limit, and the newest of them", () => {
    const world = running({ revisionHistoryLimit: 2 });
    const names: string[] = [];
    for (const seconds_ of [61, 62, 63, 64]) {
      names.push(world.status.appliedRevision?.name ?? "");
      world.edit({
        worker: { ...world.workflow.spec.worker, terminationGracePeriodSeconds: seconds_ },
        restart: `r${seconds_}`,
      });
      world.settle();
    }
    const kept = [...world.api.stored.ConfigMap.keys()].sort();
    expect(kept).toEqual([names[2], names[3], world.status.appliedRevision?.name].sort());
  });
  test("restarts without an edit push no earlier revision out", () => {
    const world = running({ revisionHistoryLimit: 1 });
    const first = world.status.appliedRevision?.name;
    world.editMapping(false);
    for (const restart of ["a", "b", "c"]) {
      world.edit({ restart });
      world.settle();
    }
    expect([...world.api.stored.ConfigMap.keys()]).toContain(first);
    expect(world.record?.runs.map(({ run }) => run)).toEqual([4, 3, 2, 1]);
  });
  test("a pin whose content was exchanged under its name is not believed: it is replaced", () => {
    const world = running();
    const name = world.status.appliedRevision?.name ?? "";
    const pin = world.api.stored.ConfigMap.get(name);
    if (pin?.content === undefined) throw new Error("no pin");
    const forged = structuredClone(pin.content) as unknown as {
      deployment: { template: { spec: { containers: { image: string }[] } } };
    };
    const [worker] = forged.deployment.template.spec.containers;
    if (worker !== undefined) worker.image = "registry.example/evil:1";
    world.api.put("ConfigMap", { ...pin, content: forged as never });
    world.settle();
    expect(world.deployment?.spec.template.spec?.containers[0]?.image).toBe(policy.defaultWorkerImage);
    expect(world.api.stored.ConfigMap.get(name)?.content).toEqual(pin.content);
    expect(world.status.state).toBe("RUNNING");
  });
});
