/** Names and texts of people who mean ill, as a worker, an operator or another person could write them: they are read, and do nothing. */
import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { controlPlaneBinaries } from "../../../cluster/binaries.ts";
import { type ControlPlane, startControlPlane } from "../../../cluster/control-plane.ts";
import { apiGroup } from "../../../src/api/group.ts";
import { written } from "../../unit/operator/scene.ts";
import { workflowsPath } from "../api/api-server.ts";
import type { Manifest } from "../api/manifests.ts";
import { patience } from "../operator/ground.ts";
import { startBrowser } from "./browser.ts";
import { stage } from "./stage.ts";

let controlPlane: ControlPlane;
beforeAll(async () => {
  controlPlane = await startControlPlane({ binaries: await controlPlaneBinaries(process.env, console.error) });
});
afterAll(() => controlPlane?.stop());
const rights = ["get", "list", "watch", "patch"];
const on = stage({ person: rights }, { kubeconfig: async () => controlPlane.kubeconfigPath });

afterEach(() => {
  expect(on.ground.log.filter(({ level }) => level === "error")).toEqual([]);
});

const texts = {
  script: "<script>globalThis.ran = true</script>",
  image: `"><img src=x onerror="globalThis.ran = true">`,
  handler: `' onmouseover='globalThis.ran = true' x='`,
  link: `</bdi></section></main><a href="javascript:globalThis.ran = true">x</a>`,
  template: `${"$"}{globalThis.ran = true}{{globalThis.ran = true}}`,
  overridden: "\u202Edelete everything\u202D \u2066isolated\u2067 \u061C",
  unclosed: "\u2067\u202E\u2067\u202E",
  invisible: "ze\u200Bro\u200D\u2060wi\uFEFFdth\u00AD",
  emoji: "👩‍👩‍👧‍👦🏴󠁧󠁢󠁥󠁮󠁧󠁿".repeat(40),
  marks: `Z${"\u0351\u0312\u0363".repeat(300)}`,
  long: "W".repeat(10_000),
  lines: "\n\r\u2028\u2029\tdata: x\n\nevent: end\n\n",
} as const;

/** A resource as no schema of ours would take it: whoever may change the definition can write it. */
async function withoutSchema(): Promise<void> {
  const { server, namespace } = on.ground.cluster;
  const crd = load(readFileSync("crds/integrationworkflows.yaml", "utf8")) as {
    spec: { versions: { schema: unknown; additionalPrinterColumns?: unknown; selectableFields?: unknown }[] };
  };
  for (const version of crd.spec.versions) {
    version.schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
    delete version.additionalPrinterColumns;
    delete version.selectableFields;
  }
  const flags = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
  await server.kubectl(flags, crd);
  // The API server goes by the schema of before for a moment more.
  const shapeless = { apiVersion: `${apiGroup}/v1`, kind: "IntegrationWorkflow", metadata: { name: "none" }, spec: 1 };
  const tried = () =>
    server.request("POST", `${workflowsPath(namespace)}?dryRun=All`, shapeless as unknown as Manifest);
  await expect.poll(async () => (await tried()).status, patience).toBe(201);
}

/** With the text wherever there is room for one. */
function statusWith(text: string): object {
  const at = "2026-11-21T10:00:00Z";
  const mapping = { name: text, phase: text, reason: text, message: text, backlog: 12, read: 1, lastSyncTime: at };
  return {
    observedGeneration: 1,
    state: "FAILED",
    backlog: 12,
    lastSyncTime: text,
    pendingRestart: true,
    pendingChangeCount: 1,
    pendingChanges: [{ path: text, from: text, to: text, source: "Spec" }],
    appliedRevision: { name: text, run: 1, generation: 1, appliedAt: text },
    failure: { reason: text, message: text, since: at },
    mappings: [mapping, { ...mapping, name: `${text}2`, phase: "Paused", files: { message: text } }],
    throttling: [{ service: text, heldBy: text, message: text }],
    transitions: [{ from: text, to: text, at, reason: text, revision: text }],
    conditions: ["Ready", "SchemaDrift", text].map((type) => ({
      ...{ type, status: "True", lastTransitionTime: at, reason: text, message: text },
    })),
  };
}

/** Written by somebody who calls themselves so. */
async function write(name: string, text: string, status: object = statusWith(text)): Promise<void> {
  const { server, namespace } = on.ground.cluster;
  // The API server takes what can be printed.
  const printed = Buffer.from(text.replaceAll(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, "") || "somebody").subarray(0, 128);
  const manager = encodeURIComponent(printed.toString().replaceAll("\uFFFD", ""));
  const metadata = { name, namespace, labels: { "app.kubernetes.io/name": "x".repeat(63) }, annotations: { text } };
  const manifest = { apiVersion: `${apiGroup}/v1`, kind: "IntegrationWorkflow", metadata, spec: written() };
  const made = await server.request("POST", `${workflowsPath(namespace)}?fieldManager=${manager}`, manifest);
  expect(made.status, JSON.stringify(made.body)).toBeLessThan(300);
  const path = `${workflowsPath(namespace, name)}/status?fieldManager=${manager}`;
  const patched = await server.request("PATCH", path, { status }, "application/merge-patch+json");
  expect(patched.status, JSON.stringify(patched.body)).toBe(200);
  const event = {
    metadata: { generateName: "hostile-", namespace },
    involvedObject: {
      apiVersion: manifest.apiVersion,
      kind: manifest.kind,
      name,
      namespace,
      uid: patched.body.metadata["uid"],
    },
    reason: text.slice(0, 128),
    message: text.slice(0, 1024),
    type: "Warning",
    reportingComponent: "example.com/hostile",
    source: { component: text },
    firstTimestamp: "2026-11-21T10:00:00Z",
    lastTimestamp: "2026-11-21T10:00:00Z",
  };
  const told = await server.request("POST", `/api/v1/namespaces/${namespace}/events`, event as unknown as Manifest);
  expect(told.status, JSON.stringify(told.body)).toBeLessThan(300);
}

/** Nothing ran, nothing came in from elsewhere, and nothing but what scrolls by itself is wider than the screen. */
async function expectHarmless(page: Page, what: string): Promise<void> {
  expect(await page.evaluate("globalThis.ran"), what).toBeUndefined();
  expect(await page.locator("img, iframe, object, embed, base, [onerror], [onmouseover]").count(), what).toBe(0);
  expect(await page.locator("main script, [href^='javascript:' i], [src^='javascript:' i]").count(), what).toBe(0);
  expect(await page.evaluate(tooWide), what).toEqual([]);
  // The frame of the page stands: nothing has closed it from within, nor turned it around.
  expect(await page.locator("body > main#content").count(), what).toBe(1);
  expect(await page.evaluate("getComputedStyle(document.querySelector('main')).direction"), what).toBe("ltr");
  expect(await page.evaluate(turning), what).toEqual([]);
}

/** What makes the page wider than the screen; what is wide and scrolls or is cut by itself does not. */
const tooWide = `(() => {
  const { scrollWidth } = document.documentElement;
  if (scrollWidth <= 360) return [];
  const wide = [...document.querySelectorAll("body *")].filter((one) => one.closest(".scroller") === null && one.getBoundingClientRect().right > 360);
  return [scrollWidth, ...wide.map((one) => one.outerHTML.slice(0, 90))];
})()`;

/**
 * Signs that turn text around turn nothing that follows: an element that isolates is not enough where such a sign within it is
 * never closed, so whatever holds them is the last of its paragraph, or a paragraph by itself.
 */
const turning = `(() => {
  const paragraphOf = ({ parentElement }) => {
    let up = parentElement;
    while (getComputedStyle(up).display === "inline") up = up.parentElement;
    return up;
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) if (walker.currentNode.data.trim() !== "") texts.push(walker.currentNode);
  for (const [index, text] of texts.entries()) {
    if (!/[\\u202A-\\u202E\\u2066-\\u2069]/.test(text.data)) continue;
    const next = texts[index + 1];
    if (next !== undefined && paragraphOf(next) === paragraphOf(text)) found.push(paragraphOf(text).innerHTML.slice(0, 300));
  }
  return found;
})()`;

const viewport = { width: 360, height: 800 };

test("no text of a status, an Event or a manager runs, breaks out, widens a phone's page or turns it around", async () => {
  await withoutSchema();
  const { cluster, url } = on.ground;
  const { namespace } = cluster;
  await cluster.kubectl("create", "rolebinding", "view", "--clusterrole=view", `--serviceaccount=${namespace}:person`);
  for (const [name, text] of Object.entries(texts)) await write(name, text);
  const { page } = await on.enter("person", { viewport });
  await page.locator('[data-name="invisible"]').waitFor();
  await expectHarmless(page, "the list");
  const heights = page.locator("#rows tr").evaluateAll((rows) => rows.map((row) => row.getBoundingClientRect().height));
  expect(Math.max(...(await heights))).toBeLessThan(viewport.height / 2);
  for (const [name, text] of Object.entries(texts)) {
    await page.goto(`${url}/workflows/${namespace}/${name}`);
    await page.getByRole("heading", { name, exact: true }).waitFor();
    await page.locator("details").evaluateAll((all) => {
      for (const one of all) one.setAttribute("open", "");
    });
    expect(await page.locator("#mappings").textContent(), name).toContain(text.slice(0, 20).trim());
    expect(await page.locator("#events tbody tr").count(), name).toBe(1);
    await expectHarmless(page, name);
    await page.goto(`${url}/workflows/${namespace}/${name}/stop`);
    await expectHarmless(page, `${name}, stop`);
    await page.goto(`${url}/workflows/${namespace}/${name}/edit`);
    await expectHarmless(page, `${name}, edit`);
  }
});

test("what comes live is as harmless as what was loaded", async () => {
  const { url, cluster } = on.ground;
  const { page } = await on.enter("person", { viewport });
  await write("later", "harmless", { state: "RUNNING" });
  await page.locator('[data-name="later"]').waitFor();
  const one = await page.context().newPage();
  await one.goto(`${url}/workflows/${cluster.namespace}/later`);
  await expect.poll(() => one.locator("#liveness").textContent(), patience).toBe("Live");
  const path = `${workflowsPath(cluster.namespace, "later")}/status`;
  for (const [index, text] of Object.values(texts).entries()) {
    const status = { ...statusWith(text), backlog: 9_000_000 + index };
    await cluster.server.request("PATCH", path, { status }, "application/merge-patch+json");
    const figure = (9_000_000 + index).toLocaleString("en-US");
    for (const place of [page.locator('[data-name="later"]'), one.locator("#summary")]) {
      await place.getByText(figure).first().waitFor();
    }
    for (const open of [page, one]) await expectHarmless(open, text);
  }
  await expect.poll(() => one.locator("#liveness").textContent(), patience).toBe("Live");
});

test("one workflow that nobody understands leaves the list of all others as it is", async () => {
  const { cluster, url } = on.ground;
  const spec = { ...written(), type: "Sideways", state: "Sleeping" };
  const odd = { state: "DREAMING", backlog: "many", mappings: [{}], conditions: [{}], lastSyncTime: 7 };
  const metadata = { name: "odd", namespace: cluster.namespace };
  const manifest = { apiVersion: `${apiGroup}/v1`, kind: "IntegrationWorkflow", metadata, spec };
  await cluster.server.request("POST", workflowsPath(cluster.namespace), manifest);
  const path = `${workflowsPath(cluster.namespace, "odd")}/status`;
  await cluster.server.request("PATCH", path, { status: odd }, "application/merge-patch+json");
  const { page } = await on.enter("person", { viewport });
  await page.locator('[data-name="odd"]').getByText("DREAMING").waitFor();
  await page.locator('[data-name="script"]').waitFor();
  await page.goto(`${url}/workflows/${cluster.namespace}/odd`);
  await page.getByRole("heading", { name: "odd" }).waitFor();
});

test("addresses that name nothing are answered as such", async () => {
  const { url, cluster } = on.ground;
  const { page } = await on.enter("person", { viewport });
  const namespace = "n".repeat(63);
  for (const path of [
    `/workflows/${cluster.namespace}/${"x".repeat(253)}`,
    `/workflows/${cluster.namespace}/${encodeURIComponent(texts.script)}`,
    `/workflows/${encodeURIComponent(texts.overridden)}/x`,
    `/workflows/..%2f..%2fapi/v1`,
    `/workflows?namespace=${encodeURIComponent(texts.image)}`,
    `/workflows?namespace=${namespace}&state=${encodeURIComponent(texts.script)}&page=-1e9`,
    `/workflows?namespace=a&namespace=b`,
    `/workflows/${cluster.namespace}/script?said=${encodeURIComponent(texts.script)}`,
  ]) {
    const answer = await page.goto(`${url}${path}`);
    expect(answer?.status(), path).toBeLessThan(500);
    await expectHarmless(page, path);
  }
  const noAddress = await page.goto(`${url}/workflows/%ff/x`);
  expect(noAddress?.status()).toBe(400);
  expect(await noAddress?.text()).toBe("That address is not understood.\n");
});

test("whatever a page asks for against its policy fails the file of tests", async () => {
  const browser = await startBrowser();
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${on.ground.url}/sign-in`);
  await page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">red</p>')");
  const told = page.waitForEvent("console");
  await page.evaluate(
    "document.body.append(Object.assign(document.createElement('script'), { text: 'globalThis.ran = true' }))",
  );
  await told;
  expect(await page.evaluate("globalThis.ran")).toBeUndefined();
  await expect(browser.close()).rejects.toThrow("Content Security Policy");
});
