import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { effectiveSpec } from "../../../src/api/configuration.ts";
import { type SchemaNode, withDefaults } from "../../../src/api/defaults.ts";
import { spec, type WorkflowSpec, workflowTypes } from "../../../src/api/integration-workflow.ts";
import { type ApiServer, apiServer, installCrd, makeNamespace, workflowsPath } from "./api-server.ts";
import { boundExamples } from "./bounds.ts";
import { writtenSpecs } from "./generated.ts";
import { type Manifest, manifest, smallest } from "./manifests.ts";
import { rules } from "./rules.ts";

let server: ApiServer;
let namespace: string;

beforeAll(async () => {
  server = await apiServer(inject("kubeconfig"));
  await installCrd(server);
  namespace = await makeNamespace(server, "api-defaults");
});
afterAll(() => server?.close());

/** The spec as the API server fills it. */
async function filledByServer(made: Manifest): Promise<Manifest["spec"]> {
  const { body } = await server.request("POST", `${workflowsPath(namespace)}?dryRun=All`, made);
  expect(body.message).toBeUndefined();
  return body.spec;
}

function filledByUs(written: unknown): unknown {
  return withDefaults(spec as unknown as SchemaNode, written); // A TypeBox schema is its JSON schema.
}

const queue = { deadLetterRetentionDays: 30 };
const worker = { replicas: 1, terminationGracePeriodSeconds: 60 };

describe("what is not written gets the documented default", () => {
  test("Ingress", async () => {
    const filled = await filledByServer(smallest("Ingress"));
    expect(filled).toMatchObject({ state: "Stopped", revisionHistoryLimit: 10, queue, worker });
    expect(filled["dynamics"]).toMatchObject({ share: 100 });
    expect(filled["ingress"]).toMatchObject({
      mappings: [{ applyDeletes: false, picklistValues: "Label", fields: [{ applyUpdates: true }] }],
    });
    expect(Object.keys(filled).sort()).toEqual(
      ["campaign", "dynamics", "ingress", "queue", "revisionHistoryLimit", "state", "type", "worker"].sort(),
    );
  });

  test("a filter and a link", async () => {
    const filter = { conditions: [{ column: "statecode", operator: "Equals", value: "0" }] };
    const mapping = "spec.ingress.mappings[0]";
    const link = { resource: "cusCompany", key: "crmId" };
    const edits = { [`${mapping}.filter`]: filter, [`${mapping}.fields[0].link`]: link };
    const { ingress } = await filledByServer(manifest("Ingress", edits));
    expect(ingress).toMatchObject({
      mappings: [{ filter: { match: "All", deleteUnmatched: false }, fields: [{ link: { mandatory: false } }] }],
    });
  });

  test("Egress, and the exports on SFTP", async () => {
    const filled = await filledByServer({
      ...smallest("Egress"),
      spec: manifest("Egress", {
        "spec.egress": {},
        "spec.campaign.sftp.port": undefined,
        "spec.campaign.sftp.format": { timeZone: "Europe/Paris" },
      }).spec,
    });
    expect(filled["egress"]).toEqual({
      events: { send: true, open: true, click: true, bounce: true },
      contactKey: "contactid",
      activities: {
        send: { table: "adobe_emailsend" },
        open: { table: "adobe_emailopen" },
        click: { table: "adobe_emailurlclick" },
        bounce: { table: "adobe_emailbounce" },
        columns: {
          campaignName: "adobe_campaignname",
          deliveryName: "adobe_deliveryname",
          occurredAt: "adobe_occurredat",
          mirrorPageUrl: "adobe_mirrorpageurl",
          trackingUrl: "adobe_trackingurl",
        },
      },
    });
    expect(filled["campaign"]).toMatchObject({
      sftp: {
        port: 22,
        format: { timeZone: "Europe/Paris", delimiter: ",", encoding: "utf-8", dateFormat: "yyyy-MM-dd HH:mm:ss" },
      },
    });
  });

  test("OptInOut reads exports", async () => {
    expect((await filledByServer(smallest("OptInOut")))["optInOut"]).toMatchObject({ source: "Export" });
  });

  test("a volume that is given as {}", async () => {
    const filled = await filledByServer(manifest("Ingress", { "spec.queue": { volume: {} } }));
    const volume = { size: "1Gi", accessMode: "ReadWriteOnce", whenDeleted: "Retain" };
    expect(filled["queue"]).toEqual({ ...queue, volume });
  });
});

const pending = {
  status: "Unknown",
  reason: "Pending",
  message: "No operator has looked at this workflow yet",
  lastTransitionTime: "1970-01-01T00:00:00Z",
};

describe("status", () => {
  test("of a workflow that no operator has seen is Unknown, Pending, of no generation", async () => {
    const { body } = await server.request("POST", workflowsPath(namespace), manifest("Ingress", {}, "unseen"));
    const conditions = [
      { type: "Ready", ...pending },
      { type: "Running", ...pending },
    ];
    expect(body.status).toEqual({ observedGeneration: -1, conditions });
  });

  test("once written, is not filled up", async () => {
    await server.request("POST", workflowsPath(namespace), manifest("Ingress", {}, "seen"));
    const path = `${workflowsPath(namespace, "seen")}/status`;
    await server.request(
      "PATCH",
      path,
      { status: { observedGeneration: 1, conditions: null } },
      "application/merge-patch+json",
    );
    const { body } = await server.request("GET", workflowsPath(namespace, "seen"));
    expect(body.status).toEqual({ observedGeneration: 1 });
  });

  test("cannot be written with the spec, nor the spec with status", async () => {
    const edits = { status: { state: "RUNNING" } };
    const { body } = await server.request("POST", workflowsPath(namespace), manifest("Ingress", edits, "apart"));
    expect(body.status).not.toHaveProperty("state");
    const patch = { spec: { state: "Running" }, status: { state: "RUNNING" } };
    const path = `${workflowsPath(namespace, "apart")}/status`;
    const patched = await server.request("PATCH", path, patch, "application/merge-patch+json");
    expect(patched.body.status).toMatchObject({ state: "RUNNING" });
    expect(patched.body.spec).toMatchObject({ state: "Stopped" });
    expect(patched.body.metadata["generation"]).toBe(1);
  });
});

describe("our defaulting is the API server's", () => {
  const ofRules = rules
    .flatMap(({ accepted }) => accepted)
    .map(({ base, edits }) => manifest(base ?? "Ingress", edits));
  const ofBounds = boundExamples().flatMap(({ base, edits, refused }) => (refused ? [] : [manifest(base, edits)]));
  const all = [...workflowTypes.map((type) => smallest(type)), ...ofRules, ...ofBounds];

  test(`for all ${all.length} accepted examples`, async () => {
    for (const made of all) expect(filledByUs(made.spec)).toEqual(await filledByServer(made));
  });

  test("for any spec, and filling twice changes nothing", async () => {
    const property = fc.asyncProperty(writtenSpecs(), async (written) => {
      const filled = await filledByServer({ ...smallest("Ingress"), spec: written });
      expect(filledByUs(written)).toEqual(filled);
      expect(filledByUs(filled)).toEqual(filled);
    });
    await fc.assert(property, { numRuns: 300 });
  });

  test("so the effective spec is the same from what was written and from what the API server returns", async () => {
    const property = fc.asyncProperty(writtenSpecs(), async (written) => {
      const filled = await filledByServer({ ...smallest("Ingress"), spec: written });
      // The API server has accepted it: it is a spec.
      expect(effectiveSpec(written as WorkflowSpec)).toEqual(effectiveSpec(filled as WorkflowSpec));
    });
    await fc.assert(property, { numRuns: 50 });
  });
});
