/** Tables and columns in the form, in a real browser: the real API server's proxy, a real worker, the sandbox's two systems. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { networkInterfaces } from "node:os";
import { load } from "js-yaml";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { freePort } from "../../../cluster/ports.ts";
import { labels } from "../../../src/api/group.ts";
import { patience } from "../operator/ground.ts";
import { startRole } from "../operator/operator-process.ts";
import { Ground as Systems, type WorkerProcess } from "../worker/harness.ts";
import { violations } from "./axe.ts";
import { startBrowser } from "./browser.ts";
import { editing, editOf, field, mapping, save } from "./editing.ts";
import { ConsoleGround } from "./ground.ts";
import { signedIn } from "./signed-in.ts";

let ground: ConsoleGround;
let browser: Browser;
let systems: Systems;
let worker: WorkerProcess;
let editor: string;
let port: number;

const ends: (() => Promise<unknown>)[] = [];
const workerImage = "registry.example/integration-workflow:1.0.0";

/** The API server proxies to no loopback address. */
const address = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.family === "IPv4" && !one.internal)?.address;

beforeAll(async () => {
  if (address === undefined) throw new Error("this machine has no address but the loopback's: give it one");
  ground = await ConsoleGround.make(inject("kubeconfig"), "--worker-image", workerImage);
  ground.cluster.kubelet.behaviour.address = address;
  browser = await startBrowser();
  systems = await Systems.make({ contacts: 3 });
  port = await freePort();
  worker = systems.start(undefined, { flags: ["--address", `${address}:${port}`] });
  editor = await ground.person("editor", "get", "list", "watch", "patch");
  await grant("editor", "pods", "list");
  await grant("editor", "pods/proxy", "get");
});
afterAll(async () => {
  await Promise.all(ends.map((end) => end()));
  await browser?.close();
  await systems?.end();
  await ground?.end();
});

async function grant(name: string, resource: string, verb: string): Promise<void> {
  const { cluster } = ground;
  const role = `${name}-${resource.replace("/", "-")}`;
  await cluster.kubectl("create", "role", role, `--verb=${verb}`, `--resource=${resource}`);
  const subject = `--serviceaccount=${cluster.namespace}:${name}`;
  await cluster.kubectl("create", "rolebinding", role, `--role=${role}`, subject);
}

/** A workflow with the sandbox's addresses; `at`: with a worker's pod whose container answers there. */
async function apply(name: string, at: number | undefined, changes: object = {}): Promise<void> {
  const { dataverseUrl, campaignUrl } = systems.sandbox;
  await ground.cluster.apply(name, {
    dynamics: { url: dataverseUrl, credentialsSecretRef: { name: "dynamics" } },
    campaign: { url: campaignUrl, credentialsSecretRef: { name: "campaign" }, engineCallsPerSecond: 100 },
    ...changes,
  });
  if (at === undefined) return;
  await worker.url();
  await runPod(`${name}-pod`, { [labels.workflow]: name }, at, {
    securityContext: { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: "RuntimeDefault" } },
    automountServiceAccountToken: false,
    containers: [
      {
        name: "worker",
        image: workerImage,
        ports: [{ name: "http", containerPort: at }],
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
      },
    ],
  });
}

interface PodSpec {
  readonly containers: readonly {
    readonly args?: readonly string[];
    readonly ports: readonly object[];
    readonly [field: string]: unknown;
  }[];
  readonly [field: string]: unknown;
}

async function runPod(name: string, podLabels: object, at: number, spec: PodSpec): Promise<void> {
  const { cluster } = ground;
  const containers = spec.containers.map((one) => ({ ...one, ports: [{ name: "http", containerPort: at }] }));
  await cluster.server.kubectl(["apply", "-f", "-"], {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: cluster.namespace, labels: podLabels },
    spec: { ...spec, containers },
  });
  const podAddress = () => cluster.kubectl("get", "pod", name, "-o", "jsonpath={.status.podIP}");
  await expect.poll(podAddress, { timeout: 20_000 }).toBe(address);
}

const note = (page: Page, path: string) => field(page, `${path}-note`);
const options = (page: Page, path: string) =>
  field(page, path).evaluate((input) => {
    // The types of a browser's document are not those of a test.
    const { list } = input as unknown as { list: { options: Iterable<{ value: string; label: string }> } | null };
    return [...(list?.options ?? [])].map(({ value, label }) => [value, label]);
  });

test("a running workflow: names to choose from, types, keys; what does not fit is said before anything is saved", async () => {
  await apply("running", port);
  const { page, complaints } = await editing(browser, ground, editor, "running");
  await page.locator("#metadata").getByText("as the running worker sees them").waitFor();
  // What a system does not tell at once stands there at a later look.
  await expect.poll(() => options(page, `${mapping}.table`)).toContainEqual(["contact", ""]);
  await expect.poll(() => options(page, `${mapping}.resource`)).toContainEqual(["profile", "Profiles"]);
  await expect
    .poll(async () => (await options(page, `${mapping}.key.column`))[0])
    .toEqual(["contactid", "contact · Unique identifier · primary key"]);
  const offered = () => options(page, `${mapping}.fields[0].field`);
  await expect.poll(offered).toContainEqual(["location.city", "City · Text (50)"]);
  await expect
    .poll(() => note(page, `${mapping}.fields[0].column`).textContent())
    .toBe("First Name · Single line of text (50)");
  await expect.poll(() => note(page, `${mapping}.fields[0].field`).textContent()).toContain("First name · Text (30)");
  await field(page, `${mapping}.fields[0].column`).fill("birthdate");
  await field(page, `${mapping}.fields[0].field`).fill("numberOfChildren");
  await expect
    .poll(() => note(page, `${mapping}.fields[0].field`).textContent(), { timeout: 20_000 })
    .toContain("No value of type Date only can be written to a field of type Whole number");
  expect(await note(page, `${mapping}.fields[0].field`).getAttribute("class")).toContain("warning");
  await field(page, `${mapping}.fields[0].column`).fill("nothing");
  await expect
    .poll(() => note(page, `${mapping}.fields[0].column`).textContent(), { timeout: 20_000 })
    .toContain("The table contact has no column nothing");
  expect(await violations(page)).toEqual([]);
  await field(page, `${mapping}.fields[0].column`).fill("lastname");
  await field(page, `${mapping}.fields[0].field`).fill("lastName");
  await save(page);
  expect(complaints).toEqual([]);
});

test("without JavaScript: types, and what does not fit, stand there after Check", async () => {
  await apply("plain", port);
  const { page, complaints } = await signedIn(browser, ground, editor, { javaScriptEnabled: false });
  await page.goto(editOf(ground, "plain"));
  await page.locator("#metadata").getByText("as the running worker sees them").waitFor();
  await field(page, `${mapping}.fields[0].column`).fill("parentcustomerid");
  await field(page, `${mapping}.fields[0].field`).fill("creditLimit");
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await page.locator("#outcome").getByText("The cluster would take it.").waitFor();
  expect(await note(page, `${mapping}.fields[0].column`).textContent()).toContain("Lookup (account, contact)");
  expect(await note(page, `${mapping}.fields[0].field`).textContent()).toContain(
    "Only values that read as a number fit",
  );
  expect(complaints).toEqual([]);
});

test("what runs with another address tells of other systems, so it is not believed for this one", async () => {
  await apply("elsewhere", port);
  const { page } = await editing(browser, ground, editor, "elsewhere");
  await field(page, "spec.dynamics.url").evaluate((input) => input.closest("details")?.setAttribute("open", ""));
  await field(page, "spec.dynamics.url").fill("https://other.crm.dynamics.com");
  await page.locator("#metadata").getByText("not with the Dynamics 365 URL of this form").waitFor();
  expect(await note(page, `${mapping}.fields[0].column`).isHidden()).toBe(true);
  expect(await note(page, `${mapping}.fields[0].field`).textContent()).toContain("Text (30)");
});

test.each([
  ["list pods", [], "You may not list pods in namespace"],
  ["get pods/proxy", [["pods", "list"]], "You may not get pods/proxy in namespace"],
] as const)("who may not %s is told so, and types names", async (right, rights, says) => {
  const name = right.replace(/\W/g, "-");
  await apply(name, port);
  const token = await ground.person(name, "get", "list", "watch", "patch");
  for (const [resource, verb] of rights) await grant(name, resource, verb);
  const { page, complaints } = await editing(browser, ground, token, name);
  await page.locator("#metadata").getByText(says).waitFor();
  expect(await page.getByRole("button", { name: "Ask both systems" }).count()).toBe(0);
  await field(page, `${mapping}.fields[0].field`).fill("lastName");
  await save(page);
  expect(complaints).toEqual([]);
});

test("a workflow that does not run: a Job is made in the person's name when they say so, and asks both systems", async () => {
  await apply("stopped", undefined);
  const { page, complaints } = await editing(browser, ground, editor, "stopped");
  await page.locator("#metadata").getByText("No worker runs").waitFor();
  const ask = page.getByRole("button", { name: "Ask both systems" });
  expect(await ask.isDisabled()).toBe(true);
  await page.getByText("You may not create Jobs in namespace").waitFor();
  await grant("editor", "jobs.batch", "create");
  // A right that is given takes a moment to be known everywhere.
  await expect
    .poll(async () => {
      await page.reload();
      return page.locator("main").textContent();
    }, patience)
    .toContain(`one pod of ${workerImage}`);
  expect(await violations(page)).toEqual([]);
  const { kubelet } = ground.cluster;
  kubelet.behaviour.start = "waits";
  kubelet.behaviour.reason = "ImagePullBackOff";
  await ask.click();
  await page
    .locator("#metadata")
    .getByText(/stopped-metadata-\w+.* is starting \(ImagePullBackOff/)
    .waitFor();
  expect(await ask.isHidden()).toBe(true);
  // Its own pod was let in under the strictest pod security; what it runs is run here, at an address that is free.
  const { items } = JSON.parse(await ground.cluster.kubectl("get", "pods", "-o", "json")) as {
    items: { metadata: { labels: Record<string, string>; name: string }; spec: PodSpec }[];
  };
  const pod = items.find(({ metadata }) => metadata.labels["integrationworkflow.io/metadata-of"] === "stopped");
  expect(pod?.metadata.labels).not.toHaveProperty(labels.workflow);
  const at = await freePort();
  const own = ["--credentials", `${systems.directory}/credentials`, "--address", `${address}:${at}`];
  const asker = startRole([...(pod?.spec.containers[0]?.args ?? []), ...own]);
  ends.push(() => asker.kill());
  await asker.said("metadata.listening");
  kubelet.behaviour.start = "up";
  const { nodeName: _, ...spec } = pod?.spec ?? { containers: [] };
  const { [labels.managedBy]: managedBy = "", ...others } = pod?.metadata.labels ?? {};
  const selecting = Object.entries(others).filter(([name]) => name.startsWith("integrationworkflow.io/"));
  await runPod("stopped-asker", { ...Object.fromEntries(selecting), [labels.managedBy]: managedBy }, at, spec);
  await page.locator("#metadata").getByText("Names and types come from both systems, as the pod of Job").waitFor();
  await expect
    .poll(() => note(page, `${mapping}.fields[0].column`).textContent(), { timeout: 20_000 })
    .toContain("Single line of text (50)");
  expect(await asker.stop()).toBe(0);
  expect(complaints).toEqual([]);
});

test("names that try to be markup, and ten thousand of them: they stay text, and the form stays", async () => {
  const { dataverseUrl, campaignUrl } = systems.sandbox;
  const hostile = [
    "</option><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\u202Etxt.exe\u2066",
    "x".repeat(9999),
  ];
  const columns = Array.from({ length: 10_000 }, (_, index) => ({
    name: index < hostile.length ? `evil${index}` : `column${index}`,
    label: hostile[index] ?? `Column ${index}`,
    type: index === 5 ? "<b>Type</b>" : "String",
    maxLength: 100,
  }));
  const told = (entries: readonly object[]) => ({ is: "Told", entries, left: 0 });
  const answer = JSON.stringify({
    dynamics: {
      url: dataverseUrl,
      tables: told([{ name: "contact", label: hostile[0], tracked: false }]),
      columns: { contact: told(columns) },
    },
    campaign: { url: campaignUrl, resources: { is: "Refused", message: hostile[1] }, fields: {} },
  });
  const server = createServer((_request, response) => response.end(answer));
  const at = await freePort();
  await new Promise<void>((resolve) => server.listen(at, address, resolve));
  ends.push(async () => server.close());
  await apply("hostile", at);
  const { page, complaints } = await editing(browser, ground, editor, "hostile");
  await page.locator("#metadata").getByText('Campaign did not tell: "><img src=x onerror=alert(1)>').waitFor();
  const offered = await options(page, `${mapping}.key.column`);
  expect(offered).toHaveLength(1000);
  expect(offered[0]).toEqual(["evil0", "</option><script>alert(1)</script> · Single line of text (100)"]);
  expect(offered[2]?.[1]).toMatch(/^txt\.exe · /);
  expect(await note(page, `${mapping}.table`).textContent()).toContain("its changes are not tracked");
  await field(page, `${mapping}.fields[0].column`).fill("column9999");
  await expect
    .poll(() => note(page, `${mapping}.fields[0].column`).textContent(), { timeout: 20_000 })
    .toContain("Column 9999");
  await page.getByRole("button", { name: "Add: Field" }).click();
  await field(page, `${mapping}.fields[1].column`).fill("evil3");
  await expect
    .poll(() => note(page, `${mapping}.fields[1].column`).textContent(), { timeout: 20_000 })
    .toMatch(/^x{120}… · /);
  expect(complaints).toEqual([]);
});

test.each([
  [
    "egress",
    [
      ["spec.egress.contactKey", /Unique identifier · primary key/],
      ["spec.egress.activities.click.table", /./],
      ["spec.egress.activities.columns.occurredAt", /Date and time/],
    ],
    ["spec.egress.activities.columns.campaignName", "actualend", /It has to be of type text/],
  ],
  [
    "opt-in-out",
    [
      ["spec.optInOut.keyField", /Text/],
      ["spec.optInOut.mappings[0].column", /Yes\/No/],
      ["spec.optInOut.mappings[0].field", /Yes\/No/],
    ],
    ["spec.optInOut.mappings[0].column", "firstname", /It has to be of type Yes\/No, not Single line of text/],
  ],
] as const)("the form of %s has types too, and says what does not fit", async (example, expected, wrong) => {
  const { spec } = load(readFileSync(`examples/${example}.yaml`, "utf8")) as { spec: { campaign: object } };
  const { dataverseUrl, campaignUrl } = systems.sandbox;
  await apply(example, port, {
    ingress: undefined,
    ...spec,
    dynamics: { url: dataverseUrl, credentialsSecretRef: { name: "dynamics" } },
    campaign: { ...spec.campaign, url: campaignUrl },
  });
  const { page, complaints } = await editing(browser, ground, editor, example);
  await page.locator("#metadata").getByText("as the running worker sees them").waitFor();
  const told = (path: string) => expect.poll(() => note(page, path).textContent(), { timeout: 20_000 });
  for (const [path, says] of expected) await told(path).toMatch(says);
  await page.locator("details").evaluateAll((all) => {
    for (const one of all) one.setAttribute("open", "");
  });
  const [path, value, says] = wrong;
  await field(page, path).fill(value);
  await told(path).toMatch(says);
  expect(await violations(page)).toEqual([]);
  expect(complaints).toEqual([]);
});
