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

interface Service extends Document {
  readonly spec: { readonly ports: readonly object[] };
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

  test("shows each type of workflow once, and shares that one application user has", () => {
    expect(workflows.map(({ spec }) => spec.type).toSorted()).toEqual(["Egress", "Ingress", "OptInOut"]);
    const shares = workflows.map(({ spec }) => spec.dynamics.share ?? 100);
    expect(shares.reduce((sum, share) => sum + share)).toBe(100);
  });

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
        expect(["privateKey", "password"]).toEqual(
          expect.arrayContaining(keys(spec.campaign.sftp.credentialsSecretRef.name)),
        );
        expect(keys(spec.campaign.sftp.credentialsSecretRef.name)).toHaveLength(1);
      }
    }
  });
});

describe("the sandbox's examples fit the sandbox", () => {
  const documents = documentsIn("examples/sandbox");
  const workflows = documents.filter(({ kind }) => kind === "IntegrationWorkflow") as unknown as IntegrationWorkflow[];
  const specOf = (type: string) => workflows.find(({ spec }) => spec.type === type)?.spec;
  const secret = (name: string): Readonly<Record<string, string>> =>
    documents.find(({ kind, metadata }) => kind === "Secret" && metadata.name === name)?.stringData ?? {};

  test("every mapped column and field is there", () => {
    const profile = standardResources(defaultOptions.keyField, defaultOptions.optOutNames).find(
      ({ name }) => name === "profile",
    );
    const columns = new Set(contactTable.columns.map(({ name }) => name));
    const fields = new Set(profile?.fields.map(({ name }) => name));
    const [contacts] = specOf("Ingress")?.ingress?.mappings ?? [];
    const optOuts = specOf("OptInOut")?.optInOut?.mappings ?? [];
    expect(contacts?.key).toEqual({ column: contactTable.primaryId, field: defaultOptions.keyField });
    const pairs = [...(contacts?.fields ?? []), ...optOuts];
    expect(pairs.length).toBeGreaterThan(optOuts.length);
    expect(optOuts.length).toBeGreaterThan(0);
    expect(pairs.filter(({ column, field }) => !columns.has(column) || !fields.has(field))).toEqual([]);
  });

  test("the Secrets let them in", () => {
    const { tenantId, clientId, clientSecret } = defaultOptions;
    expect(secret("dynamics")).toMatchObject({ tenantId, clientId, clientSecret });
    expect(secret("dynamics")["tokenUrl"]).toMatch(new RegExp(`/${tenantId}/oauth2/v2.0/token$`));
    expect(secret("campaign")).toMatchObject({ clientId, clientSecret });
    expect(secret("campaign")["tokenUrl"]).toMatch(/\/ims\/token\/v3$/);
    for (const { spec } of workflows) {
      expect(spec.campaign.url).toMatch(new RegExp(`/${defaultOptions.campaignOrganization}/campaign$`));
    }
    const { sftpAccount, sftpHostKey, exportFolder } = defaultOptions;
    const { username, hostKey, path } = specOf("Egress")?.campaign.sftp ?? {};
    expect({ username, hostKey, path }).toEqual({
      username: sftpAccount.username,
      hostKey: sftpHostKey.publicKey,
      path: exportFolder,
    });
    expect(secret("campaign-sftp")).toEqual({ password: sftpAccount.password });
  });

  test("the addresses are those of the chart's Service", async () => {
    const helm = await startHelm(inject("kubeconfig"));
    try {
      const release = "integration-workflow";
      const chart = await helm.run(
        ...["template", release, "charts/integration-workflow-operator", "--namespace", release],
        ...["--set", "sandbox.enabled=true", "--show-only", "templates/sandbox.yaml"],
      );
      const service = (loadAll(chart) as Service[]).find(({ kind }) => kind === "Service");
      const name = `${service?.metadata.name}.${service?.metadata.namespace}.svc`;
      const host = `http://${name}`;
      for (const { spec } of workflows) {
        expect(spec.dynamics.url).toBe(`${host}:8081`);
        expect(spec.campaign.url).toContain(`${host}:8082/`);
      }
      const { host: sftp, port } = specOf("Egress")?.campaign.sftp ?? {};
      expect(sftp).toBe(name);
      expect(service?.spec.ports).toContainEqual(expect.objectContaining({ name: "sftp", port }));
      expect(secret("dynamics")["tokenUrl"]).toContain(`${host}:8081/`);
      expect(secret("campaign")["tokenUrl"]).toContain(`${host}:8082/`);
    } finally {
      helm.remove();
    }
  });
});
