/** Writes that the API server refuses: each is told in its words, tried again with patience, and done once it may be. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { AuditedPlane } from "./audited-plane.ts";
import { type Ground, patience } from "./ground.ts";

/** Each waits for leases, pauses and caches, beside the others. */
vi.setConfig({ testTimeout: 300_000 });

const users = ["start", "pin", "stop", "status", "pins", "quota-1", "quota-2", "quota-3", "webhook", "ending"] as const;
let plane: AuditedPlane;
beforeAll(async () => {
  plane = await AuditedPlane.start(...users);
});
afterAll(() => plane?.stop());

const words = "somebody in security wants a cost centre on it";

/** A policy that refuses what this user does. @returns what takes it away */
async function refuse(ground: Ground, user: string, rule: { resources: string[]; operations: string[] }) {
  const name = `refuse-${user}`;
  const apiGroups = ["", "apps", "integrationworkflow.io"];
  await ground.server.kubectl(["apply", "-f", "-"], {
    apiVersion: "v1",
    kind: "List",
    items: [
      {
        apiVersion: "admissionregistration.k8s.io/v1",
        kind: "ValidatingAdmissionPolicy",
        metadata: { name },
        spec: {
          failurePolicy: "Fail",
          matchConstraints: { resourceRules: [{ apiGroups, apiVersions: ["v1"], ...rule }] },
          matchConditions: [{ name: "user", expression: `request.userInfo.username == "${user}"` }],
          validations: [{ expression: "false", message: words }],
        },
      },
      {
        apiVersion: "admissionregistration.k8s.io/v1",
        kind: "ValidatingAdmissionPolicyBinding",
        metadata: { name },
        spec: {
          policyName: name,
          validationActions: ["Deny"],
          matchResources: { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": ground.namespace } } },
        },
      },
    ],
  });
  // A policy is in force a moment after it was made.
  const [resource = ""] = rule.resources;
  if (rule.operations.includes("CREATE")) {
    await vi.waitFor(async () => {
      const tried = ground.kubectl(
        "create",
        "--dry-run=server",
        `--as=${user}`,
        "--as-group=system:masters",
        ...probe(resource),
      );
      await expect(tried).rejects.toThrow(words);
    }, patience);
  }
  return async (): Promise<void> => {
    await ground.server.kubectl(["delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", name]);
  };
}

const probe = (resource: string): string[] =>
  resource === "deployments" ? ["deployment", "probe", "--image=x"] : ["configmap", "probe"];

const readyOf = async (ground: Ground, name: string) => ground.condition(name, "Ready");

/** Waits until it was refused so often. @returns each try */
async function triesOf(user: string, fits: Fits, count: number) {
  await vi.waitFor(() => expect(triedOf(user, fits).length).toBeGreaterThanOrEqual(count), patience);
  return triedOf(user, fits);
}

type Fits = (request: { verb: string; resource: string }) => boolean;

/** What it was refused so far. */
function triedOf(user: string, fits: Fits) {
  return plane.requestsOf(user).filter((request) => fits(request) && request.code >= 400);
}

function distancesMs(tries: readonly { atMs: number }[]): number[] {
  return tries.slice(1).map(({ atMs }, index) => atMs - (tries[index]?.atMs ?? 0));
}

describe.concurrent("a refusal", () => {
  test.each([
    ["start", "deployments"],
    ["pin", "configmaps"],
  ] as const)(
    "of a %s by an admission policy on %s is told with its words, and tried again every 10 s",
    async (user, resource) => {
      const ground = await plane.ground();
      const allow = await refuse(ground, user, { resources: [resource], operations: ["CREATE"] });
      const operator = await plane.operator(ground, user);
      await operator.said("operator started");
      await ground.apply("contacts", { state: "Running" });
      await ground.until("contacts", { state: "FAILED", failure: { reason: "Refused" } as never });
      expect((await ground.status("contacts")).failure?.message).toContain(words);
      const mark = plane.requests().length;
      const tries = await triesOf(user, (request) => request.verb === "create" && request.resource === resource, 3);
      for (const distance of distancesMs(tries)) expect(distance).toBeGreaterThan(9000);
      // One look at what is there, one write, and nothing told anew: nothing is news.
      expect(plane.requestsOf(user, mark).length).toBeLessThanOrEqual(8 * tries.length);
      expect(plane.writesOf(user, mark)).toEqual([]);
      await allow();
      await ground.until("contacts", { state: "RUNNING", appliedRevision: { run: 1 } as never });
    },
  );

  test("of a stop by an admission policy is told with its words while the run goes on", async () => {
    const ground = await plane.ground();
    const operator = await plane.operator(ground, "stop");
    await operator.said("operator started");
    await ground.apply("contacts", { state: "Running" });
    await ground.until("contacts", { state: "RUNNING" });
    const allow = await refuse(ground, "stop", { resources: ["deployments"], operations: ["CREATE", "UPDATE"] });
    await ground.patch("contacts", { state: "Stopped" });
    await vi.waitFor(async () => {
      const ready = await readyOf(ground, "contacts");
      expect(ready).toMatchObject({ status: "False", message: expect.stringContaining(words) });
    }, patience);
    expect((await ground.status("contacts")).state).toBe("RUNNING");
    const tries = await triesOf("stop", ({ verb, resource }) => verb === "patch" && resource === "deployments", 3);
    for (const distance of distancesMs(tries)) expect(distance).toBeGreaterThan(9000);
    await allow();
    await ground.until("contacts", { state: "STOPPED" });
  });

  test("of its status by an admission policy is told by an Event, keeps no run from starting, and is not hammered", async () => {
    const ground = await plane.ground();
    const allow = await refuse(ground, "status", {
      resources: ["integrationworkflows/status"],
      operations: ["UPDATE"],
    });
    const operator = await plane.operator(ground, "status");
    await operator.said("operator started");
    await ground.apply("contacts", { state: "Running" });
    await vi.waitFor(async () => expect((await ground.deployment("contacts")).status?.readyReplicas).toBe(1), patience);
    await vi.waitFor(async () => {
      const events = await ground.events("contacts", "Refused");
      expect(events).toEqual([expect.stringContaining(words)]);
    }, patience);
    const isStatus = ({ resource }: { resource: string }): boolean => resource === "integrationworkflows/status";
    await triesOf("status", isStatus, 11);
    // Each waits twice as long as the one before, less half of it at most; but what happens to the pod is looked at at once.
    await vi.waitFor(() => {
      const distances = distancesMs(triedOf("status", isStatus));
      expect(Math.min(...distances.slice(-2))).toBeGreaterThan(1000);
    }, patience);
    await allow();
    await ground.until("contacts", { state: "RUNNING", appliedRevision: { run: 1 } as never });
    expect(await ground.events("contacts", "Refused")).toHaveLength(1);
  });

  test("to remove an earlier revision keeps no status from being told", async () => {
    const ground = await plane.ground();
    const operator = await plane.operator(ground, "pins");
    await operator.said("operator started");
    await ground.apply("contacts", { state: "Running", revisionHistoryLimit: 1 });
    await ground.until("contacts", { state: "RUNNING" });
    await refuse(ground, "pins", { resources: ["configmaps"], operations: ["DELETE"] });
    for (const [index, engineCallsPerSecond] of [21, 22, 23].entries()) {
      const restart = `restart-${index}`;
      await ground.patch("contacts", { restart, campaign: { engineCallsPerSecond } });
      await ground.until("contacts", { state: "RUNNING", handledRestart: restart, pendingRestart: false });
    }
    await vi.waitFor(async () => {
      expect(await ground.events("contacts", "Refused")).toContainEqual(expect.stringContaining(words));
    }, patience);
    await ground.patch("contacts", { campaign: { engineCallsPerSecond: 24 } });
    await ground.until("contacts", { pendingRestart: true });
    const deletions = plane.requestsOf("pins").filter(({ verb }) => verb === "delete");
    // Each revision that is too many is tried once in a leadership, and left.
    expect(deletions.length).toBeLessThanOrEqual(3);
  });

  test.each([
    ["quota-1", "ConfigMaps", "count/configmaps", "1"],
    ["quota-2", "volume claims", "persistentvolumeclaims", "0"],
    ["quota-3", "Deployments", "count/deployments.apps", "0"],
  ] as const)("[%s] by a quota on %s is told, and over when there is room", async (user, _what, resource, limit) => {
    const ground = await plane.ground();
    await ground.kubectl("create", "quota", "tight", `--hard=${resource}=${limit}`);
    await vi.waitFor(async () => {
      // Full: with the ConfigMap that every namespace has, which a controller makes.
      const used = await ground.kubectl("get", "quota", "tight", "-o", "jsonpath={.status.used}");
      expect(JSON.parse(used || "{}")).toEqual({ [resource]: limit });
    }, patience);
    const operator = await plane.operator(ground, user);
    await operator.said("operator started");
    await ground.apply("contacts", { state: "Running" });
    await ground.until("contacts", { state: "FAILED", failure: { reason: "Refused" } as never });
    expect((await ground.status("contacts")).failure?.message).toContain("exceeded quota: tight");
    await ground.kubectl("delete", "quota", "tight");
    await ground.until("contacts", { state: "RUNNING", appliedRevision: { run: 1 } as never });
  });

  test("by a webhook that cannot be reached is told in the status, and over when it is gone", async () => {
    const ground = await plane.ground();
    await ground.server.kubectl(["apply", "-f", "-"], {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingWebhookConfiguration",
      metadata: { name: ground.namespace },
      webhooks: [
        {
          name: "away.example.com",
          clientConfig: { url: "https://127.0.0.1:1/check" },
          rules: [{ apiGroups: ["apps"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["deployments"] }],
          namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": ground.namespace } },
          admissionReviewVersions: ["v1"],
          sideEffects: "None",
          failurePolicy: "Fail",
          timeoutSeconds: 1,
        },
      ],
    });
    await vi.waitFor(async () => {
      const tried = ground.kubectl("create", "--dry-run=server", "deployment", "probe", "--image=x");
      await expect(tried).rejects.toThrow("failed calling webhook");
    }, patience);
    const operator = await plane.operator(ground, "webhook");
    await operator.said("operator started");
    await ground.apply("contacts", { state: "Running" });
    await ground.until("contacts", { state: "FAILED", failure: { reason: "Refused" } as never });
    expect((await ground.status("contacts")).failure?.message).toContain('failed calling webhook "away.example.com"');
    const tries = await triesOf("webhook", ({ verb, resource }) => verb === "create" && resource === "deployments", 3);
    for (const distance of distancesMs(tries)) expect(distance).toBeGreaterThan(9000);
    await ground.server.kubectl(["delete", "validatingwebhookconfiguration", ground.namespace]);
    await ground.until("contacts", { state: "RUNNING", appliedRevision: { run: 1 } as never });
  });

  test("in a namespace that is ending is told, and is no endless loop", async () => {
    const ground = await plane.ground();
    const operator = await plane.operator(ground, "ending");
    await operator.said("operator started");
    for (const name of ["running", "stopped"])
      await ground.apply(name, { state: name === "running" ? "Running" : "Stopped" });
    await ground.until("running", { state: "RUNNING" });
    await ground.until("stopped", { state: "STOPPED" });
    // Pods go first, and everything else waits for one that cannot end.
    ground.kubelet.behaviour.lastWords = "hangs";
    await ground.server.kubectl(["delete", "namespace", ground.namespace, "--wait=false"]);
    await vi.waitFor(async () => {
      expect((await ground.pods("running"))[0]?.metadata.deletionTimestamp).toBeDefined();
    }, patience);
    await ground.patch("stopped", { state: "Running" });
    await ground.until("stopped", { state: "FAILED", failure: { reason: "Refused" } as never });
    expect((await ground.status("stopped")).failure?.message).toContain("being terminated");
    const mark = plane.requests().length;
    const lines = operator.lines.length;
    const tries = await triesOf("ending", ({ verb }) => verb === "create", 3);
    const calls = plane.requestsOf("ending", mark).length;
    const said = operator.lines.length - lines;
    console.info(`in an ending namespace: ${tries.length} tries, ${calls} requests, ${said} log lines`);
    expect(calls).toBeLessThanOrEqual(10 * tries.length);
    expect(said).toBeLessThanOrEqual(5 * tries.length);

    ground.kubelet.behaviour.lastWords = undefined;
    ground.kubelet.touchAll();
    await vi.waitFor(async () => {
      const left = await ground.server.kubectl([
        "get",
        "namespace",
        ground.namespace,
        "--ignore-not-found",
        "-o",
        "name",
      ]);
      expect(left).toBe("");
    }, patience);
    const failures = operator.lines.filter(({ message }) => message === "work failed, trying again");
    expect(failures.length).toBeLessThan(5);
  });
});
