import type { WorkflowType } from "../../api/integration-workflow.ts";
import { isRecord } from "../../api/json.ts";
import { keptOf, type Said } from "../edit/draft.ts";
import type { Problem } from "../edit/problems.ts";
import {
  isOptional,
  isSectionOfType,
  plainPath,
  type Shape,
  sectionsFor,
  segmentsOf,
  shapeAt,
  shownProperties,
  specShape,
} from "../edit/shape.ts";
import { advancedFields, fieldLabels } from "../field-texts.ts";
import { type Html, type HtmlValue, html } from "../html.ts";
import type { FormHelp, ProbeOffer } from "../metadata/form-help.ts";
import { metadataTexts } from "../metadata-texts.ts";
import { texts } from "../texts.ts";
import { control, labelOf, problemId, problemsAt } from "./edit-fields.ts";
import { button } from "./layout.ts";

/** What every part of the form knows. */
export interface FormContext {
  readonly problems: readonly Problem[];
  /** Lists of the names that the spec uses already, by the plain path of the field: ids of datalists. */
  readonly offers: ReadonlyMap<string, string>;
  readonly help: FormHelp;
  /** Ids of the help that stands on the page: each kind of field of a table is explained once, where it comes first. */
  readonly explained: Set<string>;
  /** Where the form is sent. */
  readonly action: string;
  /** Where somebody has just changed the form itself; it is unfolded. */
  readonly at: string | undefined;
}

export interface FormView {
  readonly said: Said;
  readonly type: WorkflowType;
  readonly problems: readonly Problem[];
  readonly action: string;
  readonly at: string | undefined;
  readonly help: FormHelp;
}

/** The spec as fields. Names of fields are the paths by which the API server names what it refuses. */
export function editForm(view: FormView): Html {
  const { said, type, help } = view;
  const { context, offered } = contextOf(view);
  const [first, ...rest] = sectionsFor(type);
  return html`<input type="hidden" name="kept" value="${JSON.stringify(keptOf(said))}">
${offered.map(({ path, names }) => html`<datalist id="${listId(path)}">${names.map((name) => html`<option value="${name}"></option>`)}</datalist>`)}
${dataLists(help)}
${metadataPart(help)}
${first !== undefined && section(first, said, context, true)}
${rest.map((one) => section(one, said, context, false))}`;
}

/**
 * The part of the form that a deed has changed, for a page that has the rest: of thousands of fields the whole takes long.
 * @returns undefined where only the whole will do
 */
export function formPart(view: FormView): Html | undefined {
  const path = partAround(view.at ?? "");
  const shape = shapeAt(path);
  if (path === "" || shape === undefined) return undefined;
  const { context } = contextOf(view);
  const value = valueAt(view.said, path);
  const [, above = "", index] = /^(.*)\[(\d+)\]$/.exec(path) ?? [];
  const entries = valueAt(view.said, above);
  const part =
    index !== undefined && Array.isArray(entries)
      ? entry(shape, entries.length, value, Number(index), above, context)
      : list(shape, value, path, context, shape.items ?? {});
  return html`<form id="edit" data-part="${path}">${dataLists(view.help)}${part}</form>`;
}

/** A list is a part by itself; of anything else, the entry of a list that it is in. "": neither. */
function partAround(at: string): string {
  if (shapeAt(at)?.items?.type === "object") return at;
  const above = at.replace(/(\[\d+\]|\.\w+)$/, "");
  if (/\[\d+\]$/.test(at)) return shapeAt(above)?.items?.type === "object" ? above : "";
  return /^.*\[\d+\](?=\.)/.exec(at)?.[0] ?? "";
}

function contextOf({ said, problems, action, at, help }: FormView) {
  const offered = offersOf(said);
  const offers = new Map(offered.map(({ path }) => [path, listId(path)]));
  const context: FormContext = { problems, offers, help, explained: new Set(), action, at };
  return { context, offered };
}

function dataLists({ lists }: FormHelp): Html {
  return html`${[...lists].map(([id, choices]) => html`<datalist id="${id}">${choices.map(({ value, label }) => html`<option value="${value}"${label !== undefined && html` label="${label}"`}></option>`)}</datalist>`)}`;
}

/** Where the names and types beside the fields come from, or why there are none. */
function metadataPart({ origin, probe, isSoon }: FormHelp): Html {
  return html`<div class="metadata"><div id="metadata" role="status"${isSoon && html` data-soon`}>${origin.map((words) => html`<p class="help"><bdi>${words}</bdi></p>`)}</div>${probe !== undefined && probePart(probe)}</div>`;
}

function probePart({ image, disabledBecause }: ProbeOffer): Html {
  if (image === undefined) return html`<div id="probe"><p class="help">${metadataTexts.noImage}</p></div>`;
  return html`<div id="probe"><p class="help">${metadataTexts.probeMeans(image)}</p>
${button(metadataTexts.probe, { name: "do", value: "probe", disabledBecause })}${disabledBecause !== undefined && html`<p class="help">${disabledBecause}</p>`}</div>`;
}

function section(
  [name, shape]: readonly [name: string, shape: Shape],
  said: Said,
  context: FormContext,
  isOpen: boolean,
): Html {
  const path = `spec.${name}`;
  const optional = isOptional(specShape, name) && !isSectionOfType(name);
  const content: Html =
    shape.type !== "object" || optional
      ? property(shape, said[name], path, context, optional)
      : html`<input type="hidden" name="${path}" value="">${problemLines(path, context)}${objectBody(shape, said[name], path, context)}`;
  return html`<details class="section" data-part="${path}"${shape.type === "object" && !optional && html` id="${path}"`}${(isOpen || isLookedAt(path, context)) && html` open`}><summary><h2 class="spectrum-Heading spectrum-Heading--sizeS">${labelOf(path)}</h2></summary>
${content}${path === "spec.worker" && onlyInYaml()}</details>`;
}

/** What a form of fields would be no help with; see `keptNames`. */
function onlyInYaml(): Html {
  return html`<p class="help">${texts.onlyInYaml}</p>${button(texts.editAsYaml, { name: "do", value: "view-yaml", quiet: true })}`;
}

/** The fields of an object; what is seldom needed last, folded up. */
function objectBody(shape: Shape, value: unknown, path: string, context: FormContext): Html {
  const fields = isRecord(value) ? value : {};
  const all = shownProperties(shape, path).map(([name, child]) => ({ name, child, at: `${path}.${name}` }));
  const isAdvanced = ({ at }: { at: string }) => advancedFields.has(plainPath(at));
  const one = ({ name, child, at }: (typeof all)[number]) =>
    property(child, fields[name], at, context, isOptional(shape, name));
  const advanced = all.filter(isAdvanced);
  const isOpen = advanced.some(({ at }) => isLookedAt(at, context));
  return html`<div class="fields">${all.filter((field) => !isAdvanced(field)).map(one)}</div>
${advanced.length > 0 && html`<details class="advanced" data-part="${path}-advanced"${isOpen && html` open`}><summary>${texts.advanced}</summary><div class="fields">${advanced.map(one)}</div></details>`}`;
}

function property(shape: Shape, value: unknown, path: string, context: FormContext, optional: boolean): Html {
  if (shape.type === "array" && shape.items?.type === "object") return list(shape, value, path, context, shape.items);
  if (shape.type !== "object") return control(shape, value, path, context);
  if (optional && value === undefined) {
    return html`<div class="add">${deed(texts.add(labelOf(path)), "add", path, context)}</div>`;
  }
  const [single] = isSingle(shape, path) ? shownProperties(shape, path) : [];
  const fields = isRecord(value) ? value : {};
  const body: Html =
    single === undefined
      ? objectBody(shape, value, path, context)
      : property(single[1], fields[single[0]], `${path}.${single[0]}`, context, false);
  if (single !== undefined && !optional)
    return html`<input type="hidden" name="${path}" value="">${problemLines(path, context)}${body}`;
  return html`<fieldset class="part" id="${path}" aria-describedby="${problemId(path)}"><legend>${labelOf(path)}</legend>
<input type="hidden" name="${path}" value="">${problemLines(path, context)}
${body}
${optional && deed(texts.remove(labelOf(path)), "remove", path, context)}</fieldset>`;
}

function list(shape: Shape, value: unknown, path: string, context: FormContext, items: Shape): Html {
  const entries: readonly unknown[] = Array.isArray(value) ? value : [];
  const label = labelOf(path);
  const one = fieldLabels[`${plainPath(path)}[]`] ?? label;
  const addOne = deed(texts.add(one), "add", path, context);
  if (entries.length === 0) {
    return html`<div class="add" id="${path}">${addOne}${problemLines(path, context)}</div>`;
  }
  return html`<fieldset class="list" id="${path}" aria-describedby="${problemId(path)}"><legend>${label}</legend>
${problemLines(path, context)}
${entries.map((one, index) => entry(items, entries.length, one, index, path, context))}
<div class="add">${addOne}${switches(shape, entries, path, context)}</div></fieldset>`;
}

/** One of a list's entries. @param among how many there are */
function entry(items: Shape, among: number, value: unknown, index: number, path: string, context: FormContext): Html {
  const one = fieldLabels[`${plainPath(path)}[]`] ?? labelOf(path);
  const at = `${path}[${index}]`;
  const title = `${one} ${index + 1}${nameOf(value, items)}`;
  const isFolded = among > mostUnfolded && items.properties?.["fields"] !== undefined;
  const legend = html`<legend${isFolded && html` class="unseen"`}><bdi>${title}</bdi></legend>`;
  const body = html`<fieldset class="entry" id="${at}" aria-describedby="${problemId(at)}">${legend}
${problemLines(at, context)}${objectBody(items, value, at, context)}
${deed(texts.remove(one), "remove", at, context, texts.remove(title))}</fieldset>`;
  if (!isFolded) return body;
  const isNew = context.at === path && index === among - 1;
  return html`<details class="fold" data-part="${at}"${(isNew || isLookedAt(at, context)) && html` open`}><summary><bdi>${title}</bdi></summary>${body}</details>`;
}

/** Of many tables each is unfolded by itself. */
const mostUnfolded = 3;

/** All switches of a list at once. */
function switches({ items }: Shape, entries: readonly unknown[], path: string, context: FormContext): HtmlValue {
  if (items?.properties?.["applyUpdates"] === undefined || entries.length < 2) return "";
  return html` ${deed(texts.allUpdatesOn, "on", path, context)} ${deed(texts.allUpdatesOff, "off", path, context)}`;
}

function valueAt(said: Said, path: string): unknown {
  let value: unknown = said;
  for (const segment of segmentsOf(path).slice(1)) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, segment)) return undefined;
    value = Reflect.get(value, segment);
  }
  return value;
}

/** What tells an entry from the others: its key, or the first that it says. */
function nameOf(entry: unknown, items: Shape): string {
  const [first = ""] = Object.keys(items.properties ?? {});
  const said = isRecord(entry) ? entry[first] : undefined;
  return typeof said === "string" && said !== "" ? `: ${said}` : "";
}

/** A part that is but one field needs no frame around it. */
function isSingle(shape: Shape, path: string): boolean {
  const shown = shownProperties(shape, path);
  return shown.length === 1 && shown[0]?.[1].type !== "object";
}

/** Also where nothing is wrong: the check while somebody types writes there. */
function problemLines(path: string, { problems }: FormContext): Html {
  const found = problemsAt(path, problems);
  return html`<p class="problem" id="${problemId(path)}"${found.length === 0 && html` hidden`}>${found.join("; ")}</p>`;
}

/** Nothing that is wrong or was just changed is folded up. */
function isLookedAt(path: string, { problems, at }: FormContext): boolean {
  return [at ?? "", ...problems.map((problem) => problem.path)].some((one) => isAtOrBelow(one, path));
}

/** A button that changes the form itself; the page comes back where it was. */
function deed(text: string, verb: string, path: string, { action }: FormContext, label = text): Html {
  const place = verb === "remove" ? path.replace(/(\[\d+\]|\.\w+)$/, "") : path;
  return button(text, {
    name: "do",
    value: `${verb}:${path}`,
    quiet: true,
    label,
    action: `${action}#${encodeURI(place)}`,
  });
}

function isAtOrBelow(path: string, above: string): boolean {
  return path === above || path.startsWith(`${above}.`) || path.startsWith(`${above}[`);
}

interface Offer {
  readonly path: string;
  readonly names: readonly string[];
}

/** Names that the spec uses already: the columns of a filter are mostly those of the fields. */
function offersOf(said: Said): readonly Offer[] {
  const mappings =
    isRecord(said["ingress"]) && Array.isArray(said["ingress"]["mappings"]) ? said["ingress"]["mappings"] : [];
  const named = (place: string, pick: (mapping: Readonly<Record<string, unknown>>) => readonly unknown[]): Offer => {
    const names = mappings.flatMap((mapping) => (isRecord(mapping) ? pick(mapping) : []));
    return {
      path: place,
      names: [...new Set(names.filter((name) => typeof name === "string" && name !== ""))] as string[],
    };
  };
  const inFields = (name: string) => (mapping: Readonly<Record<string, unknown>>) =>
    Array.isArray(mapping["fields"])
      ? mapping["fields"].map((field) => (isRecord(field) ? field[name] : undefined))
      : [];
  const column = inFields("column");
  return [
    named("spec.ingress.mappings.fields.column", column),
    named("spec.ingress.mappings.filter.conditions.column", column),
    named("spec.ingress.mappings.fields.link.resource", ({ resource }) => [resource]),
    named("spec.ingress.mappings.fields.link.key", ({ key }) => [isRecord(key) ? key["field"] : undefined]),
  ].filter(({ names }) => names.length > 0);
}

function listId(path: string): string {
  return `offers-${path}`;
}
