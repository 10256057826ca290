import type { Problem } from "../edit/problems.ts";
import { plainPath, type Shape } from "../edit/shape.ts";
import { fieldLabels, valueNames } from "../field-texts.ts";
import { type Html, type HtmlValue, html } from "../html.ts";
import { isHelped } from "../metadata/help.ts";
import { texts } from "../texts.ts";
import type { FormContext } from "./edit-form.ts";
import { button } from "./layout.ts";

/** In people's words, or the field's own name. */
export function labelOf(path: string): string {
  const plain = plainPath(path);
  return fieldLabels[plain] ?? plain.slice(plain.lastIndexOf(".") + 1);
}

export function problemsAt(path: string, problems: readonly Problem[]): readonly string[] {
  return problems.filter((problem) => problem.path === path).map(({ message }) => message);
}

export function problemId(path: string): string {
  return `${path}-problem`;
}

/** One value: text, number, choice, switch, or several as lines. */
export function control(shape: Shape, value: unknown, path: string, context: FormContext): Html {
  const found = problemsAt(path, context.problems);
  const helpId = `help-${tablePath(path)}`;
  const described = `${helpId}${isHelped(plainPath(path)) ? ` ${noteId(path)}` : ""}${found.length > 0 ? ` ${problemId(path)}` : ""}`;
  const wrong = html`${found.length > 0 && html` aria-invalid="true"`} aria-describedby="${described}"`;
  const isExplained = context.explained.has(helpId);
  context.explained.add(helpId);
  const help = html`${!isExplained && html`<p class="help" id="${helpId}">${shape.description ?? ""}</p>`}<p class="problem" id="${problemId(path)}"${found.length === 0 && html` hidden`}>${found.join("; ")}</p>`;
  if (shape.type === "boolean") {
    return html`<div class="field switch"><input type="hidden" name="${path}" value="false">
<input type="checkbox" id="${path}" name="${path}" value="true"${value === true && html` checked`}${wrong}> <label for="${path}">${labelOf(path)}</label>${help}</div>`;
  }
  return html`<div class="field"><label class="spectrum-FieldLabel spectrum-FieldLabel--sizeM" for="${path}">${labelOf(path)}</label>
${input(shape, value, path, wrong, listOf(path, context))}${note(path, context)}${help}${replay(path)}</div>`;
}

/** One name for a field of all entries of a table: each table, which may be folded, explains its own. */
function tablePath(path: string): string {
  const [, table = "", rest = path] = /^(spec\.ingress\.mappings\[\d+\])(.*)$/.exec(path) ?? [];
  return table + plainPath(rest);
}

/** Names of the system that is meant; where they are not known, those that the spec uses already. */
function listOf(path: string, { help, offers }: FormContext): string | undefined {
  return help.listOf.get(path) ?? offers.get(plainPath(path));
}

/** Also where nothing is known: the check while somebody types writes there. */
function note(path: string, { help }: FormContext): HtmlValue {
  if (!isHelped(plainPath(path))) return "";
  const told = help.notes.get(path);
  return html`<p class="note${told?.isWarning === true && " warning"}" id="${noteId(path)}"${told === undefined && html` hidden`}><bdi>${told?.text}</bdi></p>`;
}

function noteId(path: string): string {
  return `${path}-note`;
}

function input(shape: Shape, value: unknown, path: string, wrong: HtmlValue, offer: string | undefined): Html {
  if (shape.enum !== undefined) {
    const said = value === undefined ? "" : String(value);
    const known = shape.enum.includes(said) ? shape.enum : [said, ...shape.enum];
    return html`<select class="picker" id="${path}" name="${path}"${wrong}>${known.map(
      (one) => html`<option value="${one}"${one === said && html` selected`}>${valueNames[one] ?? one}</option>`,
    )}</select>`;
  }
  if (shape.type === "array") {
    const lines = Array.isArray(value) ? value.map(String) : [];
    return html`<textarea class="lines" id="${path}" name="${path}" rows="3" spellcheck="false"${wrong}>
${lines.join("\n")}</textarea>`;
  }
  const isNumber = shape.type === "integer" || shape.type === "number";
  return html`<input class="plain" id="${path}" name="${path}" value="${textOfValue(value)}" autocomplete="off" spellcheck="false" dir="auto"${isNumber && html` inputmode="decimal"`}${offer !== undefined && html` list="${offer}"`}${shape.default !== undefined && html` placeholder="${String(shape.default)}"`}${wrong}>`;
}

function textOfValue(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function replay(path: string): HtmlValue {
  return (
    plainPath(path).endsWith(".replay") && button(texts.replay, { name: "do", value: `replay:${path}`, quiet: true })
  );
}
