import { expect, test } from "vitest";
import type { IntegrationWorkflow } from "../../../src/api/integration-workflow.ts";
import { runsAnnotation } from "../../../src/api/run-record.ts";
import { Turns } from "../../../src/operator/shell/turns.ts";
import { profileFieldsOf } from "../../../src/operator/sight/opt-out-fields.ts";
import { type Rival, rivalOf } from "../../../src/operator/sight/rivals.ts";
import type { DeploymentSeen, PinSeen, PodSeen } from "../../../src/operator/sight/snapshot.ts";
import { looks } from "./moments.ts";
import { plainSpec, pod, workflow, written } from "./scene.ts";
import { World } from "./world.ts";

const [plain] = plainSpec.ingress.mappings;

const ingress = (fields: string[], more: object = {}) => ({
  ingress: {
    mappings: [{ ...plain, fields: fields.map((field) => ({ column: `c${field.toLowerCase()}`, field })), ...more }],
  },
});
const optInOut = (fields: string[], direction = "Bidirectional") => ({
  type: "OptInOut",
  ingress: undefined,
  optInOut: { direction, source: "Poll", mappings: fields.map((field) => ({ column: "donotbulkemail", field })) },
});

test.each<[string, object, string[]]>([
  ["an Ingress without opt-outs", ingress(["firstName", "email"]), []],
  ["an Ingress with opt-outs", ingress(["firstName", "denyListEmail", "ccpaOptOut"]), ["ccpaOptOut", "denyListEmail"]],
  [
    "an Ingress that says them in the older way",
    ingress(["blackListEmail", "blackList"]),
    ["denyList", "denyListEmail"],
  ],
  [
    "an Ingress with an opt-out as a constant",
    ingress(["firstName"], { constants: [{ field: "denyListFax", value: "true" }] }),
    ["denyListFax"],
  ],
  ["an Ingress with such a name in another resource", ingress(["denyListEmail"], { resource: "cusCompany" }), []],
  ["an OptInOut", optInOut(["denyListEmail"], "CampaignToDynamics"), ["denyListEmail"]],
  ["an OptInOut that is Disabled", optInOut(["denyListEmail"], "Disabled"), []],
])("the opt-out fields of %s", (_name, changes, fields) => {
  expect([...profileFieldsOf(written(changes))].sort()).toEqual(fields);
});

const made = (
  name: string,
  at: string,
  changes: object,
  status?: IntegrationWorkflow["status"],
): IntegrationWorkflow => {
  const one = workflow(changes, status);
  return { ...one, metadata: { ...one.metadata, name, uid: name, creationTimestamp: `2026-11-21T0${at}:00:00Z` } };
};
const mine = made("contacts", "8", { state: "Running", ...ingress(["firstName", "denyListEmail"]) });

const deployment = (name: string, active: boolean) =>
  ({
    metadata: {
      name,
      generation: 1,
      annotations: {
        [runsAnnotation]: JSON.stringify({
          active,
          runs: [{ run: 1, pin: `${name}-1`, generation: 1, startedAt: "2026-11-21T09:00:00Z" }],
        }),
      },
    },
    status: { observedGeneration: 1, replicas: 0 },
  }) as unknown as DeploymentSeen;

const statusOf = (state: string, more: object = {}): IntegrationWorkflow["status"] =>
  ({
    state,
    transitions: [{ to: state, at: "2026-11-21T09:00:00Z", reason: "X", revision: "opt-outs-1" }],
    ...more,
  }) as never;

interface Scene {
  readonly madeAt?: string;
  readonly spec?: object;
  readonly status?: IntegrationWorkflow["status"];
  readonly runs?: boolean;
  readonly pinned?: object;
  readonly pods?: readonly PodSeen[];
}

const rival = ({
  madeAt = "9",
  spec = optInOut(["denyListEmail"]),
  status,
  runs,
  pinned,
  pods = [],
}: Scene): Rival | undefined =>
  rivalOf(
    mine,
    {
      workflow: made("opt-outs", madeAt, { state: "Running", ...spec }, status),
      objects: { deployment: runs === undefined ? undefined : deployment("opt-outs", runs), replicaSets: [], pods },
      pinNamed: (name) =>
        pinned === undefined || name !== "opt-outs-1"
          ? undefined
          : ({ content: { configuration: { spec: written(pinned) } } } as unknown as PinSeen),
    },
    0,
  );

test.each<[string, Scene, Partial<Rival> | undefined]>([
  ["one that runs has the field", { runs: true }, { standing: "running", fields: ["denyListEmail"] }],
  ["also when it was made later", { runs: true, madeAt: "9" }, { standing: "running" }],
  ["also when it failed, for it may come back", { runs: true, status: statusOf("FAILED") }, { standing: "running" }],
  [
    "also when an edit took the field out: it runs with it until it is restarted",
    { runs: true, spec: optInOut(["ccpaOptOut"]), pinned: optInOut(["denyListEmail"]) },
    { standing: "running", isMendedByRestart: true },
  ],
  [
    "not when an edit brought the field in: that waits for a start, which will be refused",
    { runs: true, pinned: optInOut(["ccpaOptOut"]) },
    undefined,
  ],
  ["one that restarts keeps the field", { runs: false, status: statusOf("RUNNING") }, { standing: "running" }],
  [
    "one that ends is waited for",
    { runs: false, status: statusOf("RUNNING"), spec: { state: "Stopped", ...optInOut(["denyListEmail"]) } },
    { standing: "stopping" },
  ],
  [
    "one that was asked to stop a moment ago is waited for",
    { runs: true, status: statusOf("RUNNING"), spec: { state: "Stopped", ...optInOut(["denyListEmail"]) } },
    { standing: "stopping" },
  ],
  [
    "one that is stopped has nothing",
    { runs: false, status: statusOf("STOPPED"), spec: { state: "Stopped", ...optInOut(["denyListEmail"]) } },
    undefined,
  ],
  [
    "one whose pod is there still is waited for, whatever its status has come to tell",
    { runs: false, spec: { state: "Stopped", ...optInOut(["denyListEmail"]) }, pods: [pod()] },
    { standing: "stopping" },
  ],
  [
    "also when it is asked to run again: the field is its own",
    { runs: false, pods: [pod({ phase: "Pending" })] },
    { standing: "running" },
  ],
  [
    "but not for a pod that has ended",
    { runs: false, spec: { state: "Stopped", ...optInOut(["denyListEmail"]) }, pods: [pod({ phase: "Succeeded" })] },
    undefined,
  ],
  ["of two that wait, the earlier one has it", { madeAt: "7" }, { standing: "first" }],
  ["of two that wait, the later one has not", { madeAt: "9" }, undefined],
  [
    "one whose start was refused for the same reason has nothing",
    { madeAt: "7", status: { state: "FAILED", failure: { reason: "FieldConflict", message: "", since: "" } } },
    undefined,
  ],
  [
    "one that may not start for a reason of its own has nothing: else neither would run",
    { madeAt: "7", status: { state: "FAILED", failure: { reason: "QueueNotEmpty", message: "", since: "" } } },
    undefined,
  ],
  ["one with other fields", { runs: true, spec: optInOut(["denyListFax"]) }, undefined],
  ["one that is Disabled", { runs: true, spec: optInOut(["denyListEmail"], "Disabled") }, undefined],
  ["one of the same type", { runs: true, spec: ingress(["denyListEmail"]) }, undefined],
  [
    "one of another instance",
    {
      runs: true,
      spec: {
        ...optInOut(["denyListEmail"]),
        campaign: { ...plainSpec.campaign, url: "https://mc.adobe.io/fabrikam/campaign" },
      },
    },
    undefined,
  ],
])("%s", (_name, scene, expected) => {
  const found = rival(scene);
  if (expected === undefined) expect(found).toBeUndefined();
  else expect(found).toMatchObject({ name: "opt-outs", type: "OptInOut", ...expected });
});

test("a start is refused with names, field and way out, nothing is made, and it begins by itself when the field is free", () => {
  const world = new World({ state: "Running", ...ingress(["denyListEmail"]) });
  world.operator.rivals = [
    { name: "opt-outs", type: "OptInOut", fields: ["denyListEmail"], standing: "running", isMendedByRestart: false },
  ];
  looks(world);
  expect(world.status).toMatchObject({
    state: "FAILED",
    failure: {
      reason: "FieldConflict",
      message:
        "The field denyListEmail of the profile in the same two systems belongs to workflow opt-outs (OptInOut), which runs: take it out of one of the two (ingress.mappings of resource profile here, optInOut.mappings there, which then must be restarted), or stop opt-outs. This workflow starts by itself then",
    },
  });
  expect(world.deployment).toBeUndefined();
  world.operator.rivals = [{ ...(world.operator.rivals[0] as Rival), standing: "stopping" }];
  world.advance(10_000);
  looks(world);
  expect(world.deployment).toBeUndefined();
  world.operator.rivals = [];
  world.settle();
  expect(world.status.state).toBe("RUNNING");
});

test("who edits one that runs is told before a restart that it would be refused", () => {
  const world = new World({ state: "Running", ...ingress(["firstName"]) });
  world.settle();
  world.edit(ingress(["firstName", "denyListEmail"]));
  world.operator.rivals = [
    { name: "opt-outs", type: "OptInOut", fields: ["denyListEmail"], standing: "running", isMendedByRestart: false },
  ];
  world.settle();
  expect(world.status.state).toBe("RUNNING");
  expect(world.condition("RestartRequired")?.message).toMatch(
    /Now, a start would be refused \(FieldConflict\): the field denyListEmail of the profile .* to workflow opt-outs \(OptInOut\), which runs$/,
  );
  world.operator.rivals = [];
  world.settle();
  expect(world.condition("RestartRequired")?.message).not.toContain("refused");
});

test("one that runs is never stopped because another has its fields", () => {
  const world = new World({ state: "Running", ...ingress(["denyListEmail"]) });
  world.settle();
  world.operator.rivals = [
    { name: "opt-outs", type: "OptInOut", fields: ["denyListEmail"], standing: "running", isMendedByRestart: false },
  ];
  world.settle();
  expect(world.status.state).toBe("RUNNING");
});

test("turns: work of one name does not overlap, also after work that failed; work of others does not wait", async () => {
  const turns = new Turns();
  const said: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = turns.take("a", async () => {
    said.push("first begins");
    await gate.promise;
    said.push("first fails");
    throw new Error("first");
  });
  const second = turns.take("a", async () => void said.push("second"));
  await turns.take("b", async () => void said.push("other"));
  await turns.take(undefined, async () => void said.push("nameless"));
  gate.resolve();
  await expect(first).rejects.toThrow("first");
  await second;
  expect(said).toEqual(["first begins", "other", "nameless", "first fails", "second"]);
});
