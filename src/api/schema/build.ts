import Type, { type Static, type TObject, type TProperties, type TSchema, type TUnsafe } from "typebox";

/**
 * The few forms that a CustomResourceDefinition allows, as TypeBox schemas.
 *
 * The static types describe a resource as the API server returns it: a field with a default is there. In the schema such
 * a field is not required, because the API server fills it before it validates.
 */

/** One CEL rule (`x-kubernetes-validations`). `message` names the field and says how to mend it. */
export interface Rule {
  readonly rule: string;
  readonly message: string;
  /** The field below this one that the message is about, as `.name`. */
  readonly fieldPath?: string;
  /** For rules with `oldSelf` on something that may be absent. */
  readonly optionalOldSelf?: boolean;
}

export interface Annotations {
  readonly description: string;
  readonly default?: unknown;
  readonly rules?: readonly Rule[];
}

interface ObjectAnnotations extends Annotations {
  /** Two owners may not own parts of it. */
  readonly atomic?: boolean;
}

interface StringAnnotations extends Annotations {
  readonly minLength?: number;
  readonly maxLength: number;
  readonly pattern?: string;
}

interface NumberAnnotations extends Annotations {
  readonly minimum?: number;
  readonly maximum?: number;
}

interface ListAnnotations extends Annotations {
  readonly minItems?: number;
  readonly maxItems: number;
  /** The fields that identify an entry; absent: the list has one owner. */
  readonly mapKeys?: readonly string[];
}

function common({ rules, ...rest }: Annotations): Record<string, unknown> {
  return rules === undefined ? { ...rest } : { ...rest, "x-kubernetes-validations": rules };
}

export function object<P extends TProperties>(
  properties: P,
  { atomic, ...annotations }: ObjectAnnotations,
): TObject<P> {
  const schema = Type.Object(properties, {
    ...common(annotations),
    ...(atomic ? { "x-kubernetes-map-type": "atomic" } : {}),
  });
  // TypeBox computes the list's type from the properties; here only the names matter.
  const names = (schema.required ?? []) as readonly string[];
  const required = names.filter((name) => !("default" in (properties[name] ?? {})));
  Reflect.deleteProperty(schema, "required");
  return required.length > 0 ? Object.assign(schema, { required }) : schema;
}

export const optional = Type.Optional;

export function string(annotations: StringAnnotations) {
  return Type.String(common(annotations));
}

export function dateTime(annotations: Annotations) {
  return Type.String({ ...common(annotations), format: "date-time" });
}

export function oneOf<const V extends readonly string[]>(values: V, annotations: Annotations): TUnsafe<V[number]> {
  return Type.Unsafe<V[number]>({ type: "string", enum: [...values], ...common(annotations) });
}

export function boolean(annotations: Annotations) {
  return Type.Boolean(common(annotations));
}

export function integer(annotations: NumberAnnotations & { readonly format?: "int32" | "int64" }) {
  return Type.Integer({ format: "int64", ...common(annotations) });
}

export function number(annotations: NumberAnnotations) {
  return Type.Number(common(annotations));
}

export function list<T extends TSchema>(item: T, { mapKeys, ...annotations }: ListAnnotations) {
  return Type.Array(item, {
    ...common(annotations),
    "x-kubernetes-list-type": mapKeys === undefined ? "atomic" : "map",
    ...(mapKeys === undefined ? {} : { "x-kubernetes-list-map-keys": mapKeys }),
  });
}

export function stringMap(annotations: Annotations & { readonly maxProperties: number; readonly maxLength: number }) {
  const { maxLength, ...rest } = annotations;
  return Type.Unsafe<Record<string, string>>({
    type: "object",
    additionalProperties: { type: "string", maxLength },
    ...common(rest),
  });
}

/** A quantity such as `500m` or `1Gi`, or a plain number. Source: k8s.io/apimachinery/pkg/api/resource */
export function quantityMap(annotations: Annotations & { readonly maxProperties: number }) {
  return Type.Unsafe<Record<string, string | number>>({
    type: "object",
    additionalProperties: {
      "x-kubernetes-int-or-string": true,
      anyOf: [{ type: "integer" }, { type: "string" }],
      pattern:
        "^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$",
    },
    ...common(annotations),
  });
}

/** A part of a core type that the API server checks when the Deployment is made. */
export function coreObject(annotations: Annotations) {
  return Type.Unsafe<Record<string, unknown>>({
    type: "object",
    "x-kubernetes-preserve-unknown-fields": true,
    ...common(annotations),
  });
}

export type { Static };
