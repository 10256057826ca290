/** Somebody who has read the README finds out what ails each staged trouble, from the page alone and from the plugin alone. */
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { mendTrouble, stageTroubles, troublesNamed } from "../../../cluster/drill/drill.ts";
import { type World, worldOf } from "../../../cluster/drill/world.ts";
import { stepsOn } from "../../../cluster/steps.ts";
import { startBrowser } from "../../integration/console/browser.ts";
import { chart, installOperator, operatorNamespace, release } from "../workflows/ground.ts";
import { Kubectl } from "../workflows/kubectl.ts";
import { installPage, type PageInCluster } from "./page-in-cluster.ts";
import { Person } from "./person.ts";

const namespace = "troubles";
const patience = { timeout: 180_000 };
let place: PageInCluster;
let world: World;
let browser: Browser;
let practice: Person;

beforeAll(async () => {
  place = await installPage();
  const config = ["--kubeconfig", inject("kubeconfig")];
  world = worldOf({
    kubectl: [inject("kubectl"), ...config],
    helm: [inject("helm"), ...config],
    release: { name: release, namespace: operatorNamespace, chart },
    namespace,
  });
  await stageTroubles(world, troublesNamed(["all"]), stepsOn(process.stdout));
  browser = await startBrowser();
  const admin = new Kubectl(inject("kubectl"), inject("kubeconfig"), namespace);
  practice = await Person.signIn(admin, namespace, "practice");
});
afterAll(async () => {
  await browser?.close();
  place?.close();
  await world?.kubectl(["delete", "namespace", namespace, "--wait=false"]);
  await installOperator();
});

/** What somebody must read to know what is wrong, and what to do about it; on the page and at a terminal alike. */
interface Expected {
  readonly workflow: string;
  readonly state: "STOPPED" | "STARTING" | "RUNNING" | "FAILED";
  readonly wrong: readonly RegExp[];
  readonly toDo: readonly RegExp[];
}

/** As it is rendered: what is folded up or hidden, nobody reads. */
function seen(part: Locator): Promise<string> {
  // biome-ignore lint/performance/useDomNodeTextContent: what a person sees is the point.
  return part.innerText();
}

async function mend(name: string): Promise<void> {
  for (const trouble of troublesNamed([name])) await mendTrouble(world, trouble);
}

async function told({ workflow, state, wrong, toDo }: Expected): Promise<{ page: Page; status: string }> {
  const page = await practice.open(browser, place.url, namespace);
  const row = page.getByRole("row", { name: new RegExp(workflow) });
  expect(await seen(row)).toContain(state);
  await row.getByRole("link", { name: workflow }).click();
  await page.getByRole("heading", { name: workflow, level: 1 }).waitFor();
  // What stands below it may still be on its way.
  await page.waitForLoadState();
  const onPage = await seen(page.locator("main"));
  const { out: status } = await practice.plugin.run("status", workflow);
  for (const [where, said] of [
    ["page", onPage],
    ["plugin", status],
  ] as const) {
    for (const words of [new RegExp(`\\b${state}\\b`), ...wrong, ...toDo]) expect(said, where).toMatch(words);
  }
  return { page, status };
}

/** The page says by itself, without a reload, that all is well. */
async function isWell(page: Page): Promise<void> {
  await page.locator("#summary").getByText("RUNNING", { exact: true }).waitFor(patience);
  await page.locator("#advice:empty").waitFor({ ...patience, state: "attached" });
}

/** The command that the plugin names for this, as it stands there. */
async function doAsTold(status: string, verb: string): Promise<void> {
  const command = new RegExp(`kubectl iw (${verb} \\S+)`).exec(status)?.[1];
  expect(command, status).toBeDefined();
  const { code, err } = await practice.plugin.run(...(command ?? "").split(" "), "--wait");
  expect(code, err).toBe(0);
}

async function edit(page: Page, workflow: string): Promise<void> {
  await page.getByRole("button", { name: `Edit ${workflow}` }).click();
  await page.getByRole("heading", { name: `Edit ${workflow}` }).waitFor();
}

async function saveAndRestart(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Review changes" }).click();
  const save = page.getByRole("button", { name: "Save" });
  await save.waitFor({ timeout: 30_000 }).catch(async (cause: unknown) => {
    throw new Error(`nothing to save: ${await seen(page.locator("main"))}`, { cause });
  });
  await save.click();
  await page.locator(".said").getByText("The edit is saved").waitFor();
  await page
    .locator("#pending")
    .getByRole("button", { name: /^Stop and start/ })
    .click();
  await page.getByRole("heading", { level: 1, name: /^Stop and start/ }).waitFor();
  await page.getByRole("button", { name: "Stop and start" }).click();
  await page.locator(".said").getByText("It was asked to stop and start").waitFor();
}

describe.concurrent("from the page alone, and from the plugin alone", () => {
  test("stopped: nothing syncs, since when, and Start", async () => {
    const { page } = await told({
      workflow: "accounts",
      state: "STOPPED",
      wrong: [/stopped, as it was asked to be/, /Nothing syncs while it is stopped/],
      toDo: [/kubectl iw start accounts/],
    });
    await page.getByRole("button", { name: "Start accounts" }).click();
    await isWell(page);
  });

  test("starting slowly: which system does not answer which question; it goes on by itself", async () => {
    const { page } = await told({
      workflow: "tickets",
      state: "STARTING",
      wrong: [/asks the systems what they know of new_ticket|Dataverse did not answer/],
      toDo: [/It tries for as long as it takes/, /kubectl iw logs tickets/],
    });
    await mend("starting-slowly");
    await isWell(page);
  });

  test("wrong secret: which Secret, and its key; mended, a restart tries at once", async () => {
    const { page, status } = await told({
      workflow: "orders",
      state: "FAILED",
      wrong: [/Secret "dynamics-orders"/, /clientSecret/, /AADSTS7000215/],
      toDo: [/check the keys of the Secret/, /kubectl iw restart orders/],
    });
    await practice.kubectl.mergePatch("secret", "dynamics-orders", { stringData: { clientSecret: "sandbox-secret" } });
    await doAsTold(status, "restart");
    await isWell(page);
  });

  test("wrong image: its name, the field that has it, and a restart", async () => {
    const { page } = await told({
      workflow: "products",
      state: "FAILED",
      wrong: [/registry\.invalid\/integration-worker:1\.9\.0/, /pull/],
      toDo: [/worker\.image/, /restart products/],
    });
    await edit(page, "products");
    const image = page.locator('[id="spec.worker.image"]');
    await page
      .locator("details", { has: image })
      .first()
      .evaluate((details) => details.setAttribute("open", ""));
    await image.fill("");
    await saveAndRestart(page);
    await isWell(page);
  });

  test("crash loop: out of memory, the limit to raise, and a restart", async () => {
    const { page } = await told({
      workflow: "surveys",
      state: "FAILED",
      wrong: [/keeps running out of memory/],
      toDo: [/raise worker\.resources\.limits\.memory/, /restart surveys/],
    });
    await edit(page, "surveys");
    await page.getByRole("button", { name: "YAML" }).click();
    const yaml = page.getByRole("textbox", { name: "YAML" });
    await yaml.fill((await yaml.inputValue()).replaceAll("24Mi", "256Mi"));
    await saveAndRestart(page);
    await isWell(page);
  });

  test("schema drift: which column of which table, that it alone pauses, and both ways out", async () => {
    const { page } = await told({
      workflow: "memberships",
      state: "RUNNING",
      wrong: [/column new_level of the table new_membership is gone/, /new_membership\s+Paused/],
      toDo: [/put back/, /take what is gone out of the mapping/, /restart/],
    });
    await edit(page, "memberships");
    const second = page.getByRole("group", { name: /^Field 2/ });
    await vi.waitFor(async () => expect(await second.count()).toBe(2), patience);
    await second
      .first()
      .getByRole("button", { name: /^Remove/ })
      .click();
    await vi.waitFor(async () => expect(await second.count()).toBe(1), patience);
    await saveAndRestart(page);
    await isWell(page);
  });

  test("throttled: who holds it back, how much waits and for how long; it goes on by itself", async () => {
    const { page } = await told({
      workflow: "visits",
      state: "RUNNING",
      wrong: [/Campaign refuses calls because they are too many/, /records are read and wait to be written/],
      toDo: [/written in about \d+/, /goes on by itself/],
    });
    await mend("throttled");
    await page.locator('#summary [data-backlog="0"]').waitFor(patience);
  });

  test("edit pending: which field, from what to what, who made it, and a stop and start", async () => {
    const { page, status } = await told({
      workflow: "contacts",
      state: "RUNNING",
      wrong: [
        /One edit is not in force/,
        /fields\[field=level\]\.applyUpdates\s+true\s+(-> )?false\s+\(?kubectl-patch/,
      ],
      toDo: [/kubectl iw restart contacts/],
    });
    expect(await page.getByRole("button", { name: "Stop contacts: Edits wait for a stop and start" }).count()).toBe(1);
    await doAsTold(status, "restart");
    await isWell(page);
  });
});
