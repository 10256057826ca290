/** The part of a JSON schema that a form is made of, and which fields it shows. */
import { spec, type WorkflowType } from "../../api/integration-workflow.ts";

/** A node of the resource's schema. */
export interface Shape {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly default?: unknown;
  readonly description?: string;
  readonly pattern?: string;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly items?: Shape;
  readonly minItems?: number;
  readonly additionalProperties?: Shape | boolean;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
}

/** A TypeBox schema is its JSON schema. */
export const specShape = spec as unknown as Shape;

const sectionOf: Readonly<Record<WorkflowType, string>> = {
  Ingress: "ingress",
  Egress: "egress",
  OptInOut: "optInOut",
};

export function isSectionOfType(name: string): boolean {
  return Object.values(sectionOf).includes(name);
}

/** Whether to run is the business of Start and Stop: no part of an edit. */
export const steering: readonly string[] = ["state", "restart"];

/** What the form leaves to the YAML view, and carries along as it is. */
export const keptNames: readonly string[] = ["template", "resources"];
const keptPaths = new Set(keptNames.map((name) => `spec.worker.${name}`));
const hiddenPaths = new Set(["spec.type", ...steering.map((name) => `spec.${name}`), ...keptPaths]);

/** `spec.ingress.mappings[0].table` as `spec.ingress.mappings.table`: one name for a field of all entries. */
export function plainPath(path: string): string {
  return path.replaceAll(/\[\d+\]/g, "");
}

/** The fields of an object that the form shows, in the schema's order. */
export function shownProperties(shape: Shape, path: string): readonly (readonly [name: string, shape: Shape])[] {
  const above = plainPath(path);
  return Object.entries(shape.properties ?? {}).filter(([name]) => !hiddenPaths.has(`${above}.${name}`));
}

/** The sections of the form: what the type moves first, the rest after it. */
export function sectionsFor(type: WorkflowType): readonly (readonly [name: string, shape: Shape])[] {
  const mine = sectionOf[type];
  const all = shownProperties(specShape, "spec").filter(([name]) => name === mine || !isSectionOfType(name));
  return [...all.filter(([name]) => name === mine), ...all.filter(([name]) => name !== mine)];
}

/** Whether it may be left out, with nothing in its place. */
export function isOptional(parent: Shape, name: string): boolean {
  return parent.required?.includes(name) !== true && parent.properties?.[name]?.default === undefined;
}

/** A new entry or a new part: what has a default has it, what must be there is there, empty. */
export function emptyOf(shape: Shape): unknown {
  if (shape.default !== undefined && shape.type !== "object") return structuredClone(shape.default);
  if (shape.type === "array") return Array.from({ length: shape.minItems ?? 0 }, () => emptyOf(shape.items ?? {}));
  if (shape.type === "object") {
    const shown = Object.entries(shape.properties ?? {}).filter(([name]) => !isOptional(shape, name));
    return Object.fromEntries(shown.map(([name, child]) => [name, emptyOf(child)]));
  }
  return shape.enum?.[0] ?? "";
}

/** The schema of a path such as `spec.ingress.mappings[0].fields`. */
export function shapeAt(path: string): Shape | undefined {
  let shape: Shape | undefined = specShape;
  for (const segment of segmentsOf(path).slice(1)) {
    if (shape === undefined) return undefined;
    const { properties, items }: Shape = shape;
    if (/^\d+$/.test(segment)) shape = items;
    else shape = properties !== undefined && Object.hasOwn(properties, segment) ? properties[segment] : undefined;
  }
  return shape;
}

export function segmentsOf(path: string): readonly string[] {
  return path.match(/[^.[\]]+/g) ?? [];
}
