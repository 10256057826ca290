import fc from "fast-check";
import { expect, test } from "vitest";
import { effectiveSpec } from "../../../src/api/configuration.ts";
import { differences, namedLists, schemaLists } from "../../../src/api/difference.ts";
import { canonicalJson, sameJson } from "../../../src/api/json.ts";
import { isPermitted } from "../../../src/operator/decide/permissions.ts";
import { parseLastWords, parseWorkerStatus } from "../../../src/operator/health/last-words.ts";
import { pinNameFor } from "../../../src/operator/objects/pin.ts";
import { quantityValue } from "../../../src/operator/objects/quantity.ts";
import { deploymentOfRun, renderDeployment } from "../../../src/operator/objects/render.ts";
import { CounterBudget } from "../../../src/operator/shell/counter-budget.ts";
import { Memories } from "../../../src/operator/shell/memory.ts";
import { projectPod } from "../../../src/operator/shell/projections.ts";
import { isOfEarlier } from "../../../src/operator/sight/ownership.ts";
import { digestOf, pinNames } from "../../../src/operator/sight/pin-identity.ts";
import type { PinContent, PinSeen } from "../../../src/operator/sight/snapshot.ts";
import { pendingChanges } from "../../../src/operator/status/pending-changes.ts";
import { container, pod, policy, start, workflow, written } from "./scene.ts";

function content(changes: object = {}): PinContent {
  const configuration = {
    workflow: { name: "contacts", namespace: "crm", uid: "u" },
    spec: effectiveSpec(written(changes)),
  };
  return {
    configuration,
    deployment: renderDeployment({
      configuration,
      defaultWorkerImage: policy.defaultWorkerImage,
      claimName: "contacts-queue",
    }),
  };
}

const mapping = {
  table: "contact",
  resource: "profile",
  key: { column: "contactid", field: "externalId" },
  fields: [{ column: "firstname", field: "firstName" }],
};
const company = {
  table: "account",
  resource: "cusCompany",
  key: { column: "accountid", field: "crmId" },
  fields: [{ column: "name", field: "label" }],
};
const ingress = (...mappings: object[]) => ({ ingress: { mappings } });

test.each<[string, object, object, string[]]>([
  ["no edit", {}, {}, []],
  ["a default that is written out", {}, ingress({ ...mapping, picklistValues: "Label" }), []],
  ["state, restart and history limit", {}, { state: "Running", restart: "x", revisionHistoryLimit: 3 }, []],
  [
    "what happens to the volume when the workflow goes, which is in force at once",
    {},
    { queue: { volume: { whenDeleted: "Delete" } } },
    [],
  ],
  ["the order of mappings", ingress(mapping, company), ingress(company, mapping), []],
  [
    "a switch of a field",
    {},
    ingress({ ...mapping, fields: [{ column: "firstname", field: "firstName", applyUpdates: false }] }),
    ["ingress.mappings[table=contact].fields[field=firstName].applyUpdates: true → false"],
  ],
  [
    "a table more",
    {},
    ingress(mapping, company),
    [expect.stringMatching(/^ingress\.mappings\[table=account\]: undefined → \{"table":"account"/) as never],
  ],
  [
    "a table less",
    ingress(mapping, company),
    {},
    [expect.stringMatching(/^ingress\.mappings\[table=account\]: \{.* → undefined$/) as never],
  ],
  [
    "a filter",
    {},
    ingress({ ...mapping, filter: { conditions: [{ column: "statecode", operator: "Equals", value: "0" }] } }),
    [expect.stringContaining("ingress.mappings[table=contact].filter: undefined → ") as never],
  ],
  [
    "another Secret",
    {},
    { dynamics: { url: "https://contoso.crm.dynamics.com", credentialsSecretRef: { name: "other" } } },
    ["dynamics.credentialsSecretRef.name: dynamics → other"],
  ],
  ["an image of one's own", {}, { worker: { image: "mine:1" } }, ["worker.image: undefined → mine:1"]],
])("pending: %s", (_sentence, before, after, expected) => {
  const changes = pendingChanges(written(after), content(before), policy);
  expect(changes.map(({ path, from, to }) => `${path}: ${from} → ${to}`)).toEqual(expected);
  expect(changes.every(({ source }) => source === "Spec")).toBe(true);
});

test("two values differ exactly when a difference is found, and an edit taken back leaves none", () => {
  const json = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);
  fc.assert(
    fc.property(json, json, (one, other) => {
      expect(differences(one, structuredClone(one), schemaLists, undefined)).toEqual([]);
      expect(differences({ one }, { one: other }, schemaLists, undefined).length > 0).toBe(!sameJson(one, other));
      expect(canonicalJson(one) === canonicalJson(other)).toBe(sameJson(one, other));
    }),
  );
  expect(
    differences([{ name: "a", x: 1 }, { name: "b" }], [{ name: "b" }, { name: "a", x: 2 }], namedLists, undefined),
  ).toEqual([{ path: "[name=a].x", from: 1, to: 2 }]);
});

test("a pin's name is free of itself and of the run, and two contents never share one", () => {
  const one = content();
  const [name = "", second] = pinNames("contacts", digestOf(one));
  expect(name).toMatch(/^contacts-[0-9a-f]{8}$/);
  expect(JSON.stringify(one)).not.toContain(name);
  const held = (under: string, what: PinContent): PinSeen => ({
    metadata: { ...pod().metadata, name: under },
    content: what,
  });
  expect(pinNameFor(one, "contacts", [])).toBe(name);
  expect(pinNameFor(one, "contacts", [held(name, structuredClone(one))])).toBe(name);
  expect(
    pinNameFor(one, "contacts", [held(name, content({ worker: { replicas: 1, terminationGracePeriodSeconds: 9 } }))]),
  ).toBe(second);
});

test("the pods meet pod security restricted, mount Secrets whole and optional, and nothing by subPath", () => {
  const spec = deploymentOfRun(
    content({ caBundle: { configMapRef: { name: "ca" } } }).deployment,
    { run: 12, pin: "contacts-5f9c1d2e" },
    1,
  ).template.spec;
  expect(spec?.securityContext).toMatchObject({
    runAsNonRoot: true,
    runAsUser: 65_532,
    seccompProfile: { type: "RuntimeDefault" },
  });
  expect(spec).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false });
  const [worker] = spec?.containers ?? [];
  expect(worker).toMatchObject({
    args: ["worker"],
    terminationMessagePolicy: "FallbackToLogsOnError",
    env: [{ name: "INTEGRATION_WORKFLOW_RUN", value: "12" }],
  });
  expect(worker?.securityContext).toEqual({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    runAsNonRoot: true,
    capabilities: { drop: ["ALL"] },
  });
  expect(worker?.volumeMounts?.some(({ subPath }) => subPath !== undefined)).toBe(false);
  const secrets = spec?.volumes?.filter(({ secret }) => secret !== undefined) ?? [];
  expect(secrets.map(({ secret }) => [secret?.secretName, secret?.optional, secret?.items])).toEqual([
    ["dynamics", true, undefined],
    ["campaign", true, undefined],
  ]);
  const sources = spec?.volumes?.find(({ name }) => name === "configuration")?.projected?.sources;
  expect(sources?.map(({ configMap }) => configMap?.name)).toEqual(["contacts-5f9c1d2e", "ca"]);
});

test.each([
  ["1Gi", 2 ** 30],
  ["1024Mi", 2 ** 30],
  ["1.5G", 1.5e9],
  ["500m", 0.5],
  ["1e3", 1000],
  ["none", undefined],
])("the quantity %s is %s", (text, value) => expect(quantityValue(text)).toBe(value));

test("permitted is what is named, or begins as a pattern does", () => {
  expect(isPermitted("a/b:1", ["a/b:1"])).toBe(true);
  expect(isPermitted("a/b:12", ["a/b:1"])).toBe(false);
  expect(isPermitted("a/b:12", ["x", "a/b:*"])).toBe(true);
  expect(isPermitted("evil/a/b:1", ["a/*"])).toBe(false);
});

test("counters of one workflow go out every 10 s, of all together 20 a second, first come first served", () => {
  const budget = new CounterBudget({ perWorkflowMs: 10_000, perSecond: 20 });
  expect(budget.waitMs("a", 0)).toBe(0);
  budget.noteWrite("a", 0);
  expect(budget.waitMs("a", 1000)).toBe(9000);
  expect(budget.waitMs("a", 10_000)).toBe(0);
  const many = new CounterBudget({ perWorkflowMs: 10_000, perSecond: 20 });
  const waits = Array.from({ length: 100 }, (_, index) => many.waitMs(`w${index}`, 0));
  expect(waits.filter((wait) => wait < 1000)).toHaveLength(20);
  expect(Math.max(...waits)).toBeLessThanOrEqual(5000);
  expect(many.waitMs("w99", 4000)).toBe((waits[99] ?? 0) - 4000);
});

test("new words of a condition wait until 5 s after what was last told of the workflow", () => {
  const budget = new CounterBudget({ perWorkflowMs: 10_000, perSecond: 20 });
  expect(budget.wordsWaitMs("a", 0)).toBe(0);
  budget.noteWrite("a", 0);
  expect(budget.wordsWaitMs("a", 1000)).toBe(4000);
  expect(budget.wordsWaitMs("b", 1000)).toBe(0);
  expect(budget.wordsWaitMs("a", 5000)).toBe(0);
  // And all together are held to the same rate as counters.
  const waits = Array.from({ length: 100 }, (_, index) => budget.wordsWaitMs(`w${index}`, 6000));
  expect(waits.filter((wait) => wait < 1000)).toHaveLength(20);
});

test("what a worker says is taken only as the contract has it", () => {
  const reading = { read: 5, estimatedTotal: 9 };
  const contact = { name: "contact", backlog: 1, reading: { ...reading, unknown: "y" }, unknown: "x" };
  const good = { backlog: 1, mappings: [contact], schemaDrift: [] };
  expect(parseWorkerStatus(JSON.stringify(good))?.mappings).toEqual([{ name: "contact", backlog: 1, reading }]);
  for (const bad of [
    { ...good, backlog: "1" },
    { ...good, backlog: 1.5 },
    { ...good, lastSyncTime: "yesterday" },
    { ...good, mappings: [{ name: "contact", recordsPerSecond: 0.5 }] },
    { ...good, mappings: [{ name: "contact", reading: {} }] },
    [],
    null,
  ]) {
    expect(parseWorkerStatus(JSON.stringify(bad))).toBeUndefined();
  }
  const long = { name: "contact", phase: "Paused", reason: "no reason!", message: "m".repeat(2000) };
  expect(parseWorkerStatus(JSON.stringify({ ...good, mappings: [long] }))?.mappings).toEqual([
    { ...long, reason: "Unknown", message: `${"m".repeat(1023)}…` },
  ]);
  expect(parseLastWords(JSON.stringify({ reason: "no reason!", message: "m" }))).toEqual({
    reason: "Unknown",
    message: "m",
  });
  expect(parseLastWords("Segmentation fault")).toBeUndefined();
});

test("last words count of a pod that is over, the latest of a run, and silence after them undoes them", () => {
  const memories = new Memories();
  const said = (exitCode: number, message: string, finishedAtMs: number) => ({
    exitCode,
    reason: "Completed",
    message,
    finishedAtMs,
  });
  const words = JSON.stringify({ reason: "Stopped", message: "", backlog: 3 });
  const hear = (ended: ReturnType<typeof said>, more: object = {}) =>
    memories.hear("crm/contacts", pod({ phase: "Succeeded", worker: container({ running: false, ended }), ...more }));
  hear(said(0, words, start), { phase: "Running" });
  expect(memories.of("crm/contacts").memory.lastWords).toBeUndefined();
  hear(said(0, words, start));
  expect(memories.of("crm/contacts").memory.lastWords).toMatchObject({ graceful: true, words: { backlog: 3 } });
  hear(said(137, "", start - 1));
  expect(memories.of("crm/contacts").memory.lastWords?.graceful).toBe(true);
  hear(said(137, "", start + 1));
  expect(memories.of("crm/contacts").memory.lastWords?.graceful).toBe(false);
});

test("what is remembered of a resource is forgotten when another has its name", () => {
  const memories = new Memories();
  const poll = { run: 1, atMs: start, status: { backlog: 3, mappings: [], schemaDrift: [] } };
  memories.notePoll("crm/contacts", poll);
  memories.meet("crm/contacts", "one");
  memories.meet("crm/contacts", "one");
  expect(memories.of("crm/contacts").memory.poll).toBe(poll);
  memories.meet("crm/contacts", "another");
  expect(memories.of("crm/contacts").memory).toEqual({});
});

test("a pod that is older than the workflow is an earlier one's", () => {
  const made = (creationTimestamp: string) => ({ ...pod().metadata, creationTimestamp });
  const { creationTimestamp } = workflow().metadata;
  expect(isOfEarlier(made("2026-11-21T08:59:59Z"), workflow())).toBe(true);
  expect(isOfEarlier(made(creationTimestamp), workflow())).toBe(false);
});

test("of a pod, the worker's container counts, and not a sidecar that somebody injected", () => {
  const time = "2026-11-21T10:00:00Z";
  const status = (name: string, exitCode: number) => ({
    name,
    image: "",
    imageID: "",
    ready: false,
    restartCount: 2,
    state: { waiting: { reason: "CrashLoopBackOff" } },
    lastState: { terminated: { exitCode, finishedAt: time, message: "m" } },
  });
  const seen = projectPod({
    metadata: {
      name: "p",
      namespace: "crm",
      uid: "u",
      resourceVersion: "1",
      labels: { "integrationworkflow.io/run": "7" },
    },
    status: {
      phase: "Running",
      containerStatuses: [status("sidecar", 1), status("worker", 78)],
      conditions: [{ type: "Ready", status: "True", lastTransitionTime: time }],
    },
  });
  expect(seen).toMatchObject({
    run: 7,
    readySinceMs: start,
    worker: { restarts: 2, running: false, ended: { exitCode: 78, finishedAtMs: start } },
  });
});
