/** Every page, in light and dark, at a desk and on a phone, by axe: no violation. */
import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { violations } from "./axe.ts";
import { startBrowser } from "./browser.ts";
import { ConsoleGround } from "./ground.ts";

let ground: ConsoleGround;
let browser: Browser;
let token: string;

beforeAll(async () => {
  ground = await ConsoleGround.make(inject("kubeconfig"));
  await ground.cluster.operator();
  browser = await startBrowser();
  token = await ground.person("person", "get", "list", "watch", "patch");
});
afterAll(async () => {
  await browser?.close();
  await ground?.end();
});

test.each([
  ["light, at a desk", "light", { width: 1280, height: 800 }],
  ["dark, at a desk", "dark", { width: 1280, height: 800 }],
  ["light, on a phone", "light", { width: 320, height: 640 }],
  ["dark, on a phone", "dark", { width: 320, height: 640 }],
] as const)("%s", async (_name, colorScheme, viewport) => {
  const { cluster } = ground;
  await cluster.apply("running", { state: "Running" });
  await cluster.apply("stopped");
  for (const example of ["egress", "opt-in-out"]) {
    const { spec } = load(readFileSync(`examples/${example}.yaml`, "utf8")) as { spec: object };
    await cluster.apply(example, { ingress: undefined, ...spec });
  }
  const rich = load(readFileSync("examples/ingress.yaml", "utf8")) as object;
  const metadata = { name: "rich", namespace: cluster.namespace };
  await cluster.server.kubectl(["apply", "--server-side", "--field-manager=kustomize-controller", "-f", "-"], {
    ...rich,
    metadata,
  });
  await cluster.until("running", { state: "RUNNING" });
  await cluster.patch("running", { worker: { terminationGracePeriodSeconds: 61 } });
  await cluster.until("running", { pendingRestart: true });
  await cluster.until("stopped", { state: "STOPPED" });
  const page = await (await browser.newContext({ colorScheme, viewport })).newPage();
  const at = async (path: string) => {
    await page.goto(`${ground.url}${path}`);
    expect(await violations(page), path).toEqual([]);
    // Nothing makes the page wider than the screen: what is wide scrolls by itself.
    expect(await page.evaluate("document.documentElement.scrollWidth"), path).toBeLessThanOrEqual(viewport.width);
  };
  await at("/sign-in");
  await page.getByLabel("Token").fill("nonsense");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  expect(await violations(page)).toEqual([]);
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Which namespace?" }).waitFor();
  expect(await violations(page)).toEqual([]);
  await at(`/workflows?namespace=${cluster.namespace}`);
  await at(`/workflows?namespace=${cluster.namespace}&state=FAILED`);
  await at(`/workflows/${cluster.namespace}/running`);
  await at(`/workflows/${cluster.namespace}/running/stop`);
  await at(`/workflows/${cluster.namespace}/running/restart`);
  await at(`/workflows/${cluster.namespace}/running/logs`);
  await at(`/workflows/${cluster.namespace}/nobody`);
  for (const example of ["rich", "egress", "opt-in-out"]) await at(`/workflows/${cluster.namespace}/${example}/edit`);
  await at("/new-workflow");
  for (const type of ["Ingress", "Egress", "OptInOut"]) {
    await at(`/new-workflow?type=${type}&namespace=${cluster.namespace}&name=mine`);
  }
  await at(`/workflows/${cluster.namespace}/rich/edit?view=yaml`);
  await at(`/workflows/${cluster.namespace}/rich/edit`);
  const unfold = () =>
    page.locator("details").evaluateAll((all) => {
      for (const one of all) one.setAttribute("open", "");
    });
  await unfold();
  for (const name of ["Filter", "Replacement", "Link", "Fixed value"]) {
    const before = await page.locator("#edit fieldset").count();
    await page
      .getByRole("button", { name: `Add: ${name}` })
      .first()
      .click();
    await expect.poll(() => page.locator("#edit fieldset").count()).toBeGreaterThan(before);
  }
  await unfold();
  await page.locator("#outcome").getByText("refused").waitFor({ state: "detached" });
  await page.getByLabel("Campaign resource").first().fill("not a name");
  await page.locator("#outcome").getByText("refused").waitFor();
  expect(await violations(page)).toEqual([]);
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(viewport.width);
  await at(`/workflows/${cluster.namespace}/rich/edit`);
  await page.getByLabel("Dynamics 365 column").first().fill("nickname");
  await page.getByRole("button", { name: "Review changes" }).click();
  await page.getByText('"kustomize-controller" wrote these').waitFor();
  expect(await violations(page)).toEqual([]);
  await cluster.patch("rich", { revisionHistoryLimit: 4 });
  await page.getByLabel("Overrule kustomize-controller once").check();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name: /was edited by somebody else/ }).waitFor();
  expect(await violations(page)).toEqual([]);
  await page.context().close();
  await cluster.kubectl("delete", "iw", "--all");
});
