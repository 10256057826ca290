/** Thousands of workflows: pages, filters, changes among them, and readers who do not read. */
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { controlPlaneBinaries } from "../../../cluster/binaries.ts";
import { type ControlPlane, startControlPlane } from "../../../cluster/control-plane.ts";
import { workflows } from "../../../src/steering/workflow.ts";
import { written } from "../../unit/operator/scene.ts";
import { namespaces } from "../kubernetes/ground.ts";
import { patience } from "../operator/ground.ts";
import { stage } from "./stage.ts";

const rowsAPage = 100;
const perNamespace = 250;
/** "crowd" and "crowd-b" stand the other way round where somebody sorts by namespace, then by name. */
const crowds = ["crowd", "crowd-a", "crowd-b", "crowd-c", "crowd-d", "crowd-e", "crowd-f", "crowd-g"];

let controlPlane: ControlPlane;
beforeAll(async () => {
  controlPlane = await startControlPlane({ binaries: await controlPlaneBinaries(process.env, console.error) });
});
afterAll(() => controlPlane?.stop());
const on = stage({ overseer: [] }, { kubeconfig: async () => controlPlane.kubeconfigPath });

beforeAll(async () => {
  const { cluster } = on.ground;
  const { client, namespace } = cluster;
  await cluster.kubectl(
    "create",
    "clusterrole",
    "overseer",
    "--verb=get,list,watch",
    "--resource=integrationworkflows",
  );
  await cluster.kubectl(
    "create",
    "clusterrolebinding",
    "overseer",
    "--clusterrole=overseer",
    `--serviceaccount=${namespace}:overseer`,
  );
  const spec = written();
  for (const crowd of crowds) {
    await client.create(namespaces, { metadata: { name: crowd } });
    const left = Array.from({ length: perNamespace }, (_, index) => index).values();
    const make = async () => {
      for (const index of left) {
        await client.create(workflows, { metadata: { namespace: crowd, name: nameOf(index) }, spec });
      }
    };
    await Promise.all(Array.from({ length: 16 }, make));
  }
});

function nameOf(index: number): string {
  return `workflow-${String(index).padStart(3, "0")}`;
}

async function status(namespace: string, name: string, changes: object): Promise<void> {
  await on.ground.cluster.client.mergePatch(
    workflows,
    { namespace, name },
    { status: changes },
    { subresource: "status" },
  );
}

/** Namespace and name of each row, in order. */
function places(page: Page): Promise<(string | undefined)[]> {
  return page.locator("#rows tr").evaluateAll((all) => all.map(({ dataset }) => dataset["place"]));
}

async function open(path: string): Promise<Page> {
  const { page } = await on.enter("overseer");
  await page.goto(`${on.ground.url}${path}`);
  await expect.poll(() => page.locator("#liveness").textContent(), patience).toBe("Live");
  return page;
}

test("every workflow is on one page, in order, and no page is longer than another", async () => {
  const page = await open("/workflows");
  const seen: (string | undefined)[] = [];
  for (;;) {
    const here = await places(page);
    expect(here.length).toBeLessThanOrEqual(rowsAPage);
    seen.push(...here);
    const next = page.getByRole("link", { name: "Next" });
    if ((await next.count()) === 0) break;
    await next.click();
    await page.getByText(`Page ${seen.length / rowsAPage + 1} of 20`).waitFor();
    // What stands after that may still be on its way.
    await page.waitForLoadState();
  }
  expect(seen).toHaveLength(crowds.length * perNamespace);
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen).toEqual(seen.toSorted((a = "", b = "") => (a < b ? -1 : 1)));
});

test("namespace, state and type narrow the list, and what comes to fit or fits no more comes and goes", async () => {
  await status("crowd-c", nameOf(7), { state: "FAILED", observedGeneration: 1 });
  const page = await open("/workflows?state=FAILED&type=Ingress");
  expect(await places(page)).toEqual([`crowd-c/${nameOf(7)}`]);
  await status("crowd-a", nameOf(9), { state: "FAILED", observedGeneration: 1 });
  await expect.poll(() => places(page), patience).toEqual([`crowd-a/${nameOf(9)}`, `crowd-c/${nameOf(7)}`]);
  await status("crowd-c", nameOf(7), { state: "STOPPED" });
  await expect.poll(() => places(page), patience).toEqual([`crowd-a/${nameOf(9)}`]);
  await page.getByLabel("Status").selectOption("All states");
  await page.getByText("Page 1 of 20").waitFor();
  await page.getByLabel("Namespace").selectOption("crowd-d");
  await page.getByText("Page 1 of 3").waitFor();
  await page.getByLabel("Type").selectOption("Egress");
  await page.getByText("There is no workflow here.").waitFor();
});

test("a page in the middle shows what changes, comes and goes among its own rows, and nothing of the others", async () => {
  const page = await open("/workflows?namespace=crowd-b&page=2");
  const before = await places(page);
  expect(before).toHaveLength(rowsAPage);
  expect(before[0]).toBe(`crowd-b/${nameOf(100)}`);
  const { client } = on.ground.cluster;
  const make = (name: string) =>
    client.create(workflows, { metadata: { namespace: "crowd-b", name }, spec: written() });
  await make(`${nameOf(50)}-more`);
  await make(`${nameOf(250)}-more`);
  await make(`${nameOf(150)}-more`);
  await client.delete(workflows, { namespace: "crowd-b", name: nameOf(120) });
  await status("crowd-b", nameOf(199), { backlog: 1234 });
  await page
    .locator(`[data-place="crowd-b/${nameOf(199)}"]`)
    .getByText("1,234")
    .waitFor();
  const expected = before.filter((place) => place !== `crowd-b/${nameOf(120)}`);
  expected.splice(expected.indexOf(`crowd-b/${nameOf(150)}`) + 1, 0, `crowd-b/${nameOf(150)}-more`);
  expect(await places(page)).toEqual(expected);
  // The numbers are those of the load, and say so.
  expect(await page.locator("#counts").textContent()).toMatch(/^250: .*(now|ago)/);
});

test("a burst of changes ends in the newest of each, in few drawings", async () => {
  const page = await open("/workflows?namespace=crowd-e");
  await page.evaluate(`globalThis.drawn = 0;
    new MutationObserver(() => { globalThis.drawn += 1; }).observe(document.querySelector("#rows"), { subtree: true, childList: true });`);
  const rounds = 5;
  const began = performance.now();
  for (let round = 1; round <= rounds; round += 1) {
    await Promise.all(
      Array.from({ length: rowsAPage }, (_, index) =>
        status("crowd-e", nameOf(index), { backlog: round * 1000 + index }),
      ),
    );
  }
  const figures = () =>
    page.locator("#rows [data-backlog]").evaluateAll((all) => all.map(({ dataset }) => Number(dataset["backlog"])));
  const newest = Array.from({ length: rowsAPage }, (_, index) => rounds * 1000 + index);
  await expect.poll(figures, patience).toEqual(newest);
  // Half as many as changes; more only where the writes take so long that there is time for them between two messages.
  const most = Math.max((rounds * rowsAPage) / 2, (performance.now() - began) / 50);
  expect(await page.evaluate<number>("globalThis.drawn")).toBeLessThan(most);
});

test("whoever opens streams and reads nothing makes the server keep nothing, and is sent away", async () => {
  const { url, server } = on.ground;
  const { page } = await on.enter("overseer");
  const place = { namespace: "crowd-f", name: nameOf(0) };
  await page.goto(`${url}/workflows/${place.namespace}/${place.name}`);
  const live = await page.evaluate<string>("document.body.dataset.live");
  const cookie = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
  // Not left for another page: a browser keeps what it may go back to, and a stream with it that it does not read.
  await page.context().close();
  const readers = Array.from({ length: 10 }, () => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1").pause();
    socket.write(`GET ${live} HTTP/1.1\r\nhost: ${new URL(url).host}\r\ncookie: ${cookie}\r\n\r\n`);
    return socket.on("error", () => {});
  });
  const residentMegabytes = () =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))?.[1]) / 1000;
  const before = residentMegabytes();
  const stuck = () => on.ground.log.filter(({ message }) => message === "stream.stuck").length;
  let largest = 0;
  // Of every change each of them is owed a third of a megabyte.
  for (let change = 0; change < 400 && stuck() < readers.length; change += 1) {
    const conditions = ["Ready", "Running", "Stalled"].map((type) => ({
      ...{ type, status: "True", lastTransitionTime: "2026-11-21T10:00:00Z", reason: `Change${change}` },
      message: `${change} `.repeat(32_000 / `${change} `.length),
    }));
    await status(place.namespace, place.name, { state: "RUNNING", conditions });
    largest = Math.max(largest, residentMegabytes());
  }
  await expect.poll(stuck, patience).toBe(readers.length);
  for (const reader of readers) reader.destroy();
  expect(largest - before).toBeLessThan(400);
});
