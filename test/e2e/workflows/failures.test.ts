import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import type { WorkflowStatus } from "../../../src/api/integration-workflow.ts";
import { type Expectation, messageLike } from "../../failures/expectation.ts";
import { noteMeasured } from "../../failures/measured.ts";
import { onNode } from "../../failures/on-node.ts";
import { loadContacts } from "./contacts.ts";
import {
  clusterWide,
  failuresNamespace,
  groundOf,
  loneNamespaces,
  namespaceOf,
  type OnNode,
  permitted,
  stagedWorkflow,
  stages,
} from "./failure-stages.ts";
import { type Ground, installOperator, prepareGround } from "./ground.ts";
import { killProcesses } from "./processes.ts";
import { startRegistry } from "./registry.ts";
import { StatusWatch } from "./status-watch.ts";
import { importUnrunnable } from "./unrunnable-images.ts";
import { contactsWorkflow, pods, untilState, untilStatus, workflow } from "./workflow.ts";

const patience = { timeout: 240_000, interval: 100 };
const staged = Object.keys(stages) as OnNode[];
let ground: Ground;
let outage: Ground;
let watch: StatusWatch;
let stagedAtMs: number;
let endRegistry: () => void;

beforeAll(async () => {
  ground = await prepareGround(failuresNamespace);
  outage = await prepareGround("outage");
  await installOperator(...permitted.flatMap((value) => ["--set", value]));
  await importUnrunnable(inject("node"), inject("binaries").node);
  endRegistry = await startRegistry(inject("node"));
  await stageFailures();
  await loadContacts(ground.sandbox, 200);
  await loadContacts(outage.sandbox, 200);
});
afterAll(async () => {
  watch?.end();
  endRegistry?.();
  await ground?.kubectl.run(["delete", "--ignore-not-found", "--wait=false", ...clusterWide]);
  for (const name of loneNamespaces) await ground?.kubectl.run(["delete", "namespace", name, "--wait=false"]);
  await installOperator();
  ground?.close();
  outage?.close();
});

/** All beside each other: what takes its minutes takes them while the other tests run. */
async function stageFailures(): Promise<void> {
  const { kubectl } = ground;
  for (const [namespace, objects] of groundOf()) await kubectl.in(namespace).apply(...objects);
  await policiesWork();
  watch = new StatusWatch(kubectl);
  stagedAtMs = Date.now();
  for (const [namespace, names] of Map.groupBy(staged, namespaceOf)) {
    const workflows = names.map((name) => stagedWorkflow(name, contactsWorkflow({ name, ...ground })));
    await kubectl.in(namespace).apply(...workflows);
  }
}

/** The API server takes a moment to put an admission policy in force. */
async function policiesWork(): Promise<void> {
  const containers = [{ name: "tried", image: "registry.invalid/tried:1" }];
  const tried = (name: OnNode, object: object) =>
    ground.kubectl
      .in(namespaceOf(name))
      .run(["create", "--dry-run=server", "-o", "json", "-f", "-"], JSON.stringify(object));
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "tried" }, spec: { containers } };
  const labels = { tried: "" };
  const deployment = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "tried" },
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } },
  };
  await vi.waitFor(async () => {
    await expect(tried("pod-security", pod)).rejects.toThrow("host namespaces");
    await expect(tried("deployment-refused", deployment)).rejects.toThrow("names its owner");
    const restricted = { allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: { drop: ["ALL"] } };
    const securityContext = { ...restricted, seccompProfile: { type: "RuntimeDefault" } };
    const permittedPod = { ...pod, spec: { containers: containers.map((one) => ({ ...one, securityContext })) } };
    expect(await tried("image-never", permittedPod)).toContain('"imagePullPolicy": "Never"');
  }, patience);
}

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

  test("with an image that the operator does not permit is FAILED, and no pod runs it", async () => {
    const { kubectl } = ground;
    await kubectl.apply(changed("forbidden-image", { worker: { image: "forbidden.invalid/other:1" } }));
    const { status } = await untilState(kubectl, "forbidden-image", "FAILED");
    expect(status.failure?.message).toContain("--allowed-worker-images");
    expect(await pods(kubectl, "forbidden-image")).toEqual([]);
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

describe("a failure is told: its state, its reason, what happened and what to do", () => {
  test.each(staged)("%s", async (name) => {
    const expected: Expectation = onNode[name];
    const statuses = () => watch.of(namespaceOf(name), name);
    const told = await vi.waitFor(
      () => {
        const seen = statuses().find(({ workflow: { status } }) => isTold(status, expected));
        if (seen === undefined) throw new Error(`not told: ${JSON.stringify(statuses().at(-1)?.workflow.status)}`);
        return seen;
      },
      { timeout: 540_000, interval: 250 },
    );
    const { status } = told.workflow;
    const { meanwhile } = expected;
    if (meanwhile !== undefined) {
      const words = statuses().map((seen) => readyOf(seen.workflow.status)?.message);
      expect(words).toContainEqual(expect.stringMatching(messageLike(meanwhile)));
    }
    if (expected.shows === "after 5 minutes") {
      const startedAtMs = Date.parse(status.appliedRevision?.appliedAt ?? "");
      expect(Date.parse(status.failure?.since ?? "") - startedAtMs).toBeGreaterThanOrEqual(300_000);
    }
    // It is no passing word: what was told goes on to be told. And where others are not quoted, nothing in it moves.
    expect(isTold(statuses().at(-1)?.workflow.status ?? {}, expected)).toBe(true);
    const later = statuses().filter((seen) => seen.atMs >= told.atMs && seen.workflow.status.state === "FAILED");
    const messages = new Set(later.map((seen) => readyOf(seen.workflow.status)?.message));
    if (expected.state === "FAILED" && !expected.message.includes("{...}")) expect([...messages]).toHaveLength(1);
    const message = readyOf(status)?.message ?? "";
    noteMeasured(name, { seconds: (told.atMs - stagedAtMs) / 1000, message }, process.env);
  });
});

function readyOf({ conditions = [] }: WorkflowStatus) {
  return conditions.find(({ type }) => type === "Ready");
}

function isTold(status: WorkflowStatus, { state, reason, message }: Expectation): boolean {
  const ready = readyOf(status);
  if (status.state !== state || ready?.reason !== reason || !messageLike(message).test(ready.message)) return false;
  return state !== "FAILED" || (status.failure?.reason === reason && status.failure.message === ready.message);
}
