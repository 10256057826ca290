/** Specs that the schema allows, at random: any optional field there, absent or null, any default left out. */
import fc from "fast-check";
import type { BoundedNode } from "./bounds.ts";
import { rootNode } from "./bounds.ts";

type Fields = Record<string, unknown>;

/** A spec as somebody might write it, of any type, that every rule of the schema accepts. */
export function writtenSpecs(): fc.Arbitrary<Fields> {
  const spec = rootNode.properties?.["spec"];
  if (spec === undefined) throw new Error("the schema has no spec");
  return any(spec).map((value) => obeying(value as Fields)); // The schema says that a spec is an object.
}

function any(node: BoundedNode): fc.Arbitrary<unknown> {
  if (node.enum !== undefined) return fc.constantFrom(...node.enum);
  if (node.properties !== undefined) return properties(node, node.properties);
  if (node.items !== undefined) {
    const keys = node["x-kubernetes-list-map-keys"];
    const entries = any(node.items);
    const length = { minLength: node.minItems ?? 0, maxLength: 3 };
    if (keys === undefined) return fc.array(entries, length);
    return fc.uniqueArray(entries, {
      ...length,
      selector: (entry) => JSON.stringify(keys.map((key) => (entry as Fields)[key])),
    });
  }
  if (node.additionalProperties !== undefined) {
    const values = node.additionalProperties.type === "string" ? fc.constantFrom("a", "") : fc.constantFrom("1Gi", 2);
    return fc.dictionary(fc.constantFrom("cpu", "memory"), values);
  }
  if (node.type === "object") return fc.constantFrom({}, { a: { b: [1, { c: "d" }] } });
  if (node.type === "boolean") return fc.boolean();
  if (node.type === "integer") return fc.integer({ min: node.minimum ?? 0, max: node.maximum ?? 1000 });
  if (node.type === "number") return fc.constantFrom(node.minimum ?? 0, 1, 2.5, 1000);
  return text(node);
}

function text(node: BoundedNode): fc.Arbitrary<string> {
  if (node.format === "date-time") return fc.constantFrom("2026-11-01T00:00:00Z", "2026-11-01T01:00:00.5+01:00");
  if (node["x-kubernetes-validations"] !== undefined) {
    return fc.constantFrom("https://example.com", "http://sandbox.crm.svc:8081/a");
  }
  const { minLength = 0, maxLength = 1024, pattern } = node;
  if (pattern === undefined) return fc.string({ minLength, maxLength: Math.min(maxLength, 12) });
  return fc.stringMatching(new RegExp(pattern), { size: "xsmall" }).filter((value) => value.length <= maxLength);
}

function properties(node: BoundedNode, named: Readonly<Record<string, BoundedNode>>): fc.Arbitrary<Fields> {
  const fields = Object.entries(named).map(([name, child]) => {
    const required = node.required?.includes(name) === true;
    const value = any(child);
    return [name, required ? value : fc.option(fc.option(value, { freq: 9 }), { nil: undefined, freq: 2 })] as const;
  });
  return fc.record(Object.fromEntries(fields)).map((made) => {
    // undefined is what is not written; null is written, and the API server drops it.
    return Object.fromEntries(Object.entries(made).filter(([, value]) => value !== undefined));
  });
}

/** The same spec, with what the rules between fields ask for. */
function obeying(spec: Fields): Fields {
  const sections = { Ingress: "ingress", Egress: "egress", OptInOut: "optInOut" };
  for (const [type, section] of Object.entries(sections)) {
    if (type !== spec["type"]) delete spec[section];
    else spec[section] ??= smallestSections[section];
  }
  const campaign = spec["campaign"] as Fields;
  campaign["sftp"] ??= spec["type"] === "Ingress" ? null : smallestSftp;
  const queue = spec["queue"] as Fields | undefined | null;
  if (queue?.["volume"] != null) delete queue["postgres"];
  const worker = spec["worker"] as Fields | undefined | null;
  if (queue?.["postgres"] == null && worker != null) delete worker["replicas"];
  for (const [index, mapping] of list(spec["ingress"])) obeyingMapping(mapping, index);
  for (const [index, pair] of list(spec["optInOut"])) pair["column"] = `column${index}`;
  return structuredClone(spec);
}

function obeyingMapping(mapping: Fields, index: number): void {
  mapping["resource"] = `cusResource${index}`;
  (mapping["key"] as Fields)["field"] = "key";
  for (const [at, field] of list(mapping, "fields")) field["field"] = `field${at}`;
  for (const [at, constant] of list(mapping, "constants")) constant["field"] = `constant${at}`;
  for (const [, condition] of list(mapping["filter"], "conditions")) {
    const operator = String(condition["operator"]);
    delete condition[operator.endsWith("In") ? "value" : "values"];
    if (operator.endsWith("In")) condition["values"] ??= ["1"];
    else if (operator.startsWith("Is")) delete condition["value"];
    else condition["value"] ??= "1";
  }
}

const column = "name";

const smallestSections: Readonly<Record<string, unknown>> = {
  ingress: {
    mappings: [{ table: "account", resource: "a", key: { column, field: "key" }, fields: [{ column, field: "a" }] }],
  },
  egress: {},
  optInOut: { direction: "Disabled", mappings: [{ column, field: "denyList" }] },
};

const smallestSftp = {
  host: "a",
  username: "a",
  path: "a",
  hostKey: "ssh-rsa A",
  credentialsSecretRef: { name: "a" },
  format: { timeZone: "UTC" },
};

/** The entries of a list below a value, if there is one. */
function list(below: unknown, name = "mappings"): [number, Fields][] {
  const entries = (below as Fields | null | undefined)?.[name];
  return Array.isArray(entries) ? [...(entries as Fields[]).entries()] : [];
}
