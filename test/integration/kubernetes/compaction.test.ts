import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { controlPlaneBinaries } from "../../../cluster/binaries.ts";
import { type ControlPlane, startControlPlane } from "../../../cluster/control-plane.ts";
import { createInformer } from "../../../src/kubernetes/informer.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { startFaultProxy } from "./fault-proxy.ts";
import { contentOf, follow } from "./follower.ts";
import { clientOver, configMaps, connectionAt, connectionTo, freshNamespace, inTurns, quickTimings } from "./ground.ts";

let controlPlane: ControlPlane;
beforeAll(async () => {
  controlPlane = await startControlPlane({ binaries: await controlPlaneBinaries(process.env, console.error) });
});
afterAll(() => controlPlane?.stop());

test("when the past is compacted between two pages of a list, and under a watch, the cache equals a fresh list", async () => {
  const connection = connectionTo(controlPlane.kubeconfigPath);
  const direct = clientOver(connection);
  const proxy = await startFaultProxy(connection);
  const proxied = clientOver(connectionAt(proxy.url));
  const namespace = await freshNamespace(direct.client);
  const name = (index: number): string => `map-${String(index).padStart(3, "0")}`;
  const create = (index: number) => direct.client.create(configMaps, { metadata: { namespace, name: name(index) } });
  // Three pages.
  await inTurns([...Array(250).keys()], create);
  const second = proxy.hold(({ path }) => path.includes("continue="));
  const follower = follow(
    createInformer({
      client: proxied.client,
      kind: configMaps,
      namespaces: [namespace],
      project: (object) => object,
      timings: { ...quickTimings, listTimeoutMs: 60_000 },
      logger: silentLogger,
    }),
  );
  await second.arrived;
  const change = async (from: number): Promise<void> => {
    await direct.client.delete(configMaps, { namespace, name: name(from) });
    await direct.client.mergePatch(configMaps, { namespace, name: name(from + 1) }, { data: { text: "changed" } });
    await create(300 + from);
  };
  await change(120);
  await controlPlane.compact();
  const { status } = await second.release();
  console.info(`the second page, asked for after the compaction, was answered ${status}`);
  const isSame = (): Promise<void> =>
    vi.waitFor(
      async () => {
        const { items } = await direct.client.list(configMaps, { namespace });
        expect(contentOf(follower.informer.cache.values())).toEqual(contentOf(items));
        expect(contentOf(follower.told.values())).toEqual(contentOf(items));
      },
      { timeout: 60_000, interval: 200 },
    );
  await isSame();

  // The watch is cut, and what it would go on from is compacted before it is opened anew.
  proxy.set({ type: "reset" });
  proxy.resetConnections();
  await change(130);
  await controlPlane.compact();
  await change(140);
  proxy.set({ type: "none" });
  await isSame();
  expect(follower.complaints).toEqual([]);
  await follower.stop();
  for (const { close } of [proxied, direct]) await close();
  await proxy.stop();
});
