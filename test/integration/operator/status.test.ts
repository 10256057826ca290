/** What an SRE sees by kubectl of workflows that the operator runs. */
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { plainSpec } from "../../unit/operator/scene.ts";
import { Ground, patience } from "./ground.ts";

// Each waits several times, for as long as a busy machine may need.
vi.setConfig({ testTimeout: 300_000 });

let ground: Ground;

/** They share an application user, and do not promise more of it than there is. */
const share = { dynamics: { ...plainSpec.dynamics, share: 10 } };

beforeAll(async () => {
  ground = await Ground.make(inject("kubeconfig"));
  await ground.operator();
});
afterAll(() => ground?.end());

interface EventSeen {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly series?: { readonly count: number };
}

/** The operator's Events of a workflow: type, reason and how often. */
async function eventsOf(name: string): Promise<string[]> {
  const selector = `involvedObject.name=${name},involvedObject.kind=IntegrationWorkflow`;
  const output = await ground.kubectl("get", "events", "--field-selector", selector, "-o", "json");
  const { items } = JSON.parse(output) as { items: EventSeen[] };
  return items.map(({ type, reason, series }) => `${type} ${reason} ${series?.count ?? 1}`).sort();
}

/** Without the ages, the names of revisions, and the blanks that they make the columns wide by. */
async function table(...args: string[]): Promise<string[]> {
  const lines = (await ground.kubectl("get", "iw", ...args)).trimEnd().split("\n");
  return lines.map((line) =>
    line
      // Of two and more minutes sharp it says no seconds.
      .replaceAll(/\b(\d+m)?\d+s\b|\b\d+m\b/g, "AGE")
      .replaceAll(/-[0-9a-f]{8,}\b/g, "-HASH")
      .replaceAll(/ {2,}/g, "  ")
      .trimEnd(),
  );
}

test("every transition has its Event, once, and a life without a failure has no other", async () => {
  await ground.apply("contacts", share);
  await ground.until("contacts", { state: "STOPPED" });
  await ground.patch("contacts", { state: "Running" });
  await ground.until("contacts", { state: "RUNNING" });
  await ground.patch("contacts", { restart: "once" });
  await ground.until("contacts", { state: "RUNNING", handledRestart: "once" });
  await ground.patch("contacts", { state: "Stopped" });
  await ground.until("contacts", { state: "STOPPED" });
  await vi.waitFor(async () => {
    expect(await eventsOf("contacts")).toEqual([
      // They name the run.
      "Normal Started 1",
      "Normal Started 1",
      // When it was made, and at the end.
      "Normal Stopped 2",
      // For the restart, and for good: they say which.
      "Normal Stopping 1",
      "Normal Stopping 1",
      "Normal WorkerReady 2",
    ]);
  }, patience);
});

describe("what is refused", () => {
  const refusing = (name: string) => ({
    policy: {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingAdmissionPolicy",
      metadata: { name },
      spec: {
        failurePolicy: "Fail",
        matchConstraints: {
          resourceRules: [
            { apiGroups: ["apps"], apiVersions: ["v1"], operations: ["UPDATE"], resources: ["deployments"] },
          ],
        },
        validations: [{ expression: "object.spec.replicas > 0", message: "nobody stops anything on a Friday" }],
      },
    },
    binding: {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingAdmissionPolicyBinding",
      metadata: { name },
      spec: {
        policyName: name,
        validationActions: ["Deny"],
        matchResources: { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": ground.namespace } } },
      },
    },
  });

  test("a stop that an admission policy refuses is told in status and by one Event, and is done when the policy is gone", async () => {
    await ground.apply("stays", { ...share, state: "Running" });
    await ground.until("stays", { state: "RUNNING" });
    const name = `no-stop-${ground.namespace}`;
    const { policy, binding } = refusing(name);
    await ground.server.kubectl(["apply", "-f", "-"], policy);
    await ground.server.kubectl(["apply", "-f", "-"], binding);
    // A policy takes force a moment after it is there.
    const stop = ["deployment/stays", "--patch", JSON.stringify({ spec: { replicas: 0 } }), "--dry-run=server"];
    await vi.waitFor(() => expect(ground.kubectl("patch", ...stop)).rejects.toThrow("on a Friday"), patience);

    await ground.patch("stays", { state: "Stopped" });
    await vi.waitFor(async () => {
      expect(await ground.condition("stays", "Ready")).toMatchObject({
        status: "False",
        reason: "Stopping",
        message: expect.stringMatching(/refused Deployment stays.*on a Friday/),
      });
    }, patience);
    expect(await ground.status("stays")).toMatchObject({ state: "RUNNING", observedGeneration: 2 });
    await vi.waitFor(async () => expect(await eventsOf("stays")).toContain("Warning Refused 1"), patience);

    await ground.server.kubectl(["delete", "validatingadmissionpolicybinding", name]);
    await ground.server.kubectl(["delete", "validatingadmissionpolicy", name]);
    await ground.until("stays", { state: "STOPPED" });
    expect((await eventsOf("stays")).filter((event) => event.includes("Refused"))).toEqual(["Warning Refused 1"]);
  });

  test("a start that is refused for another reason than before has an Event of its own", async () => {
    await ground.apply("pictures", {
      ...share,
      state: "Running",
      worker: { image: "registry.example/not-permitted:1" },
    });
    await ground.until("pictures", { state: "FAILED" });
    const template = { template: { serviceAccountName: "not-permitted" } };
    await ground.patch("pictures", { worker: { image: null, ...template } });
    await vi.waitFor(async () => {
      expect((await ground.status("pictures")).failure?.reason).toBe("ServiceAccountNotPermitted");
      expect(await eventsOf("pictures")).toEqual([
        "Warning ImageNotPermitted 1",
        "Warning ServiceAccountNotPermitted 1",
      ]);
    }, patience);
  });
});

test("kubectl get answers at a glance, -o wide says why, and field selectors find what FAILED", async () => {
  await ground.apply("events", { ...share, state: "Running" });
  await ground.until("events", { state: "RUNNING" });
  await ground.patch("events", { campaign: { engineCallsPerSecond: 25 } });
  await ground.until("events", { pendingRestart: true });
  await ground.until("pictures", { state: "FAILED" });
  const images = ["contacts", "events", "pictures"];
  expect(await table(...images)).toEqual([
    "NAME  TYPE  STATE  BACKLOG  RESTART  AGE",
    "contacts  Ingress  STOPPED  false  AGE",
    "events  Ingress  RUNNING  true  AGE",
    "pictures  Ingress  FAILED  false  AGE",
  ]);
  expect(await table(...images, "-o", "wide")).toEqual([
    "NAME  TYPE  STATE  BACKLOG  RESTART  AGE  REASON  PAUSED  THROTTLED  REVISION  LAST SYNC",
    "contacts  Ingress  STOPPED  false  AGE  Stopped  contacts-HASH",
    "events  Ingress  RUNNING  true  AGE  Running  events-HASH",
    "pictures  Ingress  FAILED  false  AGE  ServiceAccountNotPermitted",
  ]);
  const found = async (selector: string): Promise<string[]> => {
    const out = await ground.kubectl("get", "iw", "--field-selector", selector, "-o", "name");
    return out
      .trim()
      .split("\n")
      .map((line) => line.split("/").at(-1) ?? "");
  };
  expect(await found("status.state=FAILED")).toEqual(["pictures"]);
  expect(await found("status.state=RUNNING,spec.type=Ingress")).toContain("events");
  // Those that run with what was asked for differently.
  expect(await ground.kubectl("describe", "iw", "events")).toMatch(/Pending Changes:\n\s+From:\s+20\n/);
});

test("works in a namespace with quotas for everything, under the strictest pod security", async () => {
  const hard = { pods: "10", "requests.cpu": "2", "requests.memory": "4Gi", "limits.memory": "8Gi" };
  const more = {
    persistentvolumeclaims: "10",
    "requests.storage": "20Gi",
    configmaps: "50",
    "count/deployments.apps": "20",
  };
  const quota = {
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: { name: "everything" },
    spec: { hard: { ...hard, ...more } },
  };
  await ground.kubectl(
    "label",
    "namespace",
    ground.namespace,
    "pod-security.kubernetes.io/audit=restricted",
    "--overwrite",
  );
  await ground.server.kubectl(["-n", ground.namespace, "apply", "-f", "-"], quota);
  const counted = "jsonpath={.status.used.pods}";
  await vi.waitFor(async () => {
    expect(await ground.kubectl("get", "resourcequota", "everything", "-o", counted)).not.toBe("");
  }, patience);
  await ground.apply("within", { ...share, state: "Running" });
  await ground.until("within", { state: "RUNNING" });
  await ground.patch("within", { restart: "once" });
  await ground.until("within", { state: "RUNNING", handledRestart: "once" });
  await ground.patch("within", { state: "Stopped" });
  await ground.until("within", { state: "STOPPED" });
});
