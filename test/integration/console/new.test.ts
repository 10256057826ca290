/** Making a workflow on the page, in a real browser, over the real API server. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { violations } from "./axe.ts";
import { startBrowser } from "./browser.ts";
import { field, mapping } from "./editing.ts";
import { ConsoleGround } from "./ground.ts";
import { signedIn } from "./signed-in.ts";

let ground: ConsoleGround;
let browser: Browser;
let maker: string;

beforeAll(async () => {
  ground = await ConsoleGround.make(inject("kubeconfig"));
  browser = await startBrowser();
  maker = await ground.person("maker", "get", "list", "watch", "create", "patch");
});
afterAll(async () => {
  await browser?.close();
  await ground?.end();
});

test.each([
  ["Ingress", "Microsoft Dynamics 365 to Campaign", true],
  ["Egress", "Campaign to Microsoft Dynamics 365", true],
  ["OptInOut", "Opt-In/Out", false],
] as const)("%s is made stopped, with what the form says", async (type, known, javaScriptEnabled) => {
  const { namespace } = ground.cluster;
  const name = `made-${type.toLowerCase()}`;
  const { page, complaints } = await signedIn(browser, ground, maker, { javaScriptEnabled });
  await page.getByRole("link", { name: "New workflow" }).click();
  await page.getByLabel(known).check();
  await page.getByLabel("Namespace").fill(namespace);
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByRole("heading", { name: `New workflow ${name} in ${namespace}` }).waitFor();
  if (javaScriptEnabled) expect(await violations(page)).toEqual([]);
  // What is missing is told at its field, and nothing is made.
  await page.getByRole("button", { name: "Review changes" }).click();
  await page.locator("#outcome").getByText("refused").waitFor();
  const values = {
    "spec.dynamics.url": "https://contoso.crm.dynamics.com",
    "spec.dynamics.credentialsSecretRef.name": "dynamics",
    "spec.campaign.url": "https://mc.adobe.io/contoso/campaign",
    "spec.campaign.credentialsSecretRef.name": "campaign",
    "spec.campaign.engineCallsPerSecond": "2",
    ...(type === "Ingress"
      ? {}
      : {
          "spec.campaign.sftp.host": "contoso.campaign.adobe.com",
          "spec.campaign.sftp.username": "contoso",
          "spec.campaign.sftp.path": "exports",
          "spec.campaign.sftp.hostKey":
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJmeCrmfqK0MTjMVBDCBz0FL3W3vCfRCFMhpHfEvD5nT",
          "spec.campaign.sftp.credentialsSecretRef.name": "campaign-sftp",
          "spec.campaign.sftp.format.timeZone": "Europe/Paris",
        }),
  };
  for (const [path, value] of Object.entries(values)) {
    const section = page.locator("details", { has: field(page, path) }).first();
    if ((await section.getAttribute("open")) === null) await section.locator("summary").first().click();
    await field(page, path).fill(value);
  }
  if (type === "Ingress") await field(page, `${mapping}.fields[2].applyUpdates`).uncheck();
  await page.getByRole("button", { name: "Review changes" }).click();
  await page.getByRole("heading", { name: `Make ${name}?` }).waitFor();
  if (javaScriptEnabled) expect(await violations(page)).toEqual([]);
  await page.getByRole("button", { name: "Make it" }).click();
  await page.locator(".said").getByText("It is made, and stopped").waitFor();
  const { spec } = await ground.cluster.workflow(name);
  expect(spec).toMatchObject({ type, state: "Stopped", dynamics: { credentialsSecretRef: { name: "dynamics" } } });
  if (type === "Ingress") {
    expect(spec.ingress?.mappings[0]).toMatchObject({ table: "contact", resource: "profile" });
    expect(spec.ingress?.mappings[0]?.fields.map(({ applyUpdates }) => applyUpdates)).toEqual([true, true, false]);
  }
  expect(complaints.filter((text) => !text.includes("422"))).toEqual([]);
});

test("a name that is taken is told, and what is there is left alone", async () => {
  await ground.cluster.apply("taken");
  const { page } = await signedIn(browser, ground, maker);
  await page.goto(`${ground.url}/new-workflow?type=Ingress&namespace=${ground.cluster.namespace}&name=taken`);
  const values = {
    "spec.dynamics.url": "https://contoso.crm.dynamics.com",
    "spec.dynamics.credentialsSecretRef.name": "other",
    "spec.campaign.url": "https://mc.adobe.io/contoso/campaign",
    "spec.campaign.credentialsSecretRef.name": "other",
    "spec.campaign.engineCallsPerSecond": "2",
  };
  await page.locator("details").evaluateAll((all) => {
    for (const one of all) one.setAttribute("open", "");
  });
  for (const [path, value] of Object.entries(values)) await field(page, path).fill(value);
  await page.getByRole("button", { name: "Review changes" }).click();
  await page.locator("#outcome").getByText("There is a workflow taken in this namespace already").waitFor();
  expect((await ground.cluster.workflow("taken")).spec.dynamics.credentialsSecretRef.name).not.toBe("other");
});

test("who may not make workflows is told so", async () => {
  const reader = await ground.person("reader", "get", "list", "watch", "patch");
  const { page } = await signedIn(browser, ground, reader);
  const { namespace } = ground.cluster;
  await page.goto(`${ground.url}/new-workflow?type=OptInOut&namespace=${namespace}&name=mine`);
  await page.getByRole("note").getByText(`You may not make workflows in namespace ${namespace}`).waitFor();
  expect(await page.getByRole("button", { name: "Review changes" }).isDisabled()).toBe(true);
});

test("a name or a namespace that cannot be is told before the form is shown", async () => {
  const { page } = await signedIn(browser, ground, maker);
  await page.goto(`${ground.url}/new-workflow?type=Ingress&namespace=crm&name=${encodeURIComponent("<b>No</b>")}`);
  await page.getByRole("alert").getByText("Enter a name").waitFor();
  expect(await page.getByLabel("Name", { exact: true }).inputValue()).toBe("<b>No</b>");
  expect(await violations(page)).toEqual([]);
});
