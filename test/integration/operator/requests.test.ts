/** What each action costs the API server, from its own audit log: exact, so that nothing is asked or written in vain. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type AuditedRequest, type AuditLog, createAuditLog } from "../../../cluster/audit-log.ts";
import { controlPlaneBinaries } from "../../../cluster/binaries.ts";
import { type ControlPlane, startControlPlane } from "../../../cluster/control-plane.ts";
import { Ground } from "./ground.ts";
import { type OperatorProcess, startOperator } from "./operator-process.ts";

// Each waits several times, for as long as a busy machine may need.
vi.setConfig({ testTimeout: 300_000 });

const user = "the-operator";
let audit: AuditLog;
let controlPlane: ControlPlane;
let ground: Ground;
let operator: OperatorProcess;

beforeAll(async () => {
  const binaries = await controlPlaneBinaries(process.env, console.error);
  audit = createAuditLog([user]);
  controlPlane = await startControlPlane({ binaries, apiServerArguments: audit.apiServerArguments });
  ground = await Ground.make(controlPlane.kubeconfigPath);
  const signedIn = controlPlane.signIn(user, "system:masters");
  operator = await startOperator(signedIn, ["--watch-namespaces", ground.namespace, "--log-level", "debug"]);
  ground.operators.push(operator);
});
afterAll(async () => {
  await ground?.end();
  await controlPlane?.stop();
  audit?.remove();
});

const status = "update integrationworkflows/status";
let markers = 0;

/** What the operator has asked since it was asked last, the leases, Events and this function's own workflows apart. */
async function asked(): Promise<readonly AuditedRequest[]> {
  // When another workflow that was made now is handled, so is what came before.
  markers += 1;
  const marker = `marker-${markers}`;
  await ground.apply(marker);
  await ground.until(marker, { state: "STOPPED" });
  const isApart = ({ resource, name = "", labelSelector = "" }: AuditedRequest): boolean =>
    ["leases", "events"].includes(resource) || name.startsWith("marker-") || labelSelector.includes("=marker-");
  return audit.read().filter((request) => !isApart(request));
}

const isRead = ({ verb }: AuditedRequest): boolean => ["get", "list", "watch"].includes(verb);

/** "create deployments" → how often. */
function counted(requests: readonly AuditedRequest[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { verb, resource } of requests) {
    counts[`${verb} ${resource}`] = (counts[`${verb} ${resource}`] ?? 0) + 1;
  }
  return counts;
}

let words = 0;
let wordsAtMs = performance.now();

/** Statuses that were written since it was asked last because a start, or a stop, took longer than 5 s: what it waits for. */
function wordsOfWaiting(): number {
  const isWords = ({ message, change, workflow }: OperatorProcess["lines"][number]): boolean =>
    message === "wrote status" && change === "words" && workflow === `${ground.namespace}/contacts`;
  const [before, beforeMs] = [words, wordsAtMs];
  words = operator.lines.filter(isWords).length;
  wordsAtMs = performance.now();
  expect(words - before).toBeLessThanOrEqual((wordsAtMs - beforeMs) / 5000);
  return words - before;
}

/** Of what it has asked, the writes; without what only a busy machine makes it tell. */
async function written(): Promise<Record<string, number>> {
  const counts = counted((await asked()).filter((request) => !isRead(request)));
  return { ...counts, [status]: (counts[status] ?? 0) - wordsOfWaiting() };
}

/** Of what it has asked, what it has read; the definition and the namespace are looked at from time to time. */
async function read(): Promise<readonly AuditedRequest[]> {
  const isRegular = ({ resource }: AuditedRequest): boolean =>
    resource.startsWith("/openapi") || resource === "namespaces";
  return (await asked()).filter((request) => isRead(request) && !isRegular(request));
}

test("a workflow that is made, and stays stopped, costs one write", async () => {
  await ground.apply("contacts");
  await ground.until("contacts", { state: "STOPPED" });
  expect(await written()).toEqual({ [status]: 1 });
});

test("a first start costs four writes, and one each for the volume claim and the network policy", async () => {
  await ground.patch("contacts", { state: "Running" });
  await ground.until("contacts", { state: "RUNNING" });
  expect(await written()).toEqual({
    "create configmaps": 1,
    "create deployments": 1,
    "create persistentvolumeclaims": 1,
    "create networkpolicies": 1,
    [status]: 2,
  });
});

test("an edit costs one write, and taking it back another", async () => {
  await ground.patch("contacts", { campaign: { engineCallsPerSecond: 25 } });
  await ground.until("contacts", { pendingRestart: true });
  expect(await written()).toEqual({ [status]: 1 });
  await ground.patch("contacts", { campaign: { engineCallsPerSecond: 20 } });
  await ground.until("contacts", { pendingRestart: false });
  expect(await written()).toEqual({ [status]: 1 });
});

test("a stop costs three writes", async () => {
  await ground.patch("contacts", { state: "Stopped" });
  await ground.until("contacts", { state: "STOPPED" });
  expect(await written()).toEqual({ "patch deployments": 1, [status]: 2 });
});

test("a later start costs three writes", async () => {
  await ground.patch("contacts", { state: "Running" });
  await ground.until("contacts", { state: "RUNNING" });
  expect(await written()).toEqual({ "patch deployments": 1, [status]: 2 });
});

test("a restart costs five writes, and one for the pin of what was edited", async () => {
  await ground.patch("contacts", { restart: "once" });
  await ground.until("contacts", { state: "RUNNING", handledRestart: "once" });
  expect(await written()).toEqual({ "patch deployments": 2, [status]: 3 });
  await ground.patch("contacts", { restart: "twice", campaign: { engineCallsPerSecond: 25 } });
  await ground.until("contacts", { state: "RUNNING", handledRestart: "twice" });
  expect(await written()).toEqual({ "create configmaps": 1, "patch deployments": 2, [status]: 3 });
});

test("what others write into objects of its, and what means nothing, causes no request at all", async () => {
  const { appliedRevision } = await ground.status("contacts");
  await asked();
  for (const object of [`configmap/${appliedRevision?.name}`, "iw/contacts", "deployment/contacts"]) {
    await ground.kubectl("annotate", object, "somebody=was-here");
  }
  expect((await asked()).filter(({ name }) => name?.startsWith("contacts"))).toEqual([]);
});

test("nothing is listed to look at a workflow: an edit reads nothing, and a stop and a start read what is theirs alone", async () => {
  await ground.apply("neighbour");
  await ground.patch("neighbour", { state: "Running" });
  await ground.until("neighbour", { state: "RUNNING" });
  await asked();

  await ground.patch("contacts", { campaign: { engineCallsPerSecond: 22 } });
  await ground.until("contacts", { pendingRestart: true });
  expect(await read()).toEqual([]);

  const own = {
    "get integrationworkflows": 1,
    "get deployments": 1,
    "list replicasets": 1,
    "list pods": 1,
  };
  for (const [state, told] of [
    ["Stopped", "STOPPED"],
    ["Running", "RUNNING"],
  ] as const) {
    await ground.patch("contacts", { state });
    await ground.until("contacts", { state: told });
    const reads = await read();
    expect(counted(reads)).toEqual(own);
    const isOwn = ({ name, labelSelector }: AuditedRequest): boolean =>
      name === "contacts" || labelSelector === "integrationworkflow.io/workflow=contacts";
    expect(reads.filter((request) => !isOwn(request))).toEqual([]);
  }
});
