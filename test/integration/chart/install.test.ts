import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { controlPlaneBinaries } from "../../../cluster/binaries.ts";
import { type ControlPlane, startControlPlane } from "../../../cluster/control-plane.ts";
import { type ApiServer, apiServer } from "../api/api-server.ts";
import { manifest } from "../api/manifests.ts";
import { chartFolder, type Helm, type Rendered, startHelm } from "./helm.ts";

/** A control plane of its own: the release owns the CRD, which other tests apply by kubectl. */
let own: ControlPlane;
let server: ApiServer;
let helm: Helm;

const everywhere = "iw-system";
const somewhere = "iw-namespaced";
const release = "integration-workflow-operator";
const restricted = { "pod-security.kubernetes.io/enforce": "restricted" };

beforeAll(async () => {
  own = await startControlPlane({ binaries: await controlPlaneBinaries(process.env, console.error) });
  server = await apiServer(own.kubeconfigPath);
  helm = await startHelm(own.kubeconfigPath);
  for (const name of [everywhere, somewhere, "crm", "sales", "elsewhere"]) {
    await server.request("POST", "/api/v1/namespaces", { metadata: { name, labels: restricted } });
  }
  await helm.run(
    ...["install", release, chartFolder, "--namespace", everywhere],
    ...["--set", "sandbox.enabled=true,networkPolicy.enabled=true"],
  );
  await helm.run(
    ...["install", "crm-only", chartFolder, "--namespace", somewhere, "--set", "watchNamespaces={crm,sales}"],
    ...["--set", "crds.enabled=false,rbac.aggregateToDefaultRoles=false,operator.workerPoll=proxy"],
  );
});
afterAll(async () => {
  helm?.remove();
  await server?.close();
  await own?.stop();
});

interface Right {
  readonly verb: string;
  readonly resource: string;
  readonly group?: string;
  readonly subresource?: string;
  readonly name?: string;
  readonly namespace?: string;
}

async function may(user: string, { namespace, ...right }: Right): Promise<boolean> {
  const resourceAttributes = { ...right, ...(namespace === undefined ? {} : { namespace }) };
  const groups = user.startsWith("system:serviceaccount:") ? ["system:serviceaccounts", "system:authenticated"] : [];
  const { body } = await server.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SubjectAccessReview",
    spec: { user, groups, resourceAttributes },
  });
  return body.status?.["allowed"] === true;
}

/** `verb resource.group/subresource`, as in `patch integrationworkflows.integrationworkflow.io/status`. */
function right(text: string, namespace?: string): Right {
  const [verb = "", what = ""] = text.split(" ");
  const [path = "", subresource] = what.split("/");
  const [resource = "", ...group] = path.split(".");
  return {
    verb,
    resource,
    group: group.join("."),
    ...(subresource === undefined ? {} : { subresource }),
    ...(namespace === undefined ? {} : { namespace }),
  };
}

const clusterWide = `system:serviceaccount:${everywhere}:${release}`;
const namespaced = `system:serviceaccount:${somewhere}:crm-only-${release}`;

const needed = [
  ...["list", "watch"].flatMap((verb) => [
    `${verb} integrationworkflows.integrationworkflow.io`,
    `${verb} replicasets.apps`,
    `${verb} pods`,
  ]),
  ...["get", "list", "watch"].flatMap((verb) => [
    `${verb} deployments.apps`,
    `${verb} configmaps`,
    `${verb} persistentvolumeclaims`,
    `${verb} networkpolicies.networking.k8s.io`,
  ]),
  "patch integrationworkflows.integrationworkflow.io/status",
  "create deployments.apps",
  "update deployments.apps",
  "create configmaps",
  "delete configmaps",
  "create persistentvolumeclaims",
  "patch persistentvolumeclaims",
  "create networkpolicies.networking.k8s.io",
  "patch networkpolicies.networking.k8s.io",
  "create events.events.k8s.io",
  "patch events.events.k8s.io",
];

const forbidden = [
  ...["get", "list", "watch", "create", "update", "patch", "delete"].map((verb) => `${verb} secrets`),
  "create integrationworkflows.integrationworkflow.io",
  "update integrationworkflows.integrationworkflow.io",
  "patch integrationworkflows.integrationworkflow.io",
  "delete integrationworkflows.integrationworkflow.io",
  "update integrationworkflows.integrationworkflow.io/status",
  "create pods",
  "delete pods",
  "create pods/exec",
  "get pods/log",
  "create pods/ephemeralcontainers",
  "create serviceaccounts",
  "create serviceaccounts/token",
  "delete deployments.apps",
  "patch deployments.apps",
  "update configmaps",
  "patch configmaps",
  "delete persistentvolumeclaims",
  "delete networkpolicies.networking.k8s.io",
  "get nodes",
  "list namespaces",
  "create rolebindings.rbac.authorization.k8s.io",
  "escalate roles.rbac.authorization.k8s.io",
  "get customresourcedefinitions.apiextensions.k8s.io",
  "impersonate users",
];

describe("the operator's account", () => {
  test.each(needed)("may %s in any namespace", async (text) => {
    expect(await may(clusterWide, right(text, "elsewhere"))).toBe(true);
    expect(await may(clusterWide, right(text))).toBe(true);
  });

  test.each(forbidden)("may not %s anywhere", async (text) => {
    for (const user of [clusterWide, namespaced]) {
      for (const namespace of [undefined, "crm", everywhere, somewhere, "kube-system"]) {
        expect(await may(user, right(text, namespace)), namespace ?? "the cluster").toBe(false);
      }
    }
  });

  test.each(needed)("of a release for two namespaces may %s there alone", async (text) => {
    expect(await may(namespaced, right(text, "crm"))).toBe(true);
    expect(await may(namespaced, right(text, "sales"))).toBe(true);
    for (const namespace of [undefined, "elsewhere", somewhere, "kube-system"]) {
      expect(await may(namespaced, right(text, namespace)), namespace ?? "the cluster").toBe(false);
    }
  });

  test("may reach pods through the API server only when workers are polled so", async () => {
    expect(await may(namespaced, right("get pods/proxy", "crm"))).toBe(true);
    expect(await may(namespaced, right("create pods/proxy", "crm"))).toBe(false);
    expect(await may(clusterWide, right("get pods/proxy", "crm"))).toBe(false);
  });

  test("holds the one lease in its own namespace, and touches no other", async () => {
    const lease = (verb: string, namespace: string): Right => right(`${verb} leases.coordination.k8s.io`, namespace);
    expect(await may(clusterWide, lease("create", everywhere))).toBe(true);
    expect(await may(clusterWide, { ...lease("update", everywhere), name: release })).toBe(true);
    expect(await may(clusterWide, { ...lease("update", everywhere), name: "another" })).toBe(false);
    expect(await may(clusterWide, { ...lease("update", "kube-system"), name: release })).toBe(false);
    expect(await may(clusterWide, lease("delete", everywhere))).toBe(false);
  });
});

describe("people with the cluster's own roles", () => {
  const verbs = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];
  test.each([
    ["view", 3],
    ["edit", 7],
    ["admin", 8],
  ])("%s", async (role, count) => {
    await server.request("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/crm/rolebindings", {
      metadata: { name: `test-${role}` },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: `a-${role}` }],
    });
    const allowed = async (): Promise<string[]> => {
      const rights = await Promise.all(
        verbs.map((verb) => may(`a-${role}`, right(`${verb} integrationworkflows.integrationworkflow.io`, "crm"))),
      );
      return verbs.filter((_, index) => rights[index]);
    };
    // A controller adds the rules to the roles.
    await expect.poll(allowed, { timeout: 20_000 }).toEqual(verbs.slice(0, count));
    const write = right("patch integrationworkflows.integrationworkflow.io/status", "crm");
    expect(await may(`a-${role}`, write)).toBe(false);
  });
});

describe("what is installed", () => {
  interface Deployment {
    readonly metadata: { readonly name: string };
    readonly spec: { readonly template: { readonly metadata: object; readonly spec: object } };
  }

  test("passes pod security `restricted` without a warning", async () => {
    const { body } = await server.request("GET", `/apis/apps/v1/namespaces/${everywhere}/deployments`);
    const deployments = (body as unknown as { items: Deployment[] }).items;
    expect(deployments.map(({ metadata }) => metadata.name).sort()).toEqual(
      [release, "integration-workflow-sandbox"].sort(),
    );
    for (const { metadata, spec } of deployments) {
      const pod = { metadata: { ...spec.template.metadata, name: metadata.name }, spec: spec.template.spec };
      const tried = await server.request("POST", `/api/v1/namespaces/${everywhere}/pods?dryRun=All`, pod);
      expect(tried.body.message).toBeUndefined();
      expect(tried.status).toBe(201);
    }
  });

  test("takes workflows, and tells the next step", async () => {
    await expect
      .poll(
        async () => {
          const path = "/apis/integrationworkflow.io/v1/namespaces/crm/integrationworkflows";
          return (await server.request("POST", path, manifest("Ingress"))).body.message;
        },
        { timeout: 20_000 },
      )
      .toBe(undefined);
    const notes = await helm.run("get", "notes", release, "--namespace", everywhere);
    expect(notes).toContain(`rollout status deployment/${release}`);
    expect(notes).toContain("http://integration-workflow-sandbox.iw-system.svc:8081");
    expect(notes).toContain(`kubectl patch iw NAME --type merge --patch '{"spec":{"state":"Running"}}'`);
  });

  test("is upgraded without a change when nothing has changed", async () => {
    const generation = async (): Promise<unknown> => {
      const { body } = await server.request("GET", `/apis/apps/v1/namespaces/${everywhere}/deployments/${release}`);
      return body.metadata["generation"];
    };
    const before = await generation();
    await helm.run("upgrade", release, chartFolder, "--namespace", everywhere, "--reuse-values");
    expect(await generation()).toBe(before);
  });

  test("leaves the CRD and the workflows there when it goes, and takes them over when it comes back", async () => {
    await helm.run("uninstall", release, "--namespace", everywhere);
    const path = "/apis/integrationworkflow.io/v1/namespaces/crm/integrationworkflows/contacts";
    expect((await server.request("GET", path)).status).toBe(200);
    await helm.run("install", release, chartFolder, "--namespace", everywhere);
    expect((await server.request("GET", path)).status).toBe(200);
  });

  test("takes over a CRD that kubectl applied when it is told to", async () => {
    await helm.run("uninstall", release, "--namespace", everywhere);
    await server.kubectl(["delete", "-f", "crds/"]);
    await server.kubectl(["apply", "-f", "crds/"]);
    const install = ["install", release, chartFolder, "--namespace", everywhere];
    await expect(helm.run(...install)).rejects.toThrow(/ownership|cannot be imported/);
    await helm.run(...install, "--take-ownership");
    const crd = await server.kubectl(["get", "-f", "crds/", "-o", "json"]);
    expect((JSON.parse(crd) as Rendered).metadata.labels).toMatchObject({ "app.kubernetes.io/managed-by": "Helm" });
  });
});
