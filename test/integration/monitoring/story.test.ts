/** The log of one workflow's life: through operator and worker, by one filter. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { configurationKey } from "../../../src/api/configuration.ts";
import { configMaps } from "../../../src/operator/shell/projections.ts";
import { Ground, patience } from "../operator/ground.ts";
import type { OperatorProcess } from "../operator/operator-process.ts";
import { Ground as WorkerGround, WorkerProcess } from "../worker/harness.ts";

interface Line {
  readonly timestamp: string;
  readonly role: string;
  readonly level: string;
  readonly message: string;
  readonly workflow?: string;
  readonly [field: string]: unknown;
}

let ground: Ground;
let systems: WorkerGround;
let operator: OperatorProcess;
const workers: WorkerProcess[] = [];

beforeAll(async () => {
  [ground, systems] = await Promise.all([Ground.make(inject("kubeconfig")), WorkerGround.make({ contacts: 5 })]);
  operator = await ground.operator();
});
afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.kill()));
  await systems?.end();
  await ground?.end();
});

/** What the kubelet would start: a worker of what the run has pinned. It is let be until it has logged all of these. */
async function startWorker(...events: readonly string[]): Promise<WorkerProcess> {
  const { appliedRevision } = await ground.status("contacts");
  const pin = await ground.client.get(configMaps, {
    namespace: ground.namespace,
    name: appliedRevision?.name ?? "",
  });
  const file = join(systems.directory, `run-${appliedRevision?.run}.json`);
  writeFileSync(file, pin.data?.[configurationKey] ?? "");
  const worker = new WorkerProcess(systems.directory, file, [
    "--log-level",
    "info",
    "--run",
    `${appliedRevision?.run}`,
  ]);
  workers.push(worker);
  await expect.poll(async () => (await worker.status()).mappings[0]?.written, patience).toBe(5);
  for (const event of events) await expect.poll(() => worker.logged(event), patience).not.toEqual([]);
  return worker;
}

function linesOf(key: string): Line[] {
  const ofWorkers = workers.flatMap(({ log }) => log.trim().split("\n")).map((line) => JSON.parse(line) as Line);
  const all = [...(operator.lines as unknown as readonly Line[]), ...ofWorkers];
  return all
    .filter(({ workflow }) => workflow === key)
    .sort((left, right) => left.timestamp.localeCompare(right.timestamp));
}

/** The line without what differs from time to time. */
const words = ({ message, run, verb, object, state, reason, fields, mapping }: Line): string =>
  [run && `run ${run}:`, message, verb, object, state, reason, fields, mapping]
    .filter((word) => word !== undefined)
    .join(" ")
    .replace(/(ConfigMap contacts)-\w+/, "$1-...");

function storyOf(role: string): string[] {
  const lines = linesOf(`${ground.namespace}/contacts`).filter((line) => line.role === role);
  // How often it says how far it is, and in how many pieces it reads, is not the story.
  return lines.filter(({ message }) => !/^(mapping\.progress|page\.read)$/.test(message)).map(words);
}

test("one filter gives the whole story of a workflow, one event a line", async () => {
  const { dataverseUrl, campaignUrl } = systems.sandbox;
  const credentialsSecretRef = { name: "credentials" };
  await ground.apply("contacts", {
    state: "Running",
    dynamics: { url: dataverseUrl, credentialsSecretRef },
    campaign: { url: campaignUrl, credentialsSecretRef, engineCallsPerSecond: 1000 },
  });
  await ground.until("contacts", { state: "RUNNING" });
  const first = await startWorker("mapping.fitted", "snapshot.done");
  await ground.patch("contacts", { campaign: { engineCallsPerSecond: 900 } });
  await ground.until("contacts", { pendingRestart: true });
  await ground.patch("contacts", { restart: "now" });
  expect(await first.stop()).toBe(0);
  await ground.until("contacts", { state: "RUNNING", pendingRestart: false, handledRestart: "now" });
  const second = await startWorker("mapping.fitted");
  await ground.patch("contacts", { state: "Stopped" });
  expect(await second.stop()).toBe(0);
  await ground.until("contacts", { state: "STOPPED" });
  await ground.kubectl("delete", "iw", "contacts");
  await expect.poll(() => storyOf("operator"), patience).toContain("workflow is gone");

  expect(storyOf("operator")).toEqual([
    "wrote create PersistentVolumeClaim contacts-queue",
    "wrote create NetworkPolicy contacts-worker",
    "wrote create ConfigMap contacts-...",
    "wrote create Deployment contacts",
    "run 1: state STARTING Started",
    "run 1: state RUNNING WorkerReady",
    "edit waits for a restart campaign.engineCallsPerSecond",
    "wrote replace Deployment contacts",
    "run 1: stopping",
    "wrote create ConfigMap contacts-...",
    "wrote replace Deployment contacts",
    "no edit waits",
    "run 2: state STARTING Started",
    "run 2: state RUNNING WorkerReady",
    "wrote replace Deployment contacts",
    "run 2: stopping",
    "run 2: state STOPPED Stopped",
    "workflow is gone",
  ]);
  expect(storyOf("worker")).toEqual([
    "run 1: worker.started",
    "run 1: mapping.fitted contact",
    "run 1: listing.done contact",
    "run 1: snapshot.done contact",
    "run 1: worker.stopping",
    "run 1: worker.ended Stopped",
    "run 2: worker.started",
    "run 2: mapping.fitted contact",
    "run 2: worker.stopping",
    "run 2: worker.ended Stopped",
  ]);
});

test("every line of a worker names its workflow, and none holds a value of a record", async () => {
  const log = workers.map((worker) => worker.log).join("");
  const lines = log.trim().split("\n");
  for (const line of lines) expect(JSON.parse(line)).toMatchObject({ workflow: `${ground.namespace}/contacts` });
  let values = 0;
  for await (const row of systems.sandbox.control.rows({ table: "contact" })) {
    for (const column of ["firstname", "lastname", "emailaddress1"]) {
      const value = row.cells[column];
      if (typeof value !== "string" || value === "") continue;
      values += 1;
      expect(log).not.toContain(value);
    }
  }
  expect(values).toBeGreaterThan(10);
});
