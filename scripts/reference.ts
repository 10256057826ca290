/** The API reference as one page of Markdown: a table for each object of the schema. */

interface Node {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly required?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly "x-kubernetes-validations"?: readonly { readonly message: string }[];
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
}

interface Definition {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string };
    readonly versions: readonly { readonly name: string; readonly schema: { readonly openAPIV3Schema: unknown } }[];
  };
}

/** @param definition the CustomResourceDefinition with one version */
export function referencePage(definition: Definition): string {
  const [version] = definition.spec.versions;
  if (version === undefined) throw new Error("the definition has no version");
  const root = version.schema.openAPIV3Schema as Node; // The schema is built by src/api; only its JSON matters here.
  const lines = [
    `# ${definition.spec.names.kind} (${definition.spec.group}/${version.name})`,
    "",
    "Generated from src/api by `npm run generate`. `kubectl explain iw.spec --recursive` shows the same on a cluster.",
    "",
    root.description ?? "",
  ];
  for (const [name, child] of Object.entries(root.properties ?? {})) section(name, child, lines);
  return `${lines.join("\n").trimEnd()}\n`;
}

function section(path: string, node: Node, lines: string[]): void {
  const properties = Object.entries(node.properties ?? {});
  if (properties.length === 0) return;
  lines.push("", `## ${path}`, "", node.description ?? "", "");
  lines.push("| field | type | default | what it is |", "|---|---|---|---|");
  for (const [name, child] of properties) {
    const need = node.required?.includes(name) ? "**required**" : defaultOf(child);
    lines.push(`| \`${name}\` | ${typeOf(child)} | ${need} | ${cell(child.description ?? "")} |`);
  }
  // An object's rules stand in its own section.
  const plain = properties.filter(([, child]) => child.properties === undefined);
  const rules = [node, ...plain.map(([, child]) => child)].flatMap((one) => one["x-kubernetes-validations"] ?? []);
  if (rules.length > 0) lines.push("", "Refused otherwise:", "", ...rules.map(({ message }) => `- ${message}`));
  for (const [name, child] of properties)
    section(`${path}.${name}${child.items ? "[]" : ""}`, child.items ?? child, lines);
}

function typeOf(node: Node): string {
  if (node.enum !== undefined) return node.enum.map((value) => `\`${value}\``).join(", ");
  if (node.items !== undefined) {
    const keys = node["x-kubernetes-list-map-keys"];
    const bound = node.maxItems === undefined ? "" : `, at most ${node.maxItems}`;
    return `list${keys === undefined ? "" : ` by ${keys.map((key) => `\`${key}\``).join(", ")}`}${bound}`;
  }
  const bounds = [
    node.minimum === undefined ? undefined : `from ${node.minimum}`,
    node.maximum === undefined ? undefined : `to ${node.maximum}`,
    node.maxLength === undefined ? undefined : `at most ${node.maxLength} characters`,
  ].filter((bound) => bound !== undefined);
  return [node.type ?? "integer or string", ...bounds].join(" ");
}

function defaultOf(node: Node): string {
  return node.default === undefined || typeof node.default === "object" ? "" : `\`${JSON.stringify(node.default)}\``;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
