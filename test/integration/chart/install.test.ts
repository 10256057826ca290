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

describe("what is installed", () => {
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
