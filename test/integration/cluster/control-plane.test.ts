import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { controlPlaneBinaries } from "../../../cluster/binaries.ts";
import { type ControlPlane, startControlPlane } from "../../../cluster/control-plane.ts";

function coreApi(kubeconfigPath: string): CoreV1Api {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfigPath);
  return config.makeApiClient(CoreV1Api);
}

test("the shared control plane answers as system:masters and runs its controllers", async () => {
  const core = coreApi(inject("kubeconfig"));
  const account = await core.readNamespacedServiceAccount({ name: "default", namespace: "default" });
  expect(account.metadata?.uid).toBeDefined();
});

describe("a control plane of one's own", () => {
  let own: ControlPlane;
  beforeAll(async () => {
    own = await startControlPlane({ binaries: await controlPlaneBinaries(process.env, console.log) });
  });
  afterAll(() => own?.stop());

  test("keeps port and data over a killed API server", async () => {
    const core = coreApi(own.kubeconfigPath);
    await core.createNamespace({ body: { metadata: { name: "kept" } } });
    await own.killApiServer();
    await expect(core.readNamespace({ name: "kept" })).rejects.toThrow();
    await own.startApiServer();
    await expect(core.readNamespace({ name: "kept" })).resolves.toMatchObject({ metadata: { name: "kept" } });
  });
});
