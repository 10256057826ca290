import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { controlPlaneBinaries } from "../../../cluster/binaries.ts";
import { type ControlPlane, startControlPlane } from "../../../cluster/control-plane.ts";
import { createInformer } from "../../../src/kubernetes/informer.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { contentOf, follow } from "./follower.ts";
import { clientOver, configMaps, connectionTo, freshNamespace, quickTimings } from "./ground.ts";

let controlPlane: ControlPlane;

beforeAll(async () => {
  controlPlane = await startControlPlane({ binaries: await controlPlaneBinaries(process.env, console.log) });
});

afterAll(() => controlPlane?.stop());

test("after the API server was killed and started again, with changes before the watch is back, the cache equals a fresh list", async () => {
  const connection = connectionTo(controlPlane.kubeconfigPath);
  const followed = clientOver(connection);
  const other = clientOver(connection);
  const namespace = await freshNamespace(other.client);
  const create = (name: string) =>
    other.client.create(configMaps, { metadata: { namespace, name }, data: { text: name } });
  for (const name of ["changed", "deleted", "replaced"]) await create(name);
  const follower = follow(
    createInformer({
      client: followed.client,
      kind: configMaps,
      namespaces: [namespace],
      project: (object) => object,
      // So slow to come back that the changes are all made before.
      timings: { ...quickTimings, backoff: { initialMs: 3000, factor: 1, maxMs: 3000, jitter: 0 } },
      logger: silentLogger,
    }),
  );
  await follower.informer.synced;

  await controlPlane.killApiServer();
  await expect(other.client.getText("/version")).rejects.toMatchObject({ code: "KubernetesConnectionError" });
  await controlPlane.startApiServer();
  await other.client.mergePatch(configMaps, { namespace, name: "changed" }, { data: { text: "after" } });
  await other.client.delete(configMaps, { namespace, name: "deleted" });
  await other.client.delete(configMaps, { namespace, name: "replaced" });
  await create("replaced");
  await create("added");

  await vi.waitFor(
    async () => {
      const { items } = await other.client.list(configMaps, { namespace });
      expect(contentOf(follower.informer.cache.values())).toEqual(contentOf(items));
      expect(contentOf(follower.told.values())).toEqual(contentOf(items));
    },
    { timeout: 60_000, interval: 200 },
  );
  expect(follower.complaints).toEqual([]);
  await follower.stop();
  await followed.close();
  await other.close();
});
