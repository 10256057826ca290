/** What a form sends, as the spec that it says. Pure. */
import type { WorkflowType } from "../../api/integration-workflow.ts";
import { isOptional, type Shape, sectionsFor, segmentsOf, shownProperties, specShape } from "./shape.ts";

/** The fields of a form, by the paths that are their names. */
interface Branch {
  text: string | undefined;
  readonly below: Map<string, Branch>;
}

/** Fields of a body; of several of one name the last counts: a switch's own, after the one that stands for off. */
export type Body = Readonly<Record<string, unknown>>;

/**
 * The sections of the spec that the form shows. What is no number where one is wanted stays as it was typed, so that the API
 * server says so and the form shows it again.
 */
export function specOfForm(body: Body, type: WorkflowType): Readonly<Record<string, unknown>> {
  const root = branchOf(body).below.get("spec");
  const sections = sectionsFor(type).map(([name, shape]) => {
    return [name, saidBy(shape, root?.below.get(name), isOptional(specShape, name), `spec.${name}`)] as const;
  });
  return Object.fromEntries(sections.filter(([, value]) => value !== undefined));
}

/** The last word of a field. */
export function textOf(body: Body, name: string): string | undefined {
  const last = [body[name]].flat().at(-1);
  return typeof last === "string" ? last : undefined;
}

function branchOf(body: Body): Branch {
  const root: Branch = { text: undefined, below: new Map() };
  for (const name of Object.keys(body)) {
    if (!name.startsWith("spec.")) continue;
    let branch = root;
    for (const segment of segmentsOf(name)) {
      const next = branch.below.get(segment) ?? { text: undefined, below: new Map() };
      branch.below.set(segment, next);
      branch = next;
    }
    branch.text = textOf(body, name);
  }
  return root;
}

function saidBy(shape: Shape, branch: Branch | undefined, optional: boolean, path: string): unknown {
  if (shape.type === "object") return branch === undefined && optional ? undefined : objectOf(shape, branch, path);
  if (shape.type === "array") return listOf(shape, branch, optional, path);
  const { text } = branch ?? {};
  if (text === undefined) return undefined;
  if (shape.type === "boolean") return text === "true";
  if (shape.type === "integer" || shape.type === "number") return numberOf(text.trim());
  // What follows a pattern has no white space at its ends; any other text means what was typed.
  const said = shape.pattern === undefined && shape.format === undefined ? text : text.trim();
  return said === "" && (optional || shape.default !== undefined) ? undefined : said;
}

function objectOf(shape: Shape, branch: Branch | undefined, path: string): unknown {
  const fields = shownProperties(shape, path).map(([name, child]) => {
    return [name, saidBy(child, branch?.below.get(name), isOptional(shape, name), `${path}.${name}`)] as const;
  });
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
}

function listOf(shape: Shape, branch: Branch | undefined, optional: boolean, path: string): unknown {
  const { items = {} } = shape;
  const entries =
    items.type === "object"
      ? [...(branch?.below ?? [])]
          .filter(([index]) => /^\d{1,6}$/.test(index))
          .sort(([one], [other]) => Number(one) - Number(other))
          .map(([, entry]) => objectOf(items, entry, path))
      : (branch?.text ?? "").split(/\r?\n/).filter((line) => line !== "");
  return entries.length === 0 && optional ? undefined : entries;
}

function numberOf(text: string): number | string | undefined {
  if (text === "") return undefined;
  return /^[+-]?\d+(\.\d+)?$/.test(text) && Number.isFinite(Number(text)) ? Number(text) : text;
}
