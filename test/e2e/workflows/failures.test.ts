import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { loadContacts } from "./contacts.ts";
import { type Ground, installOperator, prepareGround } from "./ground.ts";
import { killProcesses } from "./processes.ts";
import { contactsWorkflow, pods, untilState, untilStatus, workflow } from "./workflow.ts";

const patience = { timeout: 240_000, interval: 100 };
const wrongImage = "registry.invalid/worker:missing";
let ground: Ground;
let outage: Ground;

beforeAll(async () => {
  ground = await prepareGround("failures");
  outage = await prepareGround("outage");
  await installOperator("--set", `operator.allowedWorkerImages={${wrongImage}}`);
  await loadContacts(ground.sandbox, 200);
  await loadContacts(outage.sandbox, 200);
});
afterAll(async () => {
  await installOperator();
  ground.close();
  outage.close();
});

interface Contacts {
  readonly spec: { readonly dynamics: object; readonly worker?: object };
}

/** The contacts' workflow with another part in its spec. */
function changed(name: string, overrides: Partial<Contacts["spec"]>): object {
  const base = contactsWorkflow({ name, ...ground }) as Contacts;
  return { ...base, spec: { ...base.spec, ...overrides } };
}

describe.concurrent("a workflow", () => {
  test("with a wrong client secret is FAILED CredentialsRejected, and RUNNING when it is mended", async () => {
    const { kubectl } = ground;
    await ground.credentials({ dynamicsName: "dynamics-wrong", clientSecret: "wrong" });
    const dynamics = { url: ground.dynamicsUrl, credentialsSecretRef: { name: "dynamics-wrong" } };
    await kubectl.apply(changed("wrong-secret", { dynamics }));
    const { status } = await untilState(kubectl, "wrong-secret", "FAILED");
    expect(status.failure?.reason).toBe("CredentialsRejected");
    expect(status.failure?.message).toMatch(/dynamics-wrong/);
    await ground.credentials({ dynamicsName: "dynamics-wrong" });
    await untilState(kubectl, "wrong-secret", "RUNNING", 480);
  });

  test("whose Secret is missing is FAILED CredentialsMissing, naming it, and RUNNING when it is made", async () => {
    const { kubectl } = ground;
    const dynamics = { url: ground.dynamicsUrl, credentialsSecretRef: { name: "dynamics-later" } };
    await kubectl.apply(changed("missing-secret", { dynamics }));
    const { status } = await untilState(kubectl, "missing-secret", "FAILED");
    expect(status.failure?.reason).toBe("CredentialsMissing");
    expect(status.failure?.message).toMatch(/dynamics-later/);
    await ground.credentials({ dynamicsName: "dynamics-later" });
    await untilState(kubectl, "missing-secret", "RUNNING", 480);
  });

  test("with an image that cannot be pulled is FAILED", async () => {
    const { kubectl } = ground;
    await kubectl.apply(changed("wrong-image", { worker: { image: wrongImage } }));
    const { status } = await untilState(kubectl, "wrong-image", "FAILED");
    expect(status.failure?.reason).toMatch(/^(ImagePullBackOff|ErrImagePull)$/);
    expect(status.failure?.message).toContain(wrongImage);
  });

  test("with an image that the operator does not permit is FAILED, and no pod runs it", async () => {
    const { kubectl } = ground;
    await kubectl.apply(changed("forbidden-image", { worker: { image: "registry.invalid/other:1" } }));
    const { status } = await untilState(kubectl, "forbidden-image", "FAILED");
    expect(status.failure?.message).toContain("--allowed-worker-images");
    expect(await pods(kubectl, "forbidden-image")).toEqual([]);
  });

  test("of a type that is not built yet is FAILED NotSupportedYet", async () => {
    const { kubectl } = ground;
    const { ingress: _, ...base } = (contactsWorkflow({ name: "opt", ...ground }) as { spec: Record<string, unknown> })
      .spec;
    await kubectl.apply({
      apiVersion: "integrationworkflow.io/v1",
      kind: "IntegrationWorkflow",
      metadata: { name: "opt-out" },
      spec: {
        ...base,
        type: "OptInOut",
        optInOut: { direction: "Disabled", mappings: [{ column: "donotbulkemail", field: "denyListEmail" }] },
      },
    });
    const { status } = await untilState(kubectl, "opt-out", "FAILED");
    expect(status.failure?.reason).toBe("NotSupportedYet");
  });

  test("whose worker crash-loops after a good start is FAILED, and stays so", async () => {
    const { kubectl } = ground;
    await kubectl.apply(contactsWorkflow({ name: "crashing", ...ground }));
    await untilState(kubectl, "crashing", "RUNNING");
    const kill = async () => {
      for (const { metadata } of await pods(kubectl, "crashing")) killProcesses(metadata.uid, "worker");
    };
    await vi.waitFor(async () => {
      await kill();
      const { status } = await workflow(kubectl, "crashing");
      expect(status.failure?.reason).toBe("CrashLoopBackOff");
    }, patience);
    const { transitions } = (await workflow(kubectl, "crashing")).status;
    // The container runs for a moment between two back-offs; FAILED does not flap meanwhile.
    const restarts = async () => (await pods(kubectl, "crashing"))[0]?.status.containerStatuses?.[0]?.restartCount ?? 0;
    const before = await restarts();
    await vi.waitFor(async () => {
      await kill();
      expect(await restarts()).toBeGreaterThan(before);
    }, patience);
    expect((await workflow(kubectl, "crashing")).status.transitions).toEqual(transitions);
  });

  test("is not FAILED while Dataverse is down: Recovering, the backlog kept, and on by itself", async () => {
    const { kubectl, sandbox } = outage;
    await kubectl.apply(contactsWorkflow({ name: "patient", ...outage, engineCallsPerSecond: 100 }));
    await untilStatus(
      kubectl,
      "patient",
      "all written",
      ({ state, backlog, lastSyncTime }) => state === "RUNNING" && backlog === 0 && lastSyncTime !== undefined,
    );
    await sandbox.setGate({ side: "campaign", state: "unavailable" });
    await sandbox.changeMany({ table: "contact", count: 25, operation: "update", cells: { lastname: "Later {n}" } });
    await untilStatus(kubectl, "patient", "25 wait", ({ backlog }) => backlog === 25);
    await sandbox.setGate({ side: "dataverse", state: "unavailable" });
    const { status } = await untilStatus(
      kubectl,
      "patient",
      "Recovering",
      ({ conditions = [] }) => conditions.some(({ type, reason }) => type === "Ready" && reason === "Recovering"),
      300,
    );
    expect({ state: status.state, backlog: status.backlog }).toEqual({ state: "STARTING", backlog: 25 });
    await sandbox.setGate({ side: "dataverse", state: "open" });
    await sandbox.setGate({ side: "campaign", state: "open" });
    await untilStatus(
      kubectl,
      "patient",
      "running, all written",
      ({ state, backlog }) => state === "RUNNING" && backlog === 0,
    );
    const { transitions = [] } = (await workflow(kubectl, "patient")).status;
    expect(transitions.map(({ to }) => to)).not.toContain("FAILED");
  });
});
