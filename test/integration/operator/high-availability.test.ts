/** Two operators, one of which leads and is lost in each of the ways in which processes and networks lose one. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { freePort } from "../../../cluster/ports.ts";
import { leases } from "../../../src/kubernetes/lease-record.ts";
import { plainSpec } from "../../unit/operator/scene.ts";
import { AuditedPlane } from "./audited-plane.ts";
import { type Ground, patience } from "./ground.ts";
import type { OperatorProcess } from "./operator-process.ts";

/** Each waits for leases, pauses and caches, beside the others. */
vi.setConfig({ testTimeout: 300_000 });

const ways = ["killed", "stopped", "cut-off", "blocked", "in-flight", "late-start", "slow"] as const;
let plane: AuditedPlane;

beforeAll(async () => {
  plane = await AuditedPlane.start(...ways.flatMap((way) => [`${way}-1`, `${way}-2`]));
});
afterAll(() => plane?.stop());

/** Each signs in as an application user of its own: else they tell of each other. */
const start = (ground: Ground, name: string) =>
  ground.apply(name, { state: "Running", dynamics: { ...plainSpec.dynamics, credentialsSecretRef: { name } } });

/** What a workflow would notice: the Deployment, its pods, what was told. */
async function seenOf(ground: Ground, name: string) {
  const { metadata, spec } = await ground.askedOf(name);
  const pods = (await ground.pods(name)).map((pod) => pod.metadata.uid);
  return { metadata, spec, pods, workflow: await ground.workflow(name) };
}

const leaseOf = async (ground: Ground) =>
  (await ground.client.get(leases, { namespace: ground.namespace, name: "integration-workflow-operator" })).spec;

interface Lost {
  /** The leader is lost. */
  lose(leader: OperatorProcess): Promise<void>;
  /** And comes back; absent: it does not. */
  comeBack?(leader: OperatorProcess): Promise<void>;
}

/**
 * One leader is lost while a workflow runs, another is edited and a third asked to restart; the second leads, and nothing
 * is done twice, or late.
 */
async function survives(way: (typeof ways)[number], ground: Ground, first: OperatorProcess, lost: Lost): Promise<void> {
  await first.said("leading");
  const second = await plane.candidate(ground, `${way}-2`);
  await second.said("operator started");
  for (const name of ["steady", "edited", "restarted"]) await start(ground, name);
  for (const name of ["steady", "edited", "restarted"]) await ground.until(name, { state: "RUNNING" });
  const before = await seenOf(ground, "steady");

  await lost.lose(first);
  const held = await leaseOf(ground);
  await ground.patch("edited", { campaign: { engineCallsPerSecond: 25 } });
  await ground.patch("restarted", { restart: "meanwhile" });
  await second.said("leading");
  const mark = plane.requests().length;
  const taken = await leaseOf(ground);
  expect(taken?.holderIdentity).not.toBe(held?.holderIdentity);
  const tookMs = Date.parse(taken?.acquireTime ?? "") - Date.parse(held?.renewTime ?? "");
  console.info(`${way}: the next one led ${tookMs} ms after the last renewal`);
  // Not before the lease of 15 s has run out; the pause between two looks is 2.4 s at most, and the rest a busy machine's.
  expect(tookMs).toBeGreaterThan(15_000);
  expect(tookMs).toBeLessThan(30_000);

  await ground.until("edited", { pendingRestart: true, state: "RUNNING" });
  const done = { state: "RUNNING", handledRestart: "meanwhile", appliedRevision: { run: 2 } } as const;
  await ground.until("restarted", done as never);
  if (lost.comeBack !== undefined) {
    await lost.comeBack(first);
    expect(await first.said("leadership lost")).toMatchObject({ level: "warn" });
    expect(plane.writesOf(`${way}-1`, mark)).toEqual([]);
    // It stands again: once the other is gone, it leads.
    const twice = plane.requests().length;
    expect(await second.stop()).toBe(0);
    const leading = () => first.lines.filter(({ message }) => message === "leading").length;
    await vi.waitFor(() => expect(leading()).toBe(2), patience);
    await start(ground, "after");
    await ground.until("after", { state: "RUNNING" });
    // What the first one told, it has no reason to tell again.
    expect(plane.writesOf(`${way}-1`, twice).filter(({ name = "" }) => !name.startsWith("after"))).toEqual([]);
  }
  expect(await seenOf(ground, "steady")).toEqual(before);
  expect((await ground.status("restarted")).appliedRevision?.run).toBe(2);
  expect(ground.kubelet.runsSeen.filter((runs) => runs.length > 1)).toEqual([]);
  expect(plane.writesOf(`${way}-2`).filter(({ name }) => name === "steady")).toEqual([]);
}

describe.concurrent("no workflow notices, and every ask is carried out once, when the leader", () => {
  test("is killed", async () => {
    const ground = await plane.ground();
    const first = await plane.candidate(ground, "killed-1");
    await survives("killed", ground, first, { lose: (leader) => leader.kill() });
  });

  test("stands still for longer than the lease, and goes on", async () => {
    const ground = await plane.ground();
    const first = await plane.candidate(ground, "stopped-1");
    await survives("stopped", ground, first, {
      lose: async ({ pid = 0 }) => void process.kill(pid, "SIGSTOP"),
      comeBack: async ({ pid = 0 }) => void process.kill(pid, "SIGCONT"),
    });
  });

  test("is cut off from the API server, and reaches it again", async () => {
    const ground = await plane.ground();
    const proxy = await plane.proxy("cut-off-1");
    const first = await plane.candidate(ground, proxy);
    await survives("cut-off", ground, first, {
      lose: async () => {
        proxy.set({ type: "blackHole" });
        proxy.halfOpenConnections();
      },
      comeBack: async () => proxy.set({ type: "none" }),
    });
  });

  test("does nothing but compute for longer than the lease", async () => {
    const ground = await plane.ground();
    const port = await freePort();
    const node = [`--inspect=127.0.0.1:${port}`, "--inspect-publish-uid=http"];
    const first = await plane.candidate(ground, "blocked-1", [], { node });
    await survives("blocked", ground, first, {
      lose: () => evaluate(port, "{ const end = performance.now() + 40_000; while (performance.now() < end); }"),
      comeBack: async () => {},
    });
  });
});

/** Has the process run an expression, by its inspector. Does not wait for its end. */
async function evaluate(port: number, expression: string): Promise<void> {
  const [target] = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
    webSocketDebuggerUrl: string;
  }[];
  const socket = new WebSocket(target?.webSocketDebuggerUrl ?? "");
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve, { once: true });
    socket.addEventListener("error", reject, { once: true });
  });
  socket.send(JSON.stringify({ id: 1, method: "Runtime.evaluate", params: { expression } }));
}

describe.concurrent("a write that the old leader had under way when it was cut off", () => {
  test("fails by itself when it comes late, and changes nothing", async () => {
    const ground = await plane.ground();
    const proxy = await plane.proxy("in-flight-1");
    const first = await plane.candidate(ground, proxy);
    await first.said("leading");
    const second = await plane.candidate(ground, "in-flight-2");
    await second.said("operator started");
    for (const name of ["stops", "edited"]) await start(ground, name);
    for (const name of ["stops", "edited"]) await ground.until(name, { state: "RUNNING" });

    const isOf = (path: string, rest: string): boolean => path.split("?")[0]?.endsWith(rest) === true;
    const late = {
      "the pin of a start": proxy.hold(
        ({ method, path, body }) => method === "POST" && isOf(path, "/configmaps") && body.includes('"name":"pins-'),
      ),
      "the Deployment of a start": proxy.hold(
        ({ method, path, body }) => method === "POST" && isOf(path, "/deployments") && body.includes('"name":"starts"'),
      ),
      "the stop of a restart": proxy.hold(({ method, path }) => method === "PATCH" && isOf(path, "/deployments/stops")),
      "the status of an edit": proxy.hold(
        ({ method, path }) => method === "PUT" && isOf(path, "/integrationworkflows/edited/status"),
      ),
    };
    await start(ground, "pins");
    await start(ground, "starts");
    await ground.patch("stops", { restart: "once" });
    await ground.patch("edited", { campaign: { engineCallsPerSecond: 25 } });
    await Promise.all(Object.values(late).map(({ arrived }) => arrived));
    proxy.set({ type: "blackHole" });
    proxy.halfOpenConnections();

    await second.said("leading");
    await ground.until("pins", { state: "RUNNING" });
    await ground.until("starts", { state: "RUNNING" });
    await ground.until("stops", { state: "RUNNING", handledRestart: "once", appliedRevision: { run: 2 } as never });
    await ground.until("edited", { pendingRestart: true });
    const names = ["pins", "starts", "stops", "edited"];
    // The last that is told of them: what comes from now on was held.
    for (const [name, runs] of [
      ["pins", 1],
      ["starts", 1],
      ["stops", 2],
    ] as const) {
      await vi.waitFor(async () => expect(await ground.events(name, "WorkerReady")).toHaveLength(runs), patience);
    }
    const before = await Promise.all(names.map((name) => seenOf(ground, name)));
    const versions = await ground.versions();
    for (const [what, { release }] of Object.entries(late)) {
      const { status, body } = await release();
      expect([what, [409, 422].includes(status) ? "refused" : body]).toEqual([what, "refused"]);
    }
    expect(await Promise.all(names.map((name) => seenOf(ground, name)))).toEqual(before);
    expect(await ground.versions()).toEqual(versions);
    expect(ground.kubelet.runsSeen.filter((runs) => runs.length > 1)).toEqual([]);
  });

  test("undoes itself when it is a first start that was taken back meanwhile: what a create cannot know", async () => {
    const ground = await plane.ground();
    const proxy = await plane.proxy("late-start-1");
    const first = await plane.candidate(ground, proxy);
    await first.said("leading");
    const second = await plane.candidate(ground, "late-start-2");
    await second.said("operator started");
    const late = proxy.hold(({ method, path }) => method === "POST" && path.includes("/deployments"));
    await start(ground, "contacts");
    await late.arrived;
    proxy.set({ type: "blackHole" });
    proxy.halfOpenConnections();
    await ground.patch("contacts", { state: "Stopped" });
    await second.said("leading");
    await ground.until("contacts", { state: "STOPPED", observedGeneration: 2 });

    expect(await late.release()).toMatchObject({ status: 201 });
    await vi.waitFor(async () => expect((await ground.deployment("contacts")).spec?.replicas).toBe(0), patience);
    await ground.until("contacts", { state: "STOPPED", appliedRevision: { run: 1 } as never });
    await ground.patch("contacts", { state: "Running" });
    await ground.until("contacts", { state: "RUNNING", appliedRevision: { run: 2 } as never });
    expect(ground.kubelet.runsSeen.filter((runs) => runs.length > 1)).toEqual([]);
  });
});

describe.concurrent("answers that come too late for a lease", () => {
  test("leave no leader for as long as they do, and no workflow notices", async () => {
    const ground = await plane.ground();
    const proxies = [await plane.proxy("slow-1"), await plane.proxy("slow-2")];
    const [first, second] = [await plane.candidate(ground, proxies[0]!), await plane.candidate(ground, proxies[1]!)];
    await Promise.any([first, second].map((one) => one.said("leading")));
    await start(ground, "steady");
    await ground.until("steady", { state: "RUNNING" });
    const before = await seenOf(ground, "steady");
    const leads = (): number => count("leading") - count("leadership lost");
    const count = (message: string): number =>
      [...first.lines, ...second.lines].filter((line) => line.message === message).length;
    const mark = plane.requests().length;
    for (const proxy of proxies) proxy.set({ type: "slow", ms: 12_000 });
    await vi.waitFor(() => expect(count("leadership lost")).toBeGreaterThan(0), patience);
    await ground.patch("steady", { campaign: { engineCallsPerSecond: 25 } });
    // Each of the two has asked, and waited, more than once.
    await vi.waitFor(() => expect(proxies.every((proxy) => proxy.hits() > 3)).toBe(true), patience);
    expect(leads()).toBe(0);
    expect(await seenOf(ground, "steady")).toMatchObject({ metadata: before.metadata, pods: before.pods });

    for (const proxy of proxies) proxy.set({ type: "none" });
    await ground.until("steady", { state: "RUNNING", pendingRestart: true });
    expect(leads()).toBe(1);
    expect((await seenOf(ground, "steady")).metadata).toEqual(before.metadata);
    const writes = [...plane.writesOf("slow-1", mark), ...plane.writesOf("slow-2", mark)];
    expect(writes.map(({ verb, resource }) => `${verb} ${resource}`)).toEqual(["update integrationworkflows/status"]);
  });
});
