/** The spec as text and back. */
import { dump, load, YAMLException } from "js-yaml";
import { isRecord } from "../../api/json.ts";
import type { Problem } from "./problems.ts";
import { type Shape, specShape, steering } from "./shape.ts";

export function yamlOf(spec: Readonly<Record<string, unknown>>): string {
  return dump(spec, { lineWidth: -1, noRefs: true });
}

export type ReadYaml =
  | { readonly spec: Readonly<Record<string, unknown>>; readonly problems: readonly [] }
  | { readonly spec: undefined; readonly problems: readonly Problem[] };

/** What the API server would drop without a word is refused here: a field that the resource does not have. */
export function readYaml(text: string): ReadYaml {
  let value: unknown;
  try {
    // An alias names a part twice; of some thousand nested ones no memory would hold the whole.
    value = load(text, { maxAliases: 0 });
  } catch (error) {
    const message = error instanceof YAMLException ? error.message : "it cannot be read";
    return { spec: undefined, problems: [{ path: "yaml", message: `This is not YAML: ${message}` }] };
  }
  if (!isRecord(value)) {
    return {
      spec: undefined,
      problems: [{ path: "yaml", message: "This is not a spec: fields with values, one a line" }],
    };
  }
  const problems = [
    ...steering
      .filter((name) => name in value)
      .map((name) => ({ path: `spec.${name}`, message: "Start, Stop and restart say this: take it out here" })),
    ...strangers(specShape, value, "spec"),
  ];
  return problems.length === 0 ? { spec: value, problems: [] } : { spec: undefined, problems };
}

/** Fields that the schema does not know, and values of another form than it has: text where there are fields. */
function strangers(shape: Shape, value: unknown, path: string): readonly Problem[] {
  if (value === null || shape["x-kubernetes-preserve-unknown-fields"] === true) return [];
  if (shape.type === "array") {
    if (!Array.isArray(value)) return [{ path, message: "Here is a list: entries with - before each" }];
    return value.flatMap((entry, index) => strangers(shape.items ?? {}, entry, `${path}[${index}]`));
  }
  if (shape.type === "object") {
    if (!isRecord(value)) return [{ path, message: "Here are fields with values" }];
    const { properties, additionalProperties } = shape;
    if (properties === undefined && additionalProperties !== undefined) return [];
    return Object.entries(value).flatMap(([name, entry]) => {
      const child = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined;
      if (child === undefined) return [{ path: `${path}.${name}`, message: "There is no such field" }];
      return strangers(child, entry, `${path}.${name}`);
    });
  }
  return typeof value === "object" ? [{ path, message: "Here is one value" }] : [];
}
