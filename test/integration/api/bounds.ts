/** Examples at and beyond every bound of the schema, made from the schema itself: enum, lengths, pattern, keys. */
import { integrationWorkflow, type WorkflowType, workflowTypes } from "../../../src/api/integration-workflow.ts";
import { type Edits, manifest, read } from "./manifests.ts";

/** The part of a CRD's schema that bounds a value. */
export interface BoundedNode {
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, BoundedNode>>;
  readonly items?: BoundedNode;
  readonly additionalProperties?: BoundedNode;
  readonly required?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly pattern?: string;
  readonly default?: unknown;
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-validations"?: readonly { readonly message: string }[];
}

export interface BoundExample {
  readonly name: string;
  readonly base: WorkflowType;
  readonly edits: Edits;
  /** For a refusal: the field and a part of the message. */
  readonly refused?: { readonly field: string; readonly says: string };
}

// A TypeBox schema is its JSON schema.
export const rootNode = integrationWorkflow as unknown as BoundedNode;
const specNode = rootNode.properties?.["spec"] ?? {};

/** Every node below spec, with the path of its first entry: `spec.ingress.mappings[0].table`. */
function nodes(node: BoundedNode = specNode, path = "spec"): (readonly [path: string, node: BoundedNode])[] {
  const properties = Object.entries(node.properties ?? {}).flatMap(([name, child]) => nodes(child, `${path}.${name}`));
  const items = node.items === undefined ? [] : nodes(node.items, `${path}[0]`);
  return [[path, node], ...properties, ...items];
}

/** Values as long as allowed, where a pattern does not take any letters. */
const longest: Readonly<Record<string, (length: number) => string>> = {
  "spec.dynamics.url": (length) => `https://${"a".repeat(length - 8)}`,
  "spec.campaign.url": (length) => `https://${"a".repeat(length - 8)}`,
  "spec.campaign.sftp.hostKey": (length) => `ssh-rsa ${"A".repeat(length - 8)}`,
  "spec.queue.volume.size": (length) => `1${"0".repeat(length - 1)}`,
};

const patternMessage = "should match";
const wrong = "~ no match ~";

/** What other rules ask for beside the value at its bound. */
const beside: Readonly<Record<string, Edits>> = {
  "spec.worker.replicas": { "spec.queue": { postgres: { credentialsSecretRef: { name: "queue" } } } },
};

/** Whether other rules allow an enum's value; the others have examples of their own in rules.ts. */
function isFree(path: string, value: string): boolean {
  if (path === "spec.type") return value === "Ingress";
  if (path.endsWith("conditions[0].operator")) return value !== "In" && value !== "NotIn" && !value.startsWith("Is");
  return true;
}

export function boundExamples(): BoundExample[] {
  return nodes().flatMap(([first, node]) => {
    const { path, base } = place(first);
    const given = read(manifest(base), path);
    const made: BoundExample[] = [];
    const accept = (name: string, value: unknown): void => {
      made.push({ name: `${path}: ${name}`, base, edits: { [path]: value, ...beside[path] } });
    };
    const refuse = (name: string, value: unknown, says: string, field = path): void => {
      made.push({ name: `${path}: ${name}`, base, edits: { [path]: value }, refused: { field, says } });
    };
    for (const value of node.enum ?? []) if (isFree(path, value)) accept(value, value);
    if (node.enum !== undefined) refuse("a word that is not in its enum", "Nonsense", node.enum[0] ?? "");
    if (node.minimum !== undefined) {
      accept(`its minimum ${node.minimum}`, node.minimum);
      refuse("less than its minimum", node.minimum - (node.type === "integer" ? 1 : 0.01), `${node.minimum}`);
    }
    if (node.maximum !== undefined) {
      accept(`its maximum ${node.maximum}`, node.maximum);
      refuse("more than its maximum", node.maximum + 1, `${node.maximum}`);
    }
    if (node.minLength !== undefined) refuse("empty", "", "at least 1 chars");
    if (node.maxLength !== undefined) {
      const text = longest[path] ?? ((length: number) => "a".repeat(length));
      accept(`${node.maxLength} characters`, text(node.maxLength));
      refuse(`${node.maxLength + 1} characters`, text(node.maxLength + 1), `${node.maxLength}`);
    }
    if (node.pattern !== undefined) refuse("what its pattern does not take", wrong, patternMessage);
    if (node.format === "date-time") refuse("no date", "yesterday", "date-time");
    if (node.minItems !== undefined) refuse("an empty list", [], "at least 1 items");
    if (node.maxItems !== undefined && Array.isArray(given)) {
      refuse("too many entries", entries(node, given[0], node.maxItems + 1), `at most ${node.maxItems} items`);
      const keys = node["x-kubernetes-list-map-keys"];
      if (keys !== undefined) refuse("the same key twice", [given[0], given[0]], "Duplicate value", `${path}[1]`);
    }
    if (node.maxProperties !== undefined) {
      const many = Array.from({ length: node.maxProperties + 1 }, (_, index) => [`k${index}`, "1"]);
      refuse("too many entries", Object.fromEntries(many), `at most ${node.maxProperties} items`);
    }
    const { maxLength, pattern } = node.additionalProperties ?? {};
    if (maxLength !== undefined)
      refuse("a value too long", { a: "a".repeat(maxLength + 1) }, `${maxLength}`, `${path}.a`);
    if (pattern !== undefined) refuse("a value without sense", { a: wrong }, patternMessage, `${path}.a`);
    for (const name of node.required ?? []) {
      const edits = { [`${path}.${name}`]: undefined };
      const refused = { field: `${path}.${name}`, says: "Required value" };
      made.push({ name: `${path}: without ${name}`, base, edits, refused });
    }
    return made;
  });
}

/** The manifest that has such a field, in the first entries or in the second of one list. */
function place(first: string): { readonly path: string; readonly base: WorkflowType } {
  const lists = [...first.matchAll(/\[0\]/g)];
  const others = lists.map(({ index }) => `${first.slice(0, index)}[1]${first.slice(index + 3)}`);
  for (const path of [first, ...others]) {
    const base = workflowTypes.find((type) => read(manifest(type), path) !== undefined);
    if (base !== undefined) return { path, base };
  }
  throw new Error(`no manifest has ${first}: give it one in manifests.ts`);
}

/** So many entries, each with keys of its own. */
function entries(node: BoundedNode, first: unknown, count: number): unknown[] {
  const keys = node["x-kubernetes-list-map-keys"] ?? [];
  return Array.from({ length: count }, (_, index) => {
    if (typeof first !== "object" || first === null) return first;
    return { ...first, ...Object.fromEntries(keys.map((key) => [key, `k${index}`])) };
  });
}
