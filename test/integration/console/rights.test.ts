/** Who may do what, as the page shows it: in two namespaces, while rights are given and taken away, and when they are gone. */
import type { Locator, Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import { makeNamespace } from "../api/api-server.ts";
import { patience } from "../operator/ground.ts";
import { stage } from "./stage.ts";

const look = ["get", "list", "watch"];
const on = stage({
  anna: look,
  bert: [...look, "patch"],
  overseer: [],
  promoted: look,
  dismissed: look,
  leaver: look,
});

let other: string;

beforeAll(async () => {
  const { cluster } = on.ground;
  other = await makeNamespace(cluster.server, "other");
  const rights = [
    ["anna", [...look, "patch"]],
    ["bert", look],
  ] as const;
  for (const [name, verbs] of rights) {
    const role = [`--verb=${verbs.join(",")}`, "--resource=integrationworkflows"];
    await cluster.server.kubectl(["-n", other, "create", "role", name, ...role]);
    const subject = `--serviceaccount=${cluster.namespace}:${name}`;
    await cluster.server.kubectl(["-n", other, "create", "rolebinding", name, `--role=${name}`, subject]);
  }
  const manifest = { apiVersion: "integrationworkflow.io/v1", kind: "IntegrationWorkflow" };
  await cluster.apply("here");
  const { spec } = await cluster.workflow("here");
  const metadata = { name: "there", namespace: other };
  await cluster.server.kubectl(["apply", "-f", "-"], { ...manifest, metadata, spec });
});

async function mayStart(page: Page, name: string): Promise<boolean> {
  const button = page.getByRole("button", { name: `Start ${name}` });
  if (await button.isEnabled()) return true;
  expect(await button.getAttribute("title")).toMatch(/^You may not start or stop workflows in namespace .*: ask for/);
  return false;
}

async function bind(name: string, ...verbs: readonly string[]): Promise<void> {
  const { cluster } = on.ground;
  const role = `${name}-${verbs.join("-")}`;
  await cluster.kubectl("create", "role", role, `--verb=${verbs.join(",")}`, "--resource=integrationworkflows");
  const subject = `--serviceaccount=${cluster.namespace}:${name}`;
  await cluster.kubectl("create", "rolebinding", role, `--role=${role}`, subject);
}

function liveness(page: Page): Promise<string | null> {
  return page.locator("#liveness").textContent();
}

test("of two people each may change what is theirs, and sees why not the other's; whoever may not see all names a namespace", async () => {
  const { url, cluster } = on.ground;
  for (const [name, mine] of [
    ["anna", false],
    ["bert", true],
  ] as const) {
    const { page } = await on.enter(name);
    expect(await mayStart(page, "here")).toBe(mine);
    await page.goto(`${url}/workflows`);
    await page.getByRole("heading", { name: "Which namespace?" }).waitFor();
    await page.getByLabel("Namespace").fill(other);
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByRole("row", { name: /there/ }).waitFor();
    expect(await mayStart(page, "there")).toBe(!mine);
    await page.goto(`${url}/workflows?namespace=kube-system`);
    await page.getByText(`cannot list resource "integrationworkflows"`).waitFor();
    expect(await page.getByRole("row").count()).toBe(0);
  }
  expect((await cluster.workflow("here")).metadata.generation).toBe(1);
});

test("whoever sees all and may change some has buttons there alone", async () => {
  const { cluster, url } = on.ground;
  const { namespace } = cluster;
  const role = `overseer-of-${namespace}`;
  await cluster.kubectl("create", "clusterrole", role, "--verb=get,list,watch", "--resource=integrationworkflows");
  await cluster.kubectl(
    "create",
    "clusterrolebinding",
    role,
    `--clusterrole=${role}`,
    `--serviceaccount=${namespace}:overseer`,
  );
  await bind("overseer", "patch");
  const { page } = await on.enter("overseer");
  // Other files' workflows are on the list, too: it may have more pages than one.
  const button = async (place: string): Promise<Locator> => {
    const row = page.locator(`[data-place="${place}"]`);
    const isShown = async () => {
      await page.goto(`${url}/workflows`);
      const next = page.getByRole("link", { name: "Next" });
      while ((await row.count()) === 0 && (await next.count()) > 0) await next.click();
      return row.count();
    };
    await expect.poll(isShown, patience).toBe(1);
    return row.getByRole("button", { name: /Start/ });
  };
  expect(await (await button(`${namespace}/here`)).isEnabled()).toBe(true);
  expect(await (await button(`${other}/there`)).isDisabled()).toBe(true);
});

test("a right that is given or taken away shows on pages that are open, without a reload", async () => {
  const { cluster, url } = on.ground;
  const list = (await on.enter("promoted")).page;
  const one = await list.context().newPage();
  await one.goto(`${url}/workflows/${cluster.namespace}/here`);
  for (const page of [list, one]) {
    await expect.poll(() => liveness(page), patience).toBe("Live");
    await page.evaluate("globalThis.stayed = true");
    expect(await mayStart(page, "here")).toBe(false);
  }
  await bind("promoted", "patch");
  for (const page of [list, one]) await expect.poll(() => mayStart(page, "here"), patience).toBe(true);
  await cluster.kubectl("delete", "rolebinding", "promoted-patch");
  for (const page of [list, one]) {
    await expect.poll(() => mayStart(page, "here"), patience).toBe(false);
    expect(await page.evaluate("globalThis.stayed")).toBe(true);
  }
});

test("whose right to watch is taken away sees nothing new, and is told so", async () => {
  const { cluster, url } = on.ground;
  const list = (await on.enter("dismissed")).page;
  const one = await list.context().newPage();
  await one.goto(`${url}/workflows/${cluster.namespace}/here`);
  for (const page of [list, one]) await expect.poll(() => liveness(page), patience).toBe("Live");
  await cluster.kubectl("delete", "rolebinding", "dismissed");
  for (const page of [list, one]) {
    await expect
      .poll(() => liveness(page), patience)
      .toMatch(/^Not live since .*: you may not watch these workflows any more\. Load the page again$/);
  }
  const status = JSON.stringify({ status: { backlog: 815 } });
  await cluster.kubectl("patch", "iw", "here", "--subresource=status", "--type=merge", "-p", status);
  await list.getByRole("link", { name: "Load the page again" }).click();
  await list.getByText(`cannot list resource "integrationworkflows"`).waitFor();
  expect(await one.getByText("815").count()).toBe(0);
});

test("whose token the cluster takes no more is told that the sign-in has ended", async () => {
  const { page } = await on.enter("leaver");
  await expect.poll(() => liveness(page), patience).toBe("Live");
  await on.ground.cluster.kubectl("delete", "serviceaccount", "leaver");
  await expect
    .poll(() => liveness(page), patience)
    .toMatch(/^Not live since .*: your sign-in has ended\. Sign in again$/);
  await page.getByRole("link", { name: "Sign in again" }).click();
  await page.getByLabel("Token").waitFor();
  expect(new URL(page.url()).searchParams.get("to")).toContain(`namespace=${on.ground.cluster.namespace}`);
});
