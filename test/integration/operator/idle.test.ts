/**
 * A thousand workflows, hundreds of them running with workers that are asked for real: what the operator writes while
 * they load, and that it writes nothing while nothing happens. From the API server's own audit log.
 *
 * Ten minutes are not waited for here (`npm run bench -- idle` does). All that may happen in them is made to happen: every
 * worker is asked again and again, every watch breaks and is resumed, and another operator, which remembers nothing, lists
 * and looks at every workflow. That time alone changes no decision is shown second by second in the unit tests of status.
 */
import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { AuditedRequest } from "../../../cluster/audit-log.ts";
import { workflows } from "../../../src/operator/shell/projections.ts";
import { plainSpec } from "../../unit/operator/scene.ts";
import type { FaultProxy } from "../kubernetes/fault-proxy.ts";
import { AuditedPlane } from "./audited-plane.ts";
import type { Ground } from "./ground.ts";
import type { OperatorProcess } from "./operator-process.ts";

const [running, stopped] = [220, 780];
const user = "the-operator";
const patience = { timeout: 240_000, interval: 500 };
/** A loopback address of its own: workers listen on a port that is fixed. */
const address = `127.${100 + (process.pid % 100)}.${(process.pid >> 7) % 250}.9`;

let plane: AuditedPlane;
let ground: Ground;
let proxy: FaultProxy;
let operator: OperatorProcess;
let worker: Server;
let asked = 0;
/** Whether each worker has another figure whenever it is asked. */
let isLoading = true;

beforeAll(async () => {
  worker = createServer((_request, response) => {
    asked += 1;
    response.end(JSON.stringify({ backlog: isLoading ? asked : 0, mappings: [], schemaDrift: [] }));
  });
  await new Promise<void>((resolve) => worker.listen(8080, address, resolve));
  plane = await AuditedPlane.start(user);
  ground = await plane.ground();
  ground.kubelet.behaviour.address = address;
  proxy = await plane.proxy(user);
  operator = await plane.operator(ground, proxy, ["--worker-poll", "direct"]);
});
afterAll(async () => {
  await plane?.stop();
  worker?.close();
});

const names = (kind: string, count: number) => Array.from({ length: count }, (_, number) => `${kind}-${number}`);

async function make(all: readonly string[], state: "Running" | "Stopped"): Promise<void> {
  const left = all.values();
  const makeSome = async (): Promise<void> => {
    for (const name of left) {
      // Each signs in with a user of its own.
      const dynamics = { ...plainSpec.dynamics, credentialsSecretRef: { name } };
      const spec = { ...plainSpec, dynamics, state };
      await ground.client.create(workflows, { metadata: { name, namespace: ground.namespace }, spec } as never); // A manifest.
    }
  };
  await Promise.all(Array.from({ length: 16 }, makeSome));
}

async function statuses() {
  const { items } = await ground.client.list(workflows, { namespace: ground.namespace });
  return items.map(({ status = {} }) => status);
}

/** How many statuses are as they should be. */
async function howMany(isSo: (status: Awaited<ReturnType<typeof statuses>>[number]) => boolean): Promise<number> {
  return (await statuses()).filter(isSo).length;
}

function writesSince(from: number): readonly AuditedRequest[] {
  return plane
    .requests()
    .slice(from)
    .filter(({ verb, resource }) => !["get", "list", "watch"].includes(verb) && resource !== "leases");
}

test("while all load, status is written 20 times a second and no more, and nobody has more turns than others", async () => {
  await make(names("stopped", stopped), "Stopped");
  await make(names("running", running), "Running");
  await vi.waitFor(async () => {
    expect(await howMany(({ state }) => state === "STOPPED")).toBe(stopped);
    const isTold = ({ state, backlog, conditions }: Awaited<ReturnType<typeof statuses>>[number]): boolean =>
      state === "RUNNING" && backlog !== undefined && conditions?.some(({ type }) => type === "SchemaDrift") === true;
    expect(await howMany(isTold)).toBe(running);
  }, patience);

  const from = plane.requests().length;
  await vi.waitFor(() => expect(writesSince(from).length).toBeGreaterThanOrEqual(running), patience);
  const writes = writesSince(from);
  expect(new Set(writes.map(({ verb, resource }) => `${verb} ${resource}`))).toEqual(
    new Set(["update integrationworkflows/status"]),
  );
  const seconds = ((writes.at(-1)?.atMs ?? 0) - (writes[0]?.atMs ?? 0)) / 1000;
  // With what a busy machine makes come together.
  expect(writes.length).toBeLessThanOrEqual(22 * seconds + 20);
  const each = [...Map.groupBy(writes, ({ name = "" }) => name).values()].map(({ length }) => length);
  expect(Math.max(...each)).toBeLessThanOrEqual(seconds / 10 + 2);
}, 400_000);

test("while nothing happens nothing is written: no status, no Event, nothing, whatever makes the operator look", async () => {
  isLoading = false;
  await vi.waitFor(async () => expect(await howMany(({ backlog }) => backlog === 0)).toBe(running), patience);

  const from = plane.requests().length;
  const isAskedAgain = async (): Promise<void> => {
    const before = asked;
    await vi.waitFor(() => expect(asked).toBeGreaterThan(before + 1.2 * running), patience);
  };
  await isAskedAgain();
  const watchesBefore = proxy.openWatches();
  proxy.resetConnections();
  await vi.waitFor(() => expect(proxy.openWatches()).toBeGreaterThanOrEqual(watchesBefore), patience);
  await isAskedAgain();

  expect(await operator.stop()).toBe(0);
  operator = await plane.operator(ground, proxy, ["--worker-poll", "direct"]);
  const { metrics } = await operator.said("operator started");
  await vi.waitFor(async () => {
    const text = await (await fetch(`${String(metrics)}/metrics`)).text();
    const looks = [...text.matchAll(/^controller_runtime_reconcile_total\{.*\} (\d+)$/gm)].map(([, count]) =>
      Number(count),
    );
    expect(looks.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(running + stopped);
    expect(text).toMatch(/^workqueue_depth\{.*\} 0$/m);
  }, patience);
  await isAskedAgain();
  expect(writesSince(from)).toEqual([]);
}, 400_000);
