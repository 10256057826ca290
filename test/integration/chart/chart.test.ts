import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { consoleCommand } from "../../../src/console/command.ts";
import { operatorCommand } from "../../../src/operator/command.ts";
import { shardOf } from "../../../src/operator/shell/shard.ts";
import { sandboxCommand } from "../../../src/sandbox/command.ts";
import { chartFolder, type Helm, type Rendered, startHelm } from "./helm.ts";

let helm: Helm;

beforeAll(async () => {
  helm = await startHelm(inject("kubeconfig"));
});
afterAll(() => helm?.remove());

interface Container {
  readonly args: readonly string[];
  readonly image: string;
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
}

function find(objects: readonly Rendered[], kind: string, name: string): Rendered {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name} is rendered`);
  return found;
}

function containerOf(objects: readonly Rendered[], deployment: string): Container {
  const { spec } = find(objects, "Deployment", deployment);
  const [container] = (spec as unknown as { template: { spec: { containers: Container[] } } }).template.spec.containers;
  if (container === undefined) throw new Error(`${deployment} has no container`);
  return container;
}

const operator = "release-integration-workflow-operator";

test("helm lint finds nothing to complain of", async () => {
  expect(await helm.run("lint", "--strict", chartFolder)).toContain("0 chart(s) failed");
});

test("the CRD in the chart is the one in crds/", async () => {
  const { metadata, ...rest } = find(
    await helm.render(),
    "CustomResourceDefinition",
    "integrationworkflows.integrationworkflow.io",
  );
  const { metadata: theirs, ...expected } = load(readFileSync("crds/integrationworkflows.yaml", "utf8")) as Rendered;
  expect(rest).toEqual(expected);
  expect(metadata.name).toBe(theirs.name);
  expect(metadata.annotations).toEqual({ "helm.sh/resource-policy": "keep" });
});

test("the CRD goes with the release only when asked for, and is left out when asked for", async () => {
  const crd = "integrationworkflows.integrationworkflow.io";
  const kept = find(await helm.render("crds.keep=false"), "CustomResourceDefinition", crd);
  expect(kept.metadata.annotations).toBeUndefined();
  const without = await helm.render("crds.enabled=false");
  expect(without.filter(({ kind }) => kind === "CustomResourceDefinition")).toEqual([]);
});

test("workers run the chart's own image unless another is named", async () => {
  const image = "registry.example.com/iw@sha256:".concat("0".repeat(64));
  const own = containerOf(
    await helm.render("image.repository=registry.example.com/iw", `image.digest=sha256:${"0".repeat(64)}`),
    operator,
  );
  expect(own.image).toBe(image);
  expect(own.args).toContain(`--worker-image=${image}`);
  const other = containerOf(await helm.render("operator.workerImage=example.com/worker:2"), operator);
  expect(other.args).toContain("--worker-image=example.com/worker:2");
  expect(other.image).toBe("integration-workflow-operator:0.1.0");
});

test("what is permitted and watched reaches the operator, and nothing is said of what is not set", async () => {
  const plain = containerOf(await helm.render(), operator).args.join(" ");
  expect(plain).not.toMatch(/--watch-namespaces|--allowed|--shard/);
  const { args } = containerOf(
    await helm.render(
      "watchNamespaces={crm,sales}",
      "operator.allowedWorkerImages={a:1,b:2}",
      "operator.allowedServiceAccounts={worker}",
      "operator.workerPoll=off",
    ),
    operator,
  );
  expect(args).toEqual(
    expect.arrayContaining([
      "operator",
      "--leader-elect",
      "--leader-election-namespace=system",
      "--watch-namespaces=crm,sales",
      "--allowed-worker-images=a:1,b:2",
      "--allowed-service-accounts=worker",
      "--worker-poll=off",
    ]),
  );
});

test("a shard's operator may use the lease that it elects its leader by, and no other shard's", async () => {
  const leaseNames = (objects: readonly Rendered[]): unknown => {
    const role = objects.find(({ kind, metadata }) => kind === "Role" && metadata.name.endsWith("-leader-election"));
    // A Role has rules.
    const { rules } = role as unknown as { rules: readonly { resourceNames?: readonly string[] }[] };
    return rules.flatMap(({ resourceNames = [] }) => resourceNames);
  };
  expect(leaseNames(await helm.render())).toEqual([shardOf(undefined).leaseName]);
  for (const selector of ["shard=a", "!shard", " shard in (b) "]) {
    const objects = await helm.render(`operator.shardSelector=${selector}`);
    expect(leaseNames(objects)).toEqual([shardOf(selector.trim()).leaseName]);
    expect(containerOf(objects, operator).args).toContain(`--shard-selector=${selector.trim()}`);
  }
});

test.each([
  [operator, operatorCommand],
  ["integration-workflow-sandbox", sandboxCommand],
])("%s is given only flags that its role knows", async (name, command) => {
  const objects = await helm.render(
    "sandbox.enabled=true",
    "watchNamespaces={crm}",
    "operator.allowedWorkerImages={a:*}",
    "operator.allowedServiceAccounts={worker}",
  );
  const [role, ...flags] = containerOf(objects, name).args;
  const roleCommand = command(new AbortController().signal);
  const parsed = roleCommand.exitOverride().parseOptions(flags);
  expect(role).toBe(roleCommand.name());
  expect(parsed).toEqual({ operands: [], unknown: [] });
});

test("with a list of namespaces nothing of it is cluster-wide", async () => {
  const objects = await helm.render(
    "watchNamespaces={crm,sales}",
    "crds.enabled=false",
    "rbac.aggregateToDefaultRoles=false",
    "sandbox.enabled=true",
    "networkPolicy.enabled=true",
  );
  for (const { kind, metadata } of objects) {
    expect(metadata.namespace, `${kind} ${metadata.name}`).toMatch(/^(system|crm|sales)$/);
  }
});

test("the sandbox is off, and when it is on has a Service with the ports of both systems and its control", async () => {
  expect((await helm.render()).filter(({ metadata }) => metadata.name.includes("sandbox"))).toEqual([]);
  const objects = await helm.render("sandbox.enabled=true");
  expect(containerOf(objects, "integration-workflow-sandbox").args).toEqual(["sandbox"]);
  const { ports } = find(objects, "Service", "integration-workflow-sandbox").spec as {
    ports: { name: string; port: number }[];
  };
  expect(ports.map(({ name, port }) => [name, port])).toEqual([
    ["dataverse", 8081],
    ["campaign", 8082],
    ["control", 8083],
    ["sftp", 8022],
  ]);
});

describe("values that do not fit are refused, and named", () => {
  test.each([
    ["operator.replica=3", "at '/operator': additional properties 'replica' not allowed"],
    ["sandbox=true", "at '/sandbox': got boolean, want object"],
    ["operator.workerPoll=often", "at '/operator/workerPoll': value must be one of 'direct', 'proxy', 'off'"],
    ["operator.logLevel=trace", "at '/operator/logLevel': value must be one of"],
    ["watchNamespaces={CRM}", "at '/watchNamespaces/0'"],
    ["image.digest=latest", "at '/image/digest'"],
    ["crd.enabled=false", "additional properties 'crd' not allowed"],
  ])("%s", async (value, message) => {
    await expect(helm.render(value)).rejects.toThrow(message);
  });

  test("an account that the chart does not make needs a name", async () => {
    await expect(helm.render("serviceAccount.create=false")).rejects.toThrow(
      "name the account that the operator runs as",
    );
  });

  test("values.yaml and its schema name the same fields", () => {
    const values = load(readFileSync(`${chartFolder}/values.yaml`, "utf8"));
    const schema = JSON.parse(readFileSync(`${chartFolder}/values.schema.json`, "utf8")) as SchemaNode;
    expect(namesIn(schema)).toEqual(["global", ...Object.keys(values as object)].sort());
    compare(values, schema);
  });
});

interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
}

function namesIn(schema: SchemaNode): string[] {
  return Object.keys(schema.properties ?? {}).sort();
}

/** Every object of the values with a schema of its own has the schema's fields: none undocumented, none unknown. */
function compare(values: unknown, schema: SchemaNode, path = ""): void {
  for (const [name, node] of Object.entries(schema.properties ?? {})) {
    const value = (values as Record<string, unknown>)[name];
    // Kubernetes' own forms are documented by Kubernetes.
    if (node.properties === undefined || name === "resources") continue;
    expect(Object.keys(value as object).sort(), `${path}.${name}`).toEqual(namesIn(node));
    compare(value, node, `${path}.${name}`);
  }
}

test("the Workflows page is off unless asked for, and asked for without an address it is refused", async () => {
  expect((await helm.render()).filter(({ metadata }) => metadata.name.endsWith("-console"))).toEqual([]);
  await expect(helm.render("console.enabled=true")).rejects.toThrow("console.publicUrl is needed");
  await expect(
    helm.render("console.enabled=true", "console.publicUrl=https://page.example.com", "console.replicas=2"),
  ).rejects.toThrow("console.sessionKeySecret");
});

test("the page's pod has an account that nothing is granted to, and no token of it", async () => {
  const objects = await helm.render("console.enabled=true", "console.publicUrl=https://page.example.com");
  const name = `${operator}-console`;
  expect(find(objects, "ServiceAccount", name)).toMatchObject({ automountServiceAccountToken: false });
  const { spec } = find(objects, "Deployment", name);
  expect(spec).toMatchObject({ template: { spec: { automountServiceAccountToken: false, serviceAccountName: name } } });
  const bindings = objects.filter(({ kind }) => kind.endsWith("RoleBinding"));
  expect(bindings.length).toBeGreaterThan(0);
  expect(JSON.stringify(bindings)).not.toContain(name);
});

test("the page takes the arguments that the chart gives it", async () => {
  const objects = await helm.render(
    "console.enabled=true",
    "console.publicUrl=https://page.example.com",
    "console.signIn=proxy",
    "console.sessionKeySecret=key",
  );
  const { args } = containerOf(objects, `${operator}-console`);
  expect(args[0]).toBe("console");
  const known = consoleCommand(new AbortController().signal).options.map(({ long }) => long);
  for (const argument of args.slice(1)) expect(known).toContain(argument.split("=")[0]);
});

test("the page that signs in at an issuer is told all of it, and mounts the secret and the CA whole, so that they are renewed", async () => {
  const page = ["console.enabled=true", "console.publicUrl=https://page.example.com", "console.signIn=oidc"];
  await expect(helm.render(...page)).rejects.toThrow("console.oidc.issuer and console.oidc.clientId");
  const issuer = ["console.oidc.issuer=https://login.example.com/realms/all", "console.oidc.clientId=workflows"];
  const plain = containerOf(await helm.render(...page, ...issuer), `${operator}-console`);
  expect(plain.args.join(" ")).not.toMatch(/oidc-(ca|client-secret)-file|oidc-parameters|trusted-proxies/);
  const objects = await helm.render(
    ...[...page, ...issuer, "console.oidc.clientSecret=workflows-client", "console.oidc.caConfigMap=corporate-ca"],
    ...["console.oidc.parameters=prompt=consent", "console.trustedProxies={10.0.0.0/8,fd00::/8}"],
  );
  const { args } = containerOf(objects, `${operator}-console`);
  const given = ["--assets=.", ...args.slice(1)];
  const command = consoleCommand(new AbortController().signal).action(() => {});
  await command.exitOverride().parseAsync(given, { from: "user" });
  expect(command.opts()).toMatchObject({
    signIn: "oidc",
    oidcIssuer: "https://login.example.com/realms/all",
    oidcClientId: "workflows",
    oidcScopes: "openid profile email",
    oidcToken: "id_token",
    oidcParameters: { prompt: "consent" },
    trustedProxies: ["10.0.0.0/8", "fd00::/8"],
  });
  const { spec } = find(objects, "Deployment", `${operator}-console`);
  const { volumes, containers } = (spec as unknown as { template: { spec: PodParts } }).template.spec;
  expect(volumes).toContainEqual({
    name: "oidc-client",
    secret: { secretName: "workflows-client", items: [{ key: "client-secret", path: "secret" }] },
  });
  expect(volumes).toContainEqual({
    name: "oidc-ca",
    configMap: { name: "corporate-ca", items: [{ key: "ca.crt", path: "ca.crt" }] },
  });
  const mounts = containers[0]?.volumeMounts ?? [];
  for (const file of [command.opts()["oidcClientSecretFile"], command.opts()["oidcCaFile"]])
    expect(
      mounts.some(({ mountPath, subPath }) => `${file}`.startsWith(`${mountPath}/`) && subPath === undefined),
    ).toBe(true);
});

interface PodParts {
  readonly volumes: readonly unknown[];
  readonly containers: readonly {
    readonly volumeMounts: readonly { readonly mountPath: string; readonly subPath?: string }[];
  }[];
}
