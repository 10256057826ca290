import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type ApiServer, apiServer, type Cause, installCrd, makeNamespace, workflowsPath } from "./api-server.ts";
import { type BoundedNode, boundExamples, rootNode } from "./bounds.ts";
import { type Manifest, manifest } from "./manifests.ts";
import { type Example, rules } from "./rules.ts";

let server: ApiServer;
let namespace: string;

beforeAll(async () => {
  server = await apiServer(inject("kubeconfig"));
  await installCrd(server);
  namespace = await makeNamespace(server, "api-rules");
});
afterAll(() => server?.close());

/** Why the manifest is refused; nothing if it is accepted. */
async function refusal(made: Manifest): Promise<readonly Cause[]> {
  const path = `${workflowsPath(namespace)}?dryRun=All&fieldValidation=Strict`;
  return causes(await server.request("POST", path, made));
}

function causes({ status, body }: Awaited<ReturnType<ApiServer["request"]>>): readonly Cause[] {
  if (status < 300) return [];
  return body.details?.causes ?? [{ message: body.message ?? `status ${status}` }];
}

/** The same for an edit of what is there already. */
async function refusalOfEdit({ base = "Ingress", before, edits }: Example): Promise<readonly Cause[]> {
  const name = `edit-${crypto.randomUUID()}`;
  const made = await server.request("POST", workflowsPath(namespace), manifest(base, before, name));
  expect(made.body.message).toBeUndefined();
  const { resourceVersion } = made.body.metadata;
  const next = manifest(base, { ...before, ...edits, "metadata.resourceVersion": resourceVersion }, name);
  return causes(await server.request("PUT", `${workflowsPath(namespace, name)}?fieldValidation=Strict`, next));
}

function refusalOf(example: Example): Promise<readonly Cause[]> {
  if (example.before !== undefined) return refusalOfEdit(example);
  return refusal(manifest(example.base ?? "Ingress", example.edits, example.name));
}

// Not describe.each: it cuts long titles short.
for (const { at, message, field, accepted, refused } of rules) {
  const where = at === "" ? "the resource" : at;
  describe(message, () => {
    for (const example of accepted) {
      test(`${where} accepts ${JSON.stringify(example)}`, async () => {
        expect(await refusalOf(example)).toEqual([]);
      });
    }
    for (const example of refused) {
      test(`${where} refuses ${JSON.stringify(example)}`, async () => {
        const cause = { field, message: expect.stringContaining(message) };
        expect(await refusalOf(example)).toContainEqual(expect.objectContaining(cause));
      });
    }
  });
}

test("every rule of the schema has an accepted and a refused example, and no example is of a rule that is gone", () => {
  const stated = rulesOf(rootNode, "").sort();
  const shown = rules.filter(({ accepted, refused }) => accepted.length > 0 && refused.length > 0);
  expect(shown.map(({ at, message }) => `${at}: ${message}`).sort()).toEqual(stated);
});

function rulesOf(node: BoundedNode, path: string): string[] {
  const below = (name: string): string => (path === "" ? name : `${path}.${name}`);
  return [
    ...(node["x-kubernetes-validations"] ?? []).map(({ message }) => `${path}: ${message}`),
    ...Object.entries(node.properties ?? {}).flatMap(([name, child]) => rulesOf(child, below(name))),
    ...(node.items === undefined ? [] : rulesOf(node.items, `${path}[]`)),
  ];
}

describe("bounds", () => {
  for (const { name, base, edits, refused } of boundExamples()) {
    test(`${name} is ${refused === undefined ? "accepted" : "refused"}`, async () => {
      const found = await refusal(manifest(base, edits));
      if (refused === undefined) return expect(found).toEqual([]);
      const { field, says } = refused;
      expect(found).toContainEqual(expect.objectContaining({ field, message: expect.stringContaining(says) }));
    });
  }

  test("the most mappings, with the most fields and constants each, stay within the cost that CEL may have", async () => {
    const many = (count: number, of: (index: number) => unknown): unknown[] =>
      Array.from({ length: count }, (_, i) => of(i));
    const mappings = many(64, (index) => ({
      table: `table${index}`,
      resource: `cusResource${index}`,
      key: { column: "id", field: "id" },
      fields: many(128, (at) => ({ column: `column${at}`, field: `field${at}` })),
      constants: many(32, (at) => ({ field: `constant${at}`, value: "v" })),
    }));
    expect(await refusal(manifest("Ingress", { "spec.ingress": { mappings } }))).toEqual([]);
  });
});

test.each([
  ["spec.ingress.mapping", []],
  ["spec.campaign.engineCallsPerSeconds", 3],
  ["spec.ingress.mappings[0].fields[0].applyUpdate", true],
])("an unknown field is refused and named: %s", async (path, value) => {
  const [cause] = await refusal(manifest("Ingress", { [path]: value }));
  expect(cause?.message).toContain(`unknown field "${path}"`);
});
