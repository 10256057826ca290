/** The page as a pod of the chart, and what the plugin asks of a real worker: with somebody's own rights and no others. */
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { startBrowser } from "../../integration/console/browser.ts";
import { loadContacts } from "../workflows/contacts.ts";
import {
  type Ground,
  installOperator,
  operatorKubectl,
  operatorNamespace,
  prepareGround,
} from "../workflows/ground.ts";
import { Kubectl, type KubernetesObject } from "../workflows/kubectl.ts";
import { contactsWorkflow, pods, untilStatus, workflow } from "../workflows/workflow.ts";
import { installPage, type PageInCluster, pageName } from "./page-in-cluster.ts";
import { Person } from "./person.ts";

const namespace = "page";
const name = "contacts";
const account = `system:serviceaccount:${operatorNamespace}:${pageName}`;
const enforced = "pod-security.kubernetes.io/enforce";
const recordsOfAll = 50;
let place: PageInCluster;
let ground: Ground;
let browser: Browser;
let person: Person;

beforeAll(async () => {
  const operator = operatorKubectl();
  await operator.run(["create", "namespace", operatorNamespace]).catch(() => {}); // Another file may have made it.
  await operator.run(["label", "namespace", operatorNamespace, `${enforced}=restricted`, "--overwrite"]);
  place = await installPage();
  ground = await prepareGround(namespace, ["--contacts=0"], place.values);
  await loadContacts(ground.sandbox, recordsOfAll);
  const { kubectl } = ground;
  await kubectl.apply(contactsWorkflow({ name, ...ground }));
  await kubectl.run(["create", "serviceaccount", "anna"]);
  await kubectl.run(["create", "rolebinding", "anna", "--clusterrole=edit", `--serviceaccount=${namespace}:anna`]);
  person = await Person.signIn(kubectl, namespace, "anna");
  browser = await startBrowser();
  await untilStatus(kubectl, name, "all written", ({ state, backlog, lastSyncTime }) => {
    return state === "RUNNING" && backlog === 0 && lastSyncTime !== undefined;
  });
});
afterAll(async () => {
  await browser?.close();
  place?.close();
  ground?.close();
  await installOperator();
  await operatorKubectl().run(["label", "namespace", operatorNamespace, `${enforced}-`]);
});

interface PagePod extends KubernetesObject {
  readonly status: { readonly phase: string };
}

async function pagePod(): Promise<PagePod> {
  const all = await operatorKubectl().list<PagePod>("pods", "app.kubernetes.io/component=console");
  const running = all.filter(({ status }) => status.phase === "Running");
  expect(running).toHaveLength(1);
  return running[0] as PagePod; // Counted above.
}

/** A program of Node's inside of the page's container; what it prints. */
async function inside(program: string): Promise<string> {
  const { metadata } = await pagePod();
  return operatorKubectl().run(["exec", metadata.name, "--", "/nodejs/bin/node", "--eval", program]);
}

test("the page's pod is let into a namespace that enforces pod security restricted, as nobody, and can write nowhere", async () => {
  const labels = await operatorKubectl().json<KubernetesObject>(["get", "namespace", operatorNamespace]);
  expect(labels.metadata.labels?.[enforced]).toBe("restricted");
  const places = ["/", "/app", "/app/dist", "/tmp", "/etc/integration-workflow", "/home", "/var"];
  const program = `
    const fs = require("node:fs");
    const codes = ${JSON.stringify(places)}.filter((place) => fs.existsSync(place)).map((place) => {
      try { fs.writeFileSync(place + "/written", ""); return place; } catch (error) { return error.code; }
    });
    console.log(JSON.stringify({ user: process.getuid(), codes }));`;
  const { user, codes } = JSON.parse(await inside(program)) as { user: number; codes: string[] };
  expect(user).toBe(65_532);
  expect(codes.length).toBeGreaterThan(2);
  expect([...new Set(codes)]).toEqual(["EROFS"]);
});

test("the page's pod has no token, and its service account is refused everything that anybody may be refused", async () => {
  const found = await inside('console.log(require("node:fs").existsSync("/var/run/secrets/kubernetes.io"))');
  expect(found.trim()).toBe("false");

  // What a service account of no role may do is what everybody who is signed in may: ask about themselves and find the API.
  const rights = async (who: string) =>
    (await operatorKubectl().run(["auth", "can-i", "--list", "--no-headers", `--as=${who}`, "--namespace", namespace]))
      .split("\n")
      .map((line) => line.trimEnd())
      .sort();
  await ground.kubectl.run(["create", "serviceaccount", "nobody"]);
  expect(await rights(account)).toEqual(await rights(`system:serviceaccount:${namespace}:nobody`));
  expect((await rights(account)).filter((line) => /^(integration|pods|secrets|config|\*)/.test(line))).toEqual([]);

  const token = (await operatorKubectl().run(["create", "token", pageName])).trim();
  const nowhere = new Kubectl(inject("kubectl"), "/dev/null", namespace);
  const { server, authority } = await apiServer();
  const asPage = ["--server", server, "--certificate-authority", authority, "--token", token];
  const attempts = [
    ["get", "integrationworkflows.integrationworkflow.io", "--all-namespaces"],
    ["patch", "integrationworkflow.integrationworkflow.io", name, "--type=merge", "-p", '{"spec":{"state":"Stopped"}}'],
    ["delete", "integrationworkflow.integrationworkflow.io", name],
    ["get", "secrets"],
    ["get", "pods", "--namespace", operatorNamespace],
    ["get", "configmaps", "--namespace", operatorNamespace],
    ["get", "events"],
    ["create", "token", "anna"],
    ["get", "namespaces", "--as=system:admin"],
  ];
  for (const attempt of attempts) {
    const said = await nowhere.run([...asPage, ...attempt]).catch((error: Error) => error.message);
    expect(said, attempt.join(" ")).toMatch(/forbidden/i);
    expect(said, attempt.join(" ")).toContain(account);
  }
});

/** Where the API server is, from the kubeconfig that signs in as its administrator. */
async function apiServer(): Promise<{ server: string; authority: string }> {
  const { kubectl } = ground;
  const at = (path: string) => kubectl.run(["config", "view", "--raw", "-o", `jsonpath=${path}`]);
  const authority = join(mkdtempSync(join(tmpdir(), "authority-")), "ca.crt");
  const file = await at("{.clusters[0].cluster.certificate-authority}");
  const data = await at("{.clusters[0].cluster.certificate-authority-data}");
  writeFileSync(authority, file === "" ? Buffer.from(data, "base64") : readFileSync(file));
  return { server: await at("{.clusters[0].cluster.server}"), authority };
}

test("a person signs in, sees the list, stops the workflow and starts it, and the worker does so", async () => {
  const complaints: string[] = [];
  const page = await person.open(browser, place.url, namespace);
  page.on("console", (message) => complaints.push(message.text()));
  const row = page.getByRole("row", { name: new RegExp(name) });
  await row.getByText("RUNNING").waitFor();
  await row.getByRole("button", { name: `Stop ${name}` }).click();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.locator("#summary").getByText("STOPPED", { exact: true }).waitFor({ timeout: 60_000 });
  const { spec, metadata } = await workflow(ground.kubectl, name);
  expect(spec.state).toBe("Stopped");
  const phases = (await pods(ground.kubectl, name)).map(({ status }) => status.phase);
  expect(phases.filter((phase) => phase !== "Succeeded")).toEqual([]);

  await page.getByRole("button", { name: `Start ${name}` }).click();
  await page.locator("#summary").getByText("RUNNING", { exact: true }).waitFor({ timeout: 60_000 });
  expect(metadata.name).toBe(name);
  const owners = await ground.kubectl.run(["get", "iw", name, "--show-managed-fields", "-o", "json"]);
  expect(owners).toContain("integration-workflow-state");
  expect(complaints).toEqual([]);
});

test("the plugin asks the worker: its log, a record's fate, refused records and how they come back", async () => {
  const { sandbox, kubectl } = ground;
  const { plugin } = person;
  const [good = "", removed = ""] = await sandbox.insertRows({
    table: "contact",
    rows: [{ cells: { firstname: "Grace", lastname: "Hopper" } }, { cells: { firstname: "Alan", lastname: "Turing" } }],
  });
  const profile = async () => (await sandbox.findRecords({ resource: "profile", key: removed }))[0]?.values["lastName"];
  await expect.poll(profile, { timeout: 30_000 }).toBe("Turing");
  await sandbox.deleteRecords({ resource: "profile", keys: [removed] });
  await sandbox.updateRows({ table: "contact", rows: [{ id: removed, cells: { lastname: "Mathison" } }] });
  await untilStatus(kubectl, name, "one refused", ({ mappings = [] }) =>
    mappings.some(({ deadLettered = 0 }) => deadLettered === 1),
  );

  const logs = await plugin.run("logs", name, "--tail=-1");
  expect(logs.code, logs.err).toBe(0);
  expect(logs.out).toContain('"message":"worker.started"');

  expect((await plugin.run("why", name, good)).out).toMatch(/written/i);
  expect((await plugin.run("why", name, removed)).out).toMatch(/RemovedInCampaign/);

  expect((await plugin.run("status", name)).out).toContain(`kubectl iw dead list ${name}`);
  const list = await plugin.run("dead", "list", name);
  expect(list.code, list.err).toBe(0);
  expect(list.out).toMatch(new RegExp(`RemovedInCampaign[\\s\\S]*${removed}|${removed}[\\s\\S]*RemovedInCampaign`));
  expect((await plugin.run("dead", "show", name, removed)).out).toMatch(/RemovedInCampaign/);

  const redriven = await plugin.run("dead", "redrive", name, removed, "--yes");
  expect(redriven.code, redriven.err).toBe(0);
  await expect.poll(profile, { timeout: 30_000 }).toBe("Mathison");
  const none = await plugin.run("dead", "list", name);
  expect({ code: none.code, err: none.err }).toEqual({ code: 0, err: "" });
  expect(none.out).not.toContain(removed);
});

test("publish stops it for the while of a command, starts it, and says that its mappings still fit", async () => {
  const { plugin } = person;
  const before = (await workflow(ground.kubectl, name)).status.appliedRevision?.run ?? 0;
  const node = [process.execPath, "--eval"];
  const published = await plugin.run("publish", name, "--timeout=3m", "--", ...node, 'console.log("published")');
  expect(published.code, published.err).toBe(0);
  expect(published.out).toMatch(/asked to stop[\s\S]*published[\s\S]*asked to start[\s\S]*every mapping fits/);
  expect((await workflow(ground.kubectl, name)).status.appliedRevision?.run).toBe(before + 1);

  const failed = await plugin.run("publish", name, "--timeout=3m", "--", ...node, "process.exit(3)");
  expect(failed.code).toBe(3);
  expect(failed.err).toMatch(/exit code 3[\s\S]*left stopped/);
  expect((await workflow(ground.kubectl, name)).status.state).toBe("STOPPED");
});
