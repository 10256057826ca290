/** What a page does when somebody between it and the cluster is gone, and when they come back: it says so, and misses nothing. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { controlPlaneBinaries } from "../../../cluster/binaries.ts";
import { type ControlPlane, startControlPlane } from "../../../cluster/control-plane.ts";
import { installCrd } from "../api/api-server.ts";
import { patience } from "../operator/ground.ts";
import { stage } from "./stage.ts";

const folder = mkdtempSync(join(tmpdir(), "console-outages-"));
const keyFile = join(folder, "key");
const newKey = () => writeFileSync(keyFile, randomBytes(32).toString("base64"));

let controlPlane: ControlPlane;
beforeAll(async () => {
  newKey();
  controlPlane = await startControlPlane({ binaries: await controlPlaneBinaries(process.env, console.error) });
});
afterAll(async () => {
  await controlPlane?.stop();
  rmSync(folder, { recursive: true });
});
const kubeconfig = async () => controlPlane.kubeconfigPath;
const flags = ["--session-key-file", keyFile, "--log-level", "debug"];
const on = stage({ viewer: ["get", "list", "watch"] }, { kubeconfig, flags });

/** The list, live, with a mark that a reload would take away. */
async function openList(...names: readonly string[]): Promise<Page> {
  for (const name of names) await on.ground.cluster.apply(name);
  const { page } = await on.enter("viewer");
  await untilLive(page);
  await page.evaluate("globalThis.stayed = true");
  return page;
}

function untilLive(page: Page): Promise<void> {
  return expect.poll(() => page.locator("#liveness").textContent(), patience).toBe("Live");
}

function untilNotLive(page: Page): Promise<void> {
  return expect.poll(() => page.locator("#liveness").textContent(), patience).toMatch(/^Not live since .*\d.*: /);
}

/** Deletes one and counts another, and waits until the page shows both, live, and without a reload. */
async function expectCaughtUp(page: Page, comeBack: () => Promise<unknown> | unknown): Promise<void> {
  const { cluster } = on.ground;
  await cluster.kubectl("delete", "iw", "deleted");
  const status = JSON.stringify({ status: { backlog: 4711 } });
  await cluster.kubectl("patch", "iw", "kept", "--subresource=status", "--type=merge", "-p", status);
  await comeBack();
  const rows = page.locator("#rows tr");
  await expect
    .poll(() => rows.evaluateAll((all) => all.map(({ dataset }) => dataset["name"])), patience)
    .not.toContain("deleted");
  await page.getByRole("row", { name: /kept/ }).getByText("4,711").waitFor();
  await untilLive(page);
  expect(await page.evaluate("globalThis.stayed")).toBe(true);
}

const pauseServer = () => process.kill(on.ground.server.pid ?? 0, "SIGSTOP");
const wakeServer = () => process.kill(on.ground.server.pid ?? 0, "SIGCONT");

test("an API server that was killed and started again is followed from where it is, also when it has forgotten where that was", async () => {
  const page = await openList("kept", "deleted");
  await controlPlane.killApiServer();
  await untilNotLive(page);
  // It knows no version any more that was before its start.
  pauseServer();
  await controlPlane.startApiServer();
  await expectCaughtUp(page, wakeServer);
});

test("an API server that answers no more is told of, although no connection was cut", async () => {
  const page = await openList("kept", "deleted");
  const pid = controlPlane.apiServerPid() ?? 0;
  process.kill(pid, "SIGSTOP");
  try {
    await untilNotLive(page);
  } finally {
    process.kill(pid, "SIGCONT");
  }
  await expectCaughtUp(page, () => {});
});

test("a page's server that was killed and started again goes on with the pages that are open", async () => {
  const page = await openList("kept", "deleted");
  await on.ground.server.kill();
  await untilNotLive(page);
  await expectCaughtUp(page, () => on.ground.restart());
});

test("a browser that was offline catches up", async () => {
  const page = await openList("kept", "deleted");
  await page.context().setOffline(true);
  await untilNotLive(page);
  await expectCaughtUp(page, () => page.context().setOffline(false));
});

test("a machine that slept says since when it has heard nothing, and catches up", async () => {
  const page = await openList("kept", "deleted");
  await page.clock.install();
  await page.reload();
  await untilLive(page);
  await page.evaluate("globalThis.stayed = true");
  pauseServer();
  try {
    await page.clock.fastForward("01:00:00");
    await untilNotLive(page);
  } finally {
    wakeServer();
  }
  await expectCaughtUp(page, () => {});
});

test("a page that nobody looks at keeps no connection, and is up to date when somebody looks", async () => {
  const page = await openList("kept", "deleted");
  const look = (state: string) =>
    page.evaluate(`Object.defineProperty(document, "visibilityState", { configurable: true, value: "${state}" });
      document.dispatchEvent(new Event("visibilitychange"));`);
  const streams = () => on.ground.log.filter(({ message }) => message === "stream.closed").length;
  const before = streams();
  await look("hidden");
  await expect.poll(streams, patience).toBe(before + 1);
  await expectCaughtUp(page, () => look("visible"));
});

test("whose sign-in is over is told so, and comes back to the same page by signing in", async () => {
  const page = await openList("kept");
  await page.getByRole("link", { name: "kept" }).click();
  // The list that is left is live as well.
  await page.getByRole("heading", { name: "kept" }).waitFor();
  await untilLive(page);
  const address = page.url();
  newKey();
  await on.ground.restart();
  await expect
    .poll(() => page.locator("#liveness").textContent(), patience)
    .toMatch(/^Not live since .*: your sign-in has ended\. Sign in again$/);
  await page.getByRole("link", { name: "Sign in again" }).click();
  await page.getByLabel("Token").fill(on.token("viewer"));
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "kept" }).waitFor();
  expect(page.url()).toBe(address);
  await untilLive(page);
});

test("a page's server that starts before its API server answers people as soon as that one does", async () => {
  await controlPlane.killApiServer();
  await on.ground.restart();
  const page = await (await on.browser.newContext()).newPage();
  await page.goto(`${on.ground.url}/workflows?namespace=${on.ground.cluster.namespace}`);
  await page.getByLabel("Token").fill(on.token("viewer"));
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("could not be asked").waitFor();
  await controlPlane.startApiServer();
  await page.goBack();
  await page.getByLabel("Token").fill(on.token("viewer"));
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Workflows" }).waitFor();
  await page.context().close();
});

test("a workflow that is deleted says so on its page, and is there again when it is made again", async () => {
  const page = await openList("deleted");
  await page.getByRole("link", { name: "deleted" }).click();
  // The list that is left is live as well.
  await page.getByRole("heading", { name: "deleted" }).waitFor();
  await untilLive(page);
  await on.ground.cluster.kubectl("delete", "iw", "deleted");
  await page.getByText("This workflow was deleted.").waitFor();
  expect(await page.getByRole("button", { name: /Start|Stop|Edit/ }).count()).toBe(0);
  await on.ground.cluster.apply("deleted");
  await page.getByRole("button", { name: "Start deleted" }).waitFor();
});

test("of a cluster without workflows the list says so, and shows the first one that is made; without their definition it says what is missing", async () => {
  const { cluster, url } = on.ground;
  await cluster.kubectl("delete", "iw", "--all");
  const { page } = await on.enter("viewer");
  await page.getByText("There is no workflow here.").waitFor();
  await untilLive(page);
  await page.evaluate("globalThis.stayed = true");
  await cluster.apply("first");
  await page.getByRole("row", { name: /first/ }).waitFor();
  expect(await page.evaluate("globalThis.stayed")).toBe(true);
  await cluster.kubectl("delete", "crd", "integrationworkflows.integrationworkflow.io");
  await page.getByRole("row", { name: /first/ }).waitFor({ state: "detached" });
  // Deleted, it is served for a moment more.
  await expect
    .poll(async () => {
      await page.goto(`${url}/workflows?namespace=${cluster.namespace}`);
      return page.locator("main").textContent();
    }, patience)
    .toContain("the operator's resource definition is not installed");
  await installCrd(cluster.server);
});
