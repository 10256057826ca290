import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { load, loadAll } from "js-yaml";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import type { IntegrationWorkflow } from "../../../src/api/integration-workflow.ts";
import { standardResources } from "../../../src/sandbox/campaign/standard-resources.ts";
import { contactTable } from "../../../src/sandbox/dataverse/standard-tables.ts";
import { defaultOptions } from "../../../src/sandbox/options.ts";
import { startHelm } from "../chart/helm.ts";
import { type ApiServer, apiServer, installCrd, makeNamespace } from "./api-server.ts";

interface Document {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly stringData?: Readonly<Record<string, string>>;
}

let server: ApiServer;

beforeAll(async () => {
  server = await apiServer(inject("kubeconfig"));
  await installCrd(server);
});
afterAll(() => server?.close());

test("the examples are taken as they stand, in any namespace", async () => {
  const namespace = await makeNamespace(server, "api-examples");
  const out = await server.kubectl(["apply", "--namespace", namespace, "-f", "examples"]);
  expect(out.match(/created/g)).toHaveLength(documentsIn("examples").length);
});

test("the sandbox's examples are taken as they stand", async () => {
  // In a namespace of a fixed name: made, and otherwise left alone.
  await server.kubectl(["apply", "-f", "examples/sandbox/1-namespace.yaml"]);
  const out = await server.kubectl(["apply", "--dry-run=server", "-f", "examples/sandbox"]);
  expect(out.match(/\(server dry run\)/g)).toHaveLength(documentsIn("examples/sandbox").length);
});

test("the README's workflow is taken as it stands", async () => {
  const namespace = await makeNamespace(server, "api-readme");
  const [, yaml = ""] = /```yaml\n(.*?)```/s.exec(readFileSync("README.md", "utf8")) ?? [];
  const { metadata, ...rest } = load(yaml) as Document;
  const out = await server.kubectl(["apply", "-f", "-"], { ...rest, metadata: { ...metadata, namespace } });
  expect(out).toContain("contacts created");
});

function documentsIn(folder: string): Document[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".yaml"))
    .sort()
    .flatMap((name) => loadAll(readFileSync(join(folder, name), "utf8")) as Document[]);
}

describe.each(["examples", "examples/sandbox"])("%s", (folder) => {
  const documents = documentsIn(folder);
  const secrets = new Map(
    documents.filter(({ kind }) => kind === "Secret").map((secret) => [secret.metadata.name, secret]),
  );
  // The API server checks them against the schema below.
  const workflows = documents.filter(({ kind }) => kind === "IntegrationWorkflow") as unknown as IntegrationWorkflow[];

  test("has every Secret that a workflow names, with the keys that its description asks for", () => {
    for (const { spec } of workflows) {
      const keys = (name: string | undefined): string[] => Object.keys(secrets.get(name ?? "")?.stringData ?? {});
      expect(keys(spec.dynamics.credentialsSecretRef.name)).toEqual(
        expect.arrayContaining(["tenantId", "clientId", "clientSecret"]),
      );
      expect(keys(spec.campaign.credentialsSecretRef.name)).toEqual(
        expect.arrayContaining(["clientId", "clientSecret", "scopes"]),
      );
      if (spec.campaign.sftp !== undefined) {
        expect(keys(spec.campaign.sftp.credentialsSecretRef.name)).toEqual(["privateKey"]);
      }
    }
  });
});

describe("the sandbox's example fits the sandbox", () => {
  const documents = documentsIn("examples/sandbox");
  const [workflow] = documents.filter(({ kind }) => kind === "IntegrationWorkflow") as unknown as IntegrationWorkflow[];
  const secret = (name: string): Readonly<Record<string, string>> =>
    documents.find(({ kind, metadata }) => kind === "Secret" && metadata.name === name)?.stringData ?? {};

  test("every mapped column and field is there", () => {
    const columns = contactTable.columns.map(({ name }) => name);
    const profile = standardResources(defaultOptions.keyField).find(({ name }) => name === "profile");
    const fields = profile?.fields.map(({ name }) => name);
    const [mapping] = workflow?.spec.ingress?.mappings ?? [];
    expect(mapping?.key).toEqual({ column: contactTable.primaryId, field: defaultOptions.keyField });
    expect(columns).toEqual(expect.arrayContaining(mapping?.fields.map(({ column }) => column) ?? [""]));
    expect(fields).toEqual(expect.arrayContaining(mapping?.fields.map(({ field }) => field) ?? [""]));
  });

  test("its Secrets let it in", () => {
    const { tenantId, clientId, clientSecret } = defaultOptions;
    expect(secret("dynamics")).toMatchObject({ tenantId, clientId, clientSecret });
    expect(secret("dynamics")["tokenUrl"]).toMatch(new RegExp(`/${tenantId}/oauth2/v2.0/token$`));
    expect(secret("campaign")).toMatchObject({ clientId, clientSecret });
    expect(secret("campaign")["tokenUrl"]).toMatch(/\/ims\/token\/v3$/);
    expect(workflow?.spec.campaign.url).toMatch(new RegExp(`/${defaultOptions.campaignOrganization}/campaign$`));
  });

  test("its addresses are those of the chart's Service", async () => {
    const helm = await startHelm(inject("kubeconfig"));
    try {
      const release = "integration-workflow";
      const chart = await helm.run(
        ...["template", release, "charts/integration-workflow-operator", "--namespace", release],
        ...["--set", "sandbox.enabled=true", "--show-only", "templates/sandbox.yaml"],
      );
      const service = (loadAll(chart) as Document[]).find(({ kind }) => kind === "Service")?.metadata;
      const host = `http://${service?.name}.${service?.namespace}.svc`;
      expect(workflow?.spec.dynamics.url).toBe(`${host}:8081`);
      expect(workflow?.spec.campaign.url).toContain(`${host}:8082/`);
      expect(secret("dynamics")["tokenUrl"]).toContain(`${host}:8081/`);
      expect(secret("campaign")["tokenUrl"]).toContain(`${host}:8082/`);
    } finally {
      helm.remove();
    }
  });
});
