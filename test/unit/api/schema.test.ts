import { describe, expect, test } from "vitest";
import { customResourceDefinition } from "../../../src/api/crd.ts";
import { labels, maxNameLength } from "../../../src/api/group.ts";
import { integrationWorkflow } from "../../../src/api/integration-workflow.ts";

interface Node {
  type?: string;
  description?: string;
  default?: unknown;
  properties?: Record<string, Node>;
  items?: Node;
  additionalProperties?: Node;
  required?: string[];
  enum?: string[];
  format?: string;
  maxLength?: number;
  maxItems?: number;
  maxProperties?: number;
  "x-kubernetes-list-type"?: string;
  "x-kubernetes-list-map-keys"?: string[];
  "x-kubernetes-preserve-unknown-fields"?: boolean;
  "x-kubernetes-validations"?: { rule: string; message: string }[];
}

function nodes(node: Node, path: string): [string, Node][] {
  const properties = Object.entries(node.properties ?? {}).flatMap(([name, child]) => nodes(child, `${path}.${name}`));
  return [[path, node], ...properties, ...(node.items === undefined ? [] : nodes(node.items, `${path}[]`))];
}

// A TypeBox schema is its JSON schema.
const all = nodes(integrationWorkflow as unknown as Node, "");

describe.each(all)("%s", (_, node) => {
  test("is described in a sentence", () => {
    expect(node.description).toMatch(/^[A-Za-z].*\.$/s);
  });

  test("is bounded, so that the API server can cost the rules on it", () => {
    if (node.type === "string" && node.enum === undefined && node.format === undefined) {
      expect(node.maxLength).toBeGreaterThan(0);
    }
    if (node.type === "array") expect(node.maxItems).toBeGreaterThan(0);
    if (node.additionalProperties !== undefined) expect(node.maxProperties).toBeGreaterThan(0);
  });

  test("is a list with keys or of one owner, never what the API server would guess", () => {
    if (node.type !== "array") return;
    expect(["map", "atomic"]).toContain(node["x-kubernetes-list-type"]);
    for (const key of node["x-kubernetes-list-map-keys"] ?? []) expect(node.items?.required).toContain(key);
  });

  test("says in each rule's message how to mend it", () => {
    for (const { message } of node["x-kubernetes-validations"] ?? []) {
      expect(message).toMatch(/must|needs?|remove|give|make|add|once|belongs/);
    }
  });
});

test("a required field has no default, and a field with a default is not required", () => {
  for (const [, node] of all) {
    for (const name of node.required ?? []) expect(node.properties?.[name]).not.toHaveProperty("default");
  }
});

test("derived names and label values fit into 63 characters", () => {
  expect("".padEnd(maxNameLength, "a").concat("-5f9c1d2e12").length).toBeLessThanOrEqual(63);
  for (const label of Object.values(labels)) expect(label).toMatch(/^[a-z0-9.-]+\/[a-z-]+$/);
});

test("the definition has one version, served and stored, with a status that the spec's writers cannot write", () => {
  const { versions, scope } = customResourceDefinition.spec;
  expect(scope).toBe("Namespaced");
  expect(versions).toHaveLength(1);
  expect(versions[0]).toMatchObject({ name: "v1", served: true, storage: true, subresources: { status: {} } });
  expect(versions[0]?.subresources).not.toHaveProperty("scale");
});
