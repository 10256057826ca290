/** A text that is no label selector: what is wrong with it. */
export class LabelSelectorError extends Error {
  override readonly name = "LabelSelectorError";
  readonly code = "LabelSelectorInvalid";
}

/** The labels of an object. */
export type Labels = Readonly<Record<string, string>>;

/** Whether an object with these labels is selected. */
export type LabelSelector = (labels: Labels | undefined) => boolean;

/**
 * Reads a label selector as kubectl and the API server do: `a=b,c!=d,e in (f,g),h notin (i),j,!k`. All its parts must hold;
 * `!=` and `notin` hold where there is no such label, too.
 * Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
 * @throws LabelSelectorError
 */
export function parseLabelSelector(text: string): LabelSelector {
  // Commas in brackets part values, not requirements.
  const parts = text.split(/,(?![^(]*\))/).map((part) => part.trim());
  const requirements = parts.map((part) => requirementOf(part, text));
  return (labels = {}) => requirements.every((isMet) => isMet(labels));
}

const forms = {
  absent: /^!\s*(\S+)$/,
  present: /^([^\s!=()]+)$/,
  equal: /^([^\s!=()]+)\s*==?\s*([^\s!=()]*)$/,
  unequal: /^([^\s!=()]+)\s*!=\s*([^\s!=()]*)$/,
  among: /^([^\s!=()]+)\s+(in|notin)\s*\(([^()]*)\)$/,
} as const;

function requirementOf(part: string, whole: string): (labels: Labels) => boolean {
  const match = (form: keyof typeof forms): readonly string[] | undefined => forms[form].exec(part)?.slice(1);
  const of = (key = "", ...values: readonly string[]): string => named(key, values, whole);
  const absent = match("absent");
  if (absent !== undefined) {
    const key = of(absent[0]);
    return (labels) => labels[key] === undefined;
  }
  const present = match("present");
  if (present !== undefined) {
    const key = of(present[0]);
    return (labels) => labels[key] !== undefined;
  }
  const equal = match("equal");
  if (equal !== undefined) {
    const [name, value = ""] = equal;
    const key = of(name, value);
    return (labels) => labels[key] === value;
  }
  const unequal = match("unequal");
  if (unequal !== undefined) {
    const [name, value = ""] = unequal;
    const key = of(name, value);
    return (labels) => labels[key] !== value;
  }
  const among = match("among");
  if (among === undefined) throw new LabelSelectorError(`"${whole}" is no label selector: "${part}" cannot be read`);
  const [name, operator, list = ""] = among;
  const values = list.split(",").map((value) => value.trim());
  const key = of(name, ...values);
  const isAmong = (labels: Labels): boolean => values.some((value) => labels[key] === value);
  return operator === "in" ? isAmong : (labels) => !isAmong(labels);
}

const keyForm = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?$/;
const valueForm = /^([A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?)?$/;

/** @throws LabelSelectorError when no object can have such a label */
function named(key: string, values: readonly string[], whole: string): string {
  if (!keyForm.test(key)) throw new LabelSelectorError(`"${whole}" is no label selector: "${key}" is no label's name`);
  const bad = values.find((value) => !valueForm.test(value));
  if (bad === undefined) return key;
  throw new LabelSelectorError(`"${whole}" is no label selector: "${bad}" is no label's value`);
}
