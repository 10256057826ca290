/** The page in a real browser, over the real API server and operator. */
import { expect, test } from "vitest";
import { patience } from "../operator/ground.ts";
import { stage } from "./stage.ts";

const on = stage(
  { editor: ["get", "list", "watch", "patch", "update"], viewer: ["get", "list", "watch"] },
  { operator: true },
);

test("after signing in, a person sees the list; a start and a stop show what was asked and then what is", async () => {
  await on.ground.cluster.apply("contacts");
  await on.ground.cluster.until("contacts", { state: "STOPPED" });
  const { page, complaints } = await on.enter("editor");
  const row = page.getByRole("row", { name: /contacts/ });
  await row.getByText("STOPPED").waitFor();
  await row.getByRole("button", { name: "Start contacts" }).click();
  await page.locator(".said").getByText("It was asked to start").waitFor();
  await page.getByText("RUNNING", { exact: true }).first().waitFor();

  await page.getByRole("button", { name: "Stop contacts" }).click();
  await page.getByRole("heading", { name: "Stop contacts?" }).waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.locator(".said").getByText("It was asked to stop").waitFor();
  await page.locator("#summary").getByText("STOPPED", { exact: true }).waitFor();
  expect(complaints).toEqual([]);
});

test("the list follows the cluster without a reload, and Stop warns when edits wait", async () => {
  await on.ground.cluster.apply("followed", { state: "Running" });
  await on.ground.cluster.until("followed", { state: "RUNNING" });
  const { page, complaints } = await on.enter("viewer");
  const row = page.getByRole("row", { name: /followed/ });
  await expect.poll(() => page.locator("#liveness").textContent(), patience).toBe("Live");
  expect(await row.getByRole("button", { name: /Stop followed/ }).isDisabled()).toBe(true);
  await on.ground.cluster.patch("followed", { worker: { terminationGracePeriodSeconds: 61 } });
  await row.getByRole("button", { name: "Stop followed: Edits wait for a stop and start" }).waitFor();
  await on.ground.cluster.patch("followed", { state: "Stopped" });
  await row.getByText("STOPPED").waitFor();
  expect(complaints).toEqual([]);
});

test("a choice that is made before the page's script runs narrows the list all the same", async () => {
  await on.ground.cluster.apply("early");
  const { page } = await on.enter("viewer");
  await expect.poll(() => page.locator("#liveness").textContent(), patience).toBe("Live");
  const script = Promise.withResolvers<void>();
  const [source] = await page.locator("script[src]").evaluateAll((all) => all.map((one) => one.getAttribute("src")));
  await page.route(`**${source}`, async (route) => {
    await script.promise;
    await route.continue();
  });
  await page.goto(page.url(), { waitUntil: "commit" });
  await page.getByLabel("Type").selectOption("Egress");
  expect(new URL(page.url()).searchParams.get("type")).toBeNull();
  script.resolve();
  await page.waitForURL((url) => url.searchParams.get("type") === "Egress");
});

test("who may only look keeps seeing why Stop is out of reach, also after a change", async () => {
  await on.ground.cluster.apply("looked-at", { state: "Running" });
  await on.ground.cluster.until("looked-at", { state: "RUNNING" });
  const { page } = await on.enter("viewer");
  const row = page.getByRole("row", { name: /looked-at/ });
  await expect.poll(() => page.locator("#liveness").textContent(), patience).toBe("Live");
  await on.ground.cluster.patch("looked-at", { state: "Stopped" });
  const start = row.getByRole("button", { name: "Start looked-at" });
  await start.waitFor();
  expect(await start.isDisabled()).toBe(true);
  expect(await start.getAttribute("title")).toContain("You may not start or stop workflows");
});

test("a workflow that is made appears in its place, one that is deleted goes, and the numbers follow", async () => {
  const { page } = await on.enter("viewer");
  await expect.poll(() => page.locator("#liveness").textContent(), patience).toBe("Live");
  const before = await page.getByRole("row").count();
  await on.ground.cluster.apply("aaa-first");
  await page.getByRole("row", { name: /aaa-first/ }).waitFor();
  expect(await page.locator("#rows tr").first().textContent()).toContain("aaa-first");
  await expect.poll(() => page.locator("#counts").textContent(), patience).toMatch(new RegExp(`^${before}: `));
  await on.ground.cluster.kubectl("delete", "iw", "aaa-first");
  await expect.poll(() => page.getByRole("row").count(), patience).toBe(before);
});

test("a workflow's page shows its runs and Events to whoever may read them, and goes back to an earlier run as an edit", async () => {
  await on.ground.cluster.apply("reverted", { state: "Running" });
  await on.ground.cluster.until("reverted", { state: "RUNNING" });
  await on.ground.cluster.patch("reverted", { worker: { terminationGracePeriodSeconds: 61 } });
  await on.ground.cluster.until("reverted", { pendingRestart: true });
  const { page, complaints } = await on.enter("editor");
  await page.goto(`${on.ground.url}/workflows/${on.ground.cluster.namespace}/reverted`);
  await page.getByText("You may not get Deployments").waitFor();
  await page.getByText("You may not list Events").waitFor();
  const { namespace } = on.ground.cluster;
  await on.ground.cluster.kubectl(
    "create",
    "rolebinding",
    "may-read",
    "--clusterrole=view",
    `--serviceaccount=${namespace}:editor`,
  );
  // A right that is given takes a moment to be known everywhere.
  await expect
    .poll(async () => {
      await page.reload();
      return page.getByRole("region", { name: "Runs" }).count();
    }, patience)
    .toBe(1);
  const events = page.getByRole("region", { name: "Events" });
  await events.getByText("WorkerReady").or(events.getByText("Started")).first().waitFor();
  await page.getByRole("link", { name: "Go back to what run 1 ran" }).click();
  await page.getByRole("button", { name: "Review changes" }).click();
  // The button stands after the table: what comes before it is there.
  await page.getByRole("button", { name: "Save" }).waitFor();
  const changes = page.getByRole("region", { name: "Changes" });
  expect(await changes.getByRole("row").count()).toBe(2);
  expect(await changes.textContent()).toContain("worker.terminationGracePeriodSeconds");
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator(".said").getByText("The edit is saved").waitFor();
  await on.ground.cluster.until("reverted", { pendingRestart: false });
  expect((await on.ground.cluster.workflow("reverted")).spec).toMatchObject({
    state: "Running",
    worker: { terminationGracePeriodSeconds: 60 },
  });
  expect(complaints).toEqual([]);
});
