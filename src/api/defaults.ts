/**
 * Fills a value with the defaults of its schema, as the API server does for a custom resource: an absent property with a
 * default gets a copy of it, then the value is followed down. A null is dropped first, since no field of ours is nullable.
 * Nothing else that is there is changed.
 *
 * Why not the schema library's own: it also converts and creates; both sides of a comparison must be filled alike.
 * Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting/algorithm.go
 */
export function withDefaults(schema: SchemaNode, value: unknown): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    return items === undefined ? value : value.map((entry) => withDefaults(items, entry));
  }
  if (!isRecord(value)) return value;
  const filled: Record<string, unknown> = {};
  for (const name in value) {
    const entry = value[name];
    const child = schema.properties?.[name] ?? additional(schema);
    if (entry === undefined || (entry === null && child !== undefined)) continue;
    filled[name] = child === undefined ? entry : withDefaults(child, entry);
  }
  const { properties = {} } = schema;
  for (const name in properties) {
    const child = properties[name];
    if (filled[name] !== undefined || child?.default === undefined) continue;
    const isPlain = typeof child.default !== "object";
    filled[name] = isPlain ? child.default : withDefaults(child, structuredClone(child.default));
  }
  return filled;
}

/** The part of a JSON schema that defaulting follows. */
export interface SchemaNode {
  readonly default?: unknown;
  readonly items?: SchemaNode;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: SchemaNode | boolean;
}

function additional(schema: SchemaNode): SchemaNode | undefined {
  return typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
