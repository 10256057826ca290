/** Every pod that the chart, the operator and the page make, before the API server's own pod security, and beyond what it asks. */
import type { V1PodSpec } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { makeProbe } from "../../../src/console/metadata/probe.ts";
import { workflowsPath } from "../api/api-server.ts";
import { manifest, smallest } from "../api/manifests.ts";
import { Ground, patience } from "../operator/ground.ts";
import { type Helm, startHelm } from "./helm.ts";

interface Template {
  readonly metadata?: object;
  readonly spec: V1PodSpec;
}

let ground: Ground;
let helm: Helm;

beforeAll(async () => {
  ground = await Ground.make(inject("kubeconfig"));
  helm = await startHelm(inject("kubeconfig"));
  await ground.operator("--allowed-service-accounts=worker");
  await ground.kubectl("create", "serviceaccount", "worker");
});
afterAll(async () => {
  helm?.remove();
  await ground?.end();
});

/** What is wrong with a pod; empty: nothing. `ownToken`: it is one that asks the API server. */
function faults({ spec }: Template, ownToken = false): string[] {
  const { securityContext, volumes = [], containers } = spec;
  const found: Record<string, boolean> = {
    // Said either way: what a service account says of it may change.
    "a token is mounted, or missing": spec.automountServiceAccountToken !== ownToken,
    "names of all Services are handed in": spec.enableServiceLinks !== false,
    "a namespace of the host": Boolean(spec.hostNetwork || spec.hostPID || spec.hostIPC),
    "may be root": securityContext?.runAsNonRoot !== true || !((securityContext.runAsUser ?? 0) > 0),
    "no seccomp profile": securityContext?.seccompProfile?.type !== "RuntimeDefault",
    "a volume of the host, or one without a bound": volumes.some(
      ({ configMap, secret, projected, persistentVolumeClaim, emptyDir }) =>
        (configMap ?? secret ?? projected ?? persistentVolumeClaim ?? emptyDir?.sizeLimit) === undefined,
    ),
  };
  for (const { name, securityContext: own, resources, volumeMounts = [] } of containers) {
    Object.assign(found, {
      [`${name}: may gain rights`]: own?.allowPrivilegeEscalation !== false || own.privileged === true,
      [`${name}: may write its file system`]: own?.readOnlyRootFilesystem !== true,
      [`${name}: has capabilities`]: own?.capabilities?.drop?.join() !== "ALL" || own.capabilities.add !== undefined,
      [`${name}: asks for no processor or memory`]: !(resources?.requests?.["cpu"] && resources.requests["memory"]),
      [`${name}: has no bound of memory`]: resources?.limits?.["memory"] === undefined,
      // A file mounted alone is never renewed.
      [`${name}: mounts by subPath`]: volumeMounts.some(({ subPath }) => subPath !== undefined),
    });
  }
  return Object.keys(found).filter((fault) => found[fault]);
}

/** What the API server says of a pod of this template, in a namespace that enforces `restricted`. */
async function admitted(name: string, template: Template): Promise<string | undefined> {
  const pod = { metadata: { ...template.metadata, name }, spec: { ...template.spec, serviceAccountName: "default" } };
  const path = `/api/v1/namespaces/${ground.namespace}/pods?dryRun=All`;
  const { status, body } = await ground.server.request("POST", path, pod);
  return status === 201 ? undefined : body.message;
}

test("pod security is enforced here: a pod without a security context is refused", async () => {
  const bare = { spec: { containers: [{ name: "bare", image: "bare" }] } };
  expect(await admitted("bare", bare)).toContain('violates PodSecurity "restricted');
  expect(faults(bare).length).toBeGreaterThan(5);
});

describe("the chart", () => {
  const page = ["console.enabled=true", "console.publicUrl=https://page.example.com"];
  const issuer = [
    ...["console.signIn=oidc", "console.oidc.issuer=https://login.example.com", "console.oidc.clientId=workflows"],
    ...["console.oidc.clientSecret=client", "console.oidc.caConfigMap=ca", "console.sessionKeySecret=session"],
  ];
  test.each([
    ["as it is", [], 1],
    ["with page and sandbox", [...page, "sandbox.enabled=true"], 3],
    ["with a page that signs in at an issuer, in named namespaces", [...page, ...issuer, "watchNamespaces={crm}"], 2],
  ])("%s: its pods pass", async (_, values, count) => {
    const deployments = (await helm.render(...values)).filter(({ kind }) => kind === "Deployment");
    expect(deployments).toHaveLength(count);
    for (const { metadata, spec } of deployments) {
      // Every Deployment has a template.
      const { template } = spec as unknown as { template: Template };
      const isOperator = !/-(console|sandbox)$/.test(metadata.name);
      expect([metadata.name, faults(template, isOperator)]).toEqual([metadata.name, []]);
      expect(await admitted(metadata.name, template)).toBeUndefined();
    }
  });
});

test("the operator: each type's workers pass, with a database, a CA and a template of people's as without", async () => {
  const state = { "spec.state": "Running", "spec.restart": undefined };
  const made = [
    smallest("Ingress", "ingress"),
    manifest("Egress", state, "egress"),
    manifest("OptInOut", state, "opt-in-out"),
    // Its image and priority class are none of this cluster's, and its spreading is not whole.
    manifest(
      "Ingress",
      {
        ...state,
        "spec.worker.image": undefined,
        "spec.worker.template.priorityClassName": undefined,
        "spec.worker.template.topologySpreadConstraints": undefined,
      },
      "all",
    ),
  ];
  for (const each of made) {
    const spec = {
      ...each.spec,
      state: "Running",
      queue: each.metadata.name === "all" ? undefined : each.spec["queue"],
    };
    const path = workflowsPath(ground.namespace);
    const { status, body } = await ground.server.request("POST", path, { ...each, spec });
    expect(status, body.message).toBe(201);
  }
  for (const { metadata } of made) {
    const { name } = metadata;
    await expect
      .poll(async () => (await ground.deployment(name).catch(() => undefined))?.metadata.name, patience)
      .toBe(name);
    const { template } = (await ground.deployment(name)).spec as unknown as { template: Template };
    // Whoever says resources says them all.
    const said = name === "all" ? ["worker: asks for no processor or memory"] : [];
    expect([name, faults(template)]).toEqual([name, said]);
    expect(await admitted(name, template)).toBeUndefined();
    // Not only dry: the controllers have made it where `restricted` is enforced.
    await expect.poll(async () => (await ground.pods(name)).length, patience).toBeGreaterThan(0);
  }
});

test("the page: the pod that asks both systems for a form passes", async () => {
  const { namespace } = ground;
  const said = { ...smallest("Ingress").spec, caBundle: { configMapRef: { name: "ca" } } };
  const name = await makeProbe(ground.client, { namespace, name: "contacts", said, image: "example.com/worker:1" });
  const job = JSON.parse(await ground.kubectl("get", "job", name, "-o", "json")) as {
    readonly spec: { readonly template: Template };
  };
  expect(faults(job.spec.template)).toEqual([]);
  const pods = () => ground.kubectl("get", "pods", "-l", `batch.kubernetes.io/job-name=${name}`, "-o", "name");
  await expect.poll(pods, patience).toContain("pod/");
});
