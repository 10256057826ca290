import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type ApiServer, apiServer, installCrd, makeNamespace, workflowsPath } from "./api-server.ts";
import { type Manifest, manifest, smallest } from "./manifests.ts";

let server: ApiServer;
let namespace: string;

beforeAll(async () => {
  server = await apiServer(inject("kubeconfig"));
  await installCrd(server);
  namespace = await makeNamespace(server, "api-kubectl");
});
afterAll(() => server?.close());

function kubectl(args: readonly string[], input?: unknown): Promise<string> {
  return server.kubectl(["--namespace", namespace, ...args], input);
}

describe("kubectl get", () => {
  const since = "2026-11-21T10:00:00Z";
  const condition = { observedGeneration: 1, lastTransitionTime: since, message: "m" };

  beforeAll(async () => {
    await kubectl(["apply", "-f", "-"], smallest("Ingress", "contacts"));
    await kubectl(["apply", "-f", "-"], smallest("Egress", "events"));
    await kubectl(["apply", "-f", "-"], smallest("OptInOut", "opt-outs"));
    await writeStatus("contacts", {
      state: "RUNNING",
      backlog: 1204,
      pendingRestart: true,
      appliedRevision: { name: "contacts-5f9c1d2e", run: 12, generation: 5, appliedAt: since },
      conditions: [{ ...condition, type: "Ready", status: "True", reason: "Running" }],
    });
    await writeStatus("events", {
      state: "FAILED",
      pendingRestart: false,
      conditions: [{ ...condition, type: "Ready", status: "False", reason: "CredentialsRejected" }],
    });
  });

  async function writeStatus(name: string, status: Manifest["status"]): Promise<void> {
    await kubectl(["patch", "iw", name, "--subresource=status", "--type=merge", "-p", JSON.stringify({ status })]);
  }

  /** Without the ages, and without the blanks that they make the columns wide by. */
  async function table(args: readonly string[]): Promise<string[]> {
    const lines = (await kubectl(["get", ...args])).trimEnd().split("\n");
    return lines.map((line) =>
      line
        // From two minutes on it says minutes, and of minutes sharp no seconds.
        .replaceAll(/\b(\d+m)?\d+s\b|\b\d+m\b/g, "AGE")
        .replaceAll(/ {2,}/g, "  ")
        .trimEnd(),
    );
  }

  test("describes how far a mapping is, a line for each figure", async () => {
    const contact = {
      name: "contact",
      phase: "Replay",
      backlog: 98_432,
      parked: 4,
      read: 1_540_000,
      written: 1_441_568,
    };
    const reading = { read: 540_000, estimatedTotal: 1_000_000 };
    await writeStatus("contacts", {
      mappings: [{ ...contact, reading, recordsPerSecond: 20, secondsToDrain: 27_922 }],
    });
    const lines = (await kubectl(["describe", "iw", "contacts"])).split("\n").map((line) => line.trim());
    const from = lines.lastIndexOf("Mappings:");
    expect(lines.slice(from + 1, from + 12).map((line) => line.replaceAll(/ {2,}/g, " "))).toEqual([
      "Backlog: 98432",
      "Name: contact",
      "Parked: 4",
      "Phase: Replay",
      "Read: 1540000",
      "Reading:",
      "Estimated Total: 1000000",
      "Read: 540000",
      "Records Per Second: 20",
      "Seconds To Drain: 27922",
      "Written: 1441568",
    ]);
  });

  test("answers at a glance", async () => {
    expect(await table(["iw"])).toEqual([
      "NAME  TYPE  STATE  BACKLOG  RESTART  AGE",
      "contacts  Ingress  RUNNING  1204  true  AGE",
      "events  Egress  FAILED  false  AGE",
      "opt-outs  OptInOut  AGE",
    ]);
  });

  test("-o wide says why, what runs, and when a record was last written", async () => {
    const written = new Date(Date.now() - 5000).toISOString();
    const paused = { name: "account", phase: "Paused", reason: "MassDeletion", message: "200 records would go" };
    const mappings = [{ name: "contact", phase: "Incremental" }, paused];
    await writeStatus("contacts", { lastSyncTime: written, mappings });
    expect(await table(["integrationworkflows", "-o", "wide"])).toEqual([
      "NAME  TYPE  STATE  BACKLOG  RESTART  AGE  REASON  PAUSED  THROTTLED  REVISION  LAST SYNC",
      "contacts  Ingress  RUNNING  1204  true  AGE  Running  account  contacts-5f9c1d2e  AGE",
      "events  Egress  FAILED  false  AGE  CredentialsRejected",
      "opt-outs  OptInOut  AGE  Pending",
    ]);
  });

  test.each([
    ["status.state=FAILED", ["events"]],
    ["status.state=RUNNING,spec.type=Ingress", ["contacts"]],
    ["spec.type=OptInOut", ["opt-outs"]],
    ["spec.state=Stopped", ["contacts", "events", "opt-outs"]],
    ["status.state!=FAILED", ["contacts", "opt-outs"]],
  ])("--field-selector %s", async (selector, names) => {
    const out = await kubectl(["get", "iw", "--field-selector", selector, "-o", "name"]);
    expect(out.trim().split("\n")).toEqual(names.map((name) => `integrationworkflow.integrationworkflow.io/${name}`));
  });

  test("the category shows them among all integrations", async () => {
    expect(await kubectl(["get", "integrations", "-o", "name"])).toContain("integrationworkflow.io/contacts");
  });

  test("wait sees a condition and the state", async () => {
    await kubectl(["wait", "iw/contacts", "--for=condition=Ready", "--timeout=10s"]);
    await kubectl(["wait", "iw/events", "--for=jsonpath={.status.state}=FAILED", "--timeout=10s"]);
  });
});

describe("kubectl explain", () => {
  test("reads like documentation", async () => {
    const text = await kubectl(["explain", "iw.spec.ingress.mappings"]);
    for (const line of [
      "KIND:       IntegrationWorkflow",
      "The Campaign resource, such as profile or cusCompany.",
      "enum: Label, Value",
      "fields\t<[]Object> -required-",
    ]) {
      expect(text).toContain(line);
    }
  });

  test("of iw.spec.ingress is a page that needs no other", async () => {
    expect(await kubectl(["explain", "iw.spec.ingress"])).toMatchInlineSnapshot(`
      "GROUP:      integrationworkflow.io
      KIND:       IntegrationWorkflow
      VERSION:    v1

      FIELD: ingress <Object>


      DESCRIPTION:
          For type Ingress: contacts and custom entities from Dynamics 365 into
          Campaign.
          
      FIELDS:
        mappings	<[]Object> -required-
          What is synced, table by table.


      "
    `);
  });

  test.each(["iw", "iw.spec", "iw.spec.campaign.sftp", "iw.status.conditions"])("has words for %s", async (path) => {
    expect(await kubectl(["explain", path])).not.toContain("<no description>");
  });
});

describe("kubectl apply", () => {
  test("by the client, again without a change, is no edit", async () => {
    const made = manifest("Ingress", {}, "client-side");
    await kubectl(["apply", "-f", "-"], made);
    expect(await kubectl(["apply", "-f", "-"], made)).toContain("unchanged");
    expect(await kubectl(["diff", "-f", "-"], made)).toBe("");
    await expectGeneration("client-side", 1);
  });

  test("by the server, again without a change, is no edit", async () => {
    const made = manifest("Egress", {}, "server-side");
    await kubectl(["apply", "--server-side", "-f", "-"], made);
    await kubectl(["apply", "--server-side", "-f", "-"], made);
    await expectGeneration("server-side", 1);
  });

  async function expectGeneration(name: string, generation: number): Promise<void> {
    const { body } = await server.request("GET", workflowsPath(namespace, name));
    expect(body.metadata["generation"]).toBe(generation);
  }

  test("refuses with a sentence that names the field and the way out", async () => {
    const made = manifest("Ingress", { "spec.worker.replicas": 3 });
    await expect(kubectl(["apply", "-f", "-"], made)).rejects.toThrow(
      "spec.worker.replicas: Invalid value: worker.replicas above 1 needs queue.postgres: the embedded queue has one worker",
    );
  });

  test("by two owners: each has its own table and its own field, and takes away only that", async () => {
    const key = (table: string): unknown => ({ column: `${table}id`, field: "externalId" });
    const head = { apiVersion: "integrationworkflow.io/v1", kind: "IntegrationWorkflow", metadata: { name: "shared" } };
    const contact = { table: "contact", resource: "profile", key: key("contact") };
    const account = { table: "account", resource: "cusCompany", key: key("account") };
    const field = (column: string, name: string): unknown => ({ column, field: name });
    const apply = (manager: string, spec: unknown): Promise<string> =>
      kubectl(["apply", "--server-side", "--field-manager", manager, "-f", "-"], { ...head, spec });
    const mappings = async (): Promise<Record<string, string[]>> => {
      const { body } = await server.request("GET", workflowsPath(namespace, "shared"));
      const { ingress } = body.spec as { ingress: { mappings: { table: string; fields: { field: string }[] }[] } };
      return Object.fromEntries(ingress.mappings.map((entry) => [entry.table, entry.fields.map((one) => one.field)]));
    };
    const { dynamics, campaign } = smallest("Ingress").spec;
    const first = { ...contact, fields: [field("firstname", "firstName")] };
    await apply("platform", { type: "Ingress", dynamics, campaign, ingress: { mappings: [first] } });
    const second = { ...contact, fields: [field("lastname", "lastName")] };
    const accounts = { ...account, fields: [field("name", "label")] };
    await apply("sales", { ingress: { mappings: [second, accounts] } });
    expect(await mappings()).toEqual({ contact: ["firstName", "lastName"], account: ["label"] });

    await apply("sales", { ingress: { mappings: [accounts] } });
    expect(await mappings()).toEqual({ contact: ["firstName"], account: ["label"] });

    const theirs = { ...contact, fields: [field("nickname", "firstName")] };
    await expect(apply("sales", { ingress: { mappings: [theirs] } })).rejects.toThrow(/conflict with "platform"/);
  });
});
