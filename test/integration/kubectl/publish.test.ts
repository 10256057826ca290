/** `publish`, over an operator that asks the workers: what they answer decides whether the mappings fit. */
import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";
import { exitCodes } from "../../../src/kubectl/exit.ts";
import { Ground, patience } from "../operator/ground.ts";
import { Plugin } from "./plugin.ts";

/** A loopback address of its own: workers listen on a port that is fixed. */
const address = `127.${100 + (process.pid % 100)}.${(process.pid >> 7) % 250}.8`;

let ground: Ground;
let plugin: Plugin;
let worker: Server;
let schemaDrift: object[];

beforeAll(async () => {
  worker = createServer((_request, response) => {
    const mappings = [{ name: "contact", phase: "Incremental", backlog: 0, read: 1, written: 1, deadLettered: 0 }];
    response.end(JSON.stringify({ backlog: 0, mappings, schemaDrift }));
  });
  await new Promise<void>((resolve) => worker.listen(8080, address, resolve));
  ground = await Ground.make(inject("kubeconfig"));
  ground.kubelet.behaviour.address = address;
  await ground.operator("--worker-poll", "direct");
  plugin = new Plugin(ground.kubeconfig, ground.namespace, { KUBECTL: inject("kubectl") });
});
afterAll(async () => {
  await ground?.end();
  worker?.close();
});
beforeEach(() => {
  schemaDrift = [];
  ground.kubelet.behaviour.start = "up";
});

async function running(name: string): Promise<void> {
  await ground.apply(name, { state: "Running" });
  await ground.until(name, { state: "RUNNING" });
}

const state = async (name: string) => (await ground.workflow(name)).spec.state;

test("it stops, runs the command, starts, and ends when a worker of the new run has compared the mappings", async () => {
  await running("good");
  const { code, out, err } = await plugin.run("publish", "good", "--", "sh", "-c", "echo deployed");
  expect(err).toContain("good: STOPPED");
  expect(out).toBe(
    "good: asked to stop\ndeployed\ngood: asked to start\ngood: RUNNING, and every mapping fits what was published\n",
  );
  expect(code).toBe(exitCodes.done);
  expect(await ground.status("good")).toMatchObject({ state: "RUNNING", appliedRevision: { run: 2 } });
  const asData = await plugin.run("publish", "good", "-o", "json", "--", "true");
  expect(JSON.parse(asData.out)).toMatchObject({ metadata: { name: "good" }, status: { state: "RUNNING" } });
});

test("what does not fit any more leaves it stopped, with the worker's words", async () => {
  await running("drifting");
  schemaDrift = [{ mapping: "contact", message: "column firstname is gone" }];
  const { code, err } = await plugin.run("publish", "drifting", "--", "true");
  expect(err).toContain("what was published does not fit: Paused where it hurts. contact: column firstname is gone");
  expect(err).toContain("drifting is left stopped");
  expect(err).toContain(`kubectl iw start drifting --wait -n ${ground.namespace}`);
  expect(code).toBe(exitCodes.failed);
  await ground.until("drifting", { state: "STOPPED" });
});

test("a command that fails leaves it stopped, and gives its own exit code", async () => {
  await running("failing");
  const { code, err } = await plugin.run("publish", "failing", "--", "sh", "-c", "exit 42");
  expect(code).toBe(42);
  expect(err).toContain("publishing failed: sh ended with exit code 42\nfailing is left stopped");
  expect(await state("failing")).toBe("Stopped");
  const again = await plugin.run("publish", "failing", "--", "true");
  expect(again.code).toBe(exitCodes.failed);
  expect(again.err).toContain("failing is stopped already, so nothing was done");
});

test("a command that is not there, and the end of the input, leave it stopped", async () => {
  await running("lost");
  const { code, err } = await plugin.run("publish", "lost", "--", "no-such-program");
  expect(code).toBe(exitCodes.failed);
  expect(err).toContain("cannot run no-such-program");
  expect(await state("lost")).toBe("Stopped");

  await running("unattended");
  const { child, ended } = plugin.start("publish", "unattended");
  child.stdin.end();
  expect((await ended).err).toContain("nobody is there to press Enter");
  expect(await state("unattended")).toBe("Stopped");
});

test("Enter goes on where there is no command", async () => {
  await running("by-hand");
  const { child, ended } = plugin.start("publish", "by-hand");
  let told = "";
  child.stderr.on("data", (chunk) => {
    told += chunk;
  });
  await expect.poll(() => told, patience).toContain("press Enter");
  expect(await ground.status("by-hand")).toMatchObject({ state: "STOPPED" });
  child.stdin.write("\n");
  expect((await ended).code).toBe(exitCodes.done);
});

test("Ctrl-C while the command runs ends the command, and leaves it stopped", async () => {
  await running("interrupted");
  const { child, ended } = plugin.start("publish", "interrupted", "--", "sh", "-c", "echo began; exec sleep 600");
  let told = "";
  child.stdout.on("data", (chunk) => {
    told += chunk;
  });
  await expect.poll(() => told, patience).toContain("began");
  child.kill("SIGINT");
  const { code, err } = await ended;
  expect(code).toBe(exitCodes.interrupted);
  expect(err).toContain("publishing failed: it was interrupted\ninterrupted is left stopped");
  expect(await state("interrupted")).toBe("Stopped");
});

test("Ctrl-C while it starts again stops it again", async () => {
  await running("halfway");
  const { child, ended } = plugin.start("publish", "halfway", "--", "true");
  let told = "";
  child.stdout.on("data", (chunk) => {
    told += chunk;
  });
  ground.kubelet.behaviour.start = "slow";
  await expect.poll(() => told, patience).toContain("asked to start");
  child.kill("SIGINT");
  const { code, err } = await ended;
  expect(code).toBe(exitCodes.interrupted);
  expect(err).toContain("halfway is left stopped");
  expect(await state("halfway")).toBe("Stopped");
});

test("--dry-run=server runs nothing", async () => {
  await running("dry");
  const { generation } = (await ground.workflow("dry")).metadata;
  const { code, out } = await plugin.run("publish", "dry", "--dry-run=server", "--", "sh", "-c", "echo ran");
  expect(out).toBe("dry: would be stopped; would then run sh -c echo ran, and start it (server dry run)\n");
  expect(code).toBe(exitCodes.done);
  expect((await ground.workflow("dry")).metadata.generation).toBe(generation);
});
