import type { Difference } from "../../api/difference.ts";
import type { WorkflowType } from "../../api/integration-workflow.ts";
import { sameJson } from "../../api/json.ts";
import type { ForeignField } from "../../steering/foreign-fields.ts";
import type { Draft } from "../edit/draft.ts";
import type { Problem } from "../edit/problems.ts";
import { type Html, html } from "../html.ts";
import type { FormHelp } from "../metadata/form-help.ts";
import { texts, typeNameOf } from "../texts.ts";
import { pathOf } from "./actions.ts";
import { editForm } from "./edit-form.ts";
import { button, linkButton, page } from "./layout.ts";
import { table } from "./table.ts";

/** The workflow that is edited, or is to be made. */
export interface EditTarget {
  readonly namespace: string;
  readonly name: string;
  readonly type: WorkflowType;
  readonly isNew: boolean;
}

/** The workflow's own page. */
export function placeOf({ namespace, name }: EditTarget): string {
  return pathOf({ metadata: { namespace, name } });
}

export function actionOf(target: EditTarget): string {
  return target.isNew ? "/new-workflow" : `${placeOf(target)}/edit`;
}

function leaveTo(target: EditTarget): string {
  return target.isNew ? "/workflows" : placeOf(target);
}

/** What every page of an edit shows. */
export interface EditFrame {
  readonly target: EditTarget;
  readonly user: string;
  readonly canSignOut: boolean;
}

export interface EditView extends EditFrame {
  readonly draft: Draft;
  readonly problems: readonly Problem[];
  readonly mayEdit: boolean;
  readonly said: string | undefined;
  /** The path of what was just added, taken away or switched. */
  readonly at: string | undefined;
  /** Absent: in the YAML view. */
  readonly help: FormHelp | undefined;
}

export function editPage({ target, user, canSignOut, draft, problems, mayEdit, said, at, help }: EditView): Html {
  const { namespace, name, type, isNew } = target;
  const action = actionOf(target);
  const title = isNew ? texts.newTitle(name, namespace) : texts.editTitle(name);
  const disabledBecause = mayEdit ? undefined : texts.mayNot(isNew ? "make" : "edit", namespace);
  const meaning = isNew ? texts.newIsStopped : texts.editTakesForce;
  const isForm = draft.view === "form";
  const other = isForm ? "yaml" : "form";
  return page(
    { title, user, canSignOut },
    html`${breadcrumb(target)}
<h1 class="spectrum-Heading spectrum-Heading--sizeL">${title}</h1>
<p class="help">${typeNameOf(type).name}. ${meaning}${type === "Ingress" && !isNew && ` ${texts.editWarning}`}</p>
${disabledBecause !== undefined && html`<p class="said" role="note">${disabledBecause}</p>`}
<form method="post" action="${action}" id="edit" class="edit" data-check="${action}/check" data-draft="${draftState(draft)}" novalidate>
${carried(draft, target)}
<div class="actions bar">${button(texts.review, { kind: "accent", name: "do", value: "review", disabledBecause })}
${button(texts.check, { name: "do", value: "check", disabledBecause })}
<span class="views" role="group" aria-label="View">${[texts.asForm, texts.asYaml].map((label, index) =>
      (index === 0) === isForm
        ? html`<strong class="view">${label}</strong>`
        : button(label, { name: "do", value: `view-${other}`, quiet: true, disabledBecause }),
    )}</span> ${linkButton(texts.cancel, leaveTo(target))}</div>
<div id="outcome" role="status">${said !== undefined && problems.length === 0 && html`<p class="said">${said}</p>`}${problemList(problems, isForm)}</div>
<fieldset class="all"${!mayEdit && html` disabled`}><legend class="unseen">${title}</legend>
${help !== undefined ? editForm({ said: draft.said, type, problems, action, at, help }) : yamlField(draft.yaml, problems)}</fieldset>
</form>`,
  );
}

/** Whether leaving the page would lose something. */
function draftState({ said, base, problems }: Draft): "changed" | "unchanged" {
  return problems.length === 0 && sameJson(said, base) ? "unchanged" : "changed";
}

function yamlField(yaml: string, problems: readonly Problem[]): Html {
  return html`<label class="spectrum-FieldLabel spectrum-FieldLabel--sizeM" for="yaml">${texts.asYaml}</label>
<p class="help" id="yaml-help">${texts.yamlHelp}</p>
<textarea class="yaml" id="yaml" name="yaml" rows="30" spellcheck="false" dir="ltr" aria-describedby="yaml-help"${problems.length > 0 && html` aria-invalid="true"`}>
${yaml}</textarea>`;
}

/** All that is wrong, each leading to its field. */
function problemList(problems: readonly Problem[], isForm: boolean): Html {
  if (problems.length === 0) return html``;
  return html`<div class="refused"><p class="problem"><strong>${texts.refused(problems.length)}</strong></p>
<ul>${problems.map(({ path, message }) => html`<li><a class="spectrum-Link" href="#${isForm ? path : "yaml"}">${path}</a>: <bdi>${message}</bdi></li>`)}</ul></div>`;
}

export interface ReviewView extends EditFrame {
  readonly draft: Draft;
  readonly changes: readonly Difference[];
  readonly foreign: readonly ForeignField[];
  readonly problem: string | undefined;
}

/** What saving would change, as the API server would keep it. */
export function reviewPage({ target, user, canSignOut, draft, changes, foreign, problem }: ReviewView): Html {
  const { name, isNew } = target;
  const title = isNew ? texts.makeTitle(name) : texts.reviewTitle(name);
  const managers = [...new Set(foreign.map(({ manager }) => manager))];
  return page(
    { title, user, canSignOut },
    html`${breadcrumb(target)}
<h1 class="spectrum-Heading spectrum-Heading--sizeL">${title}</h1>
<p>${isNew ? texts.newIsStopped : texts.editTakesForce}</p>
${changeTable(changes, texts.changes)}
<form method="post" action="${actionOf(target)}" data-draft="changed">
${carried(draft, target)}<input type="hidden" name="said" value="${JSON.stringify(draft.said)}">
${
  managers.length > 0 &&
  html`<h2 class="spectrum-Heading spectrum-Heading--sizeS">${texts.ownedTitle}</h2>
${managers.map((manager) => ownedBy(manager, foreign))}`
}
${problem !== undefined && html`<p class="problem" role="alert">${problem}</p>`}
<div class="actions bar">${button(isNew ? texts.make : texts.save, { kind: "accent", name: "do", value: "save" })} ${button(texts.editOn, { name: "do", value: `view-${draft.view}` })} ${linkButton(texts.cancel, leaveTo(target))}</div>
</form>`,
  );
}

function ownedBy(manager: string, foreign: readonly ForeignField[]): Html {
  const id = `overrule-${manager}`;
  return html`<p><bdi>${texts.ownedFields(manager)}</bdi></p>
<ul>${foreign.filter((field) => field.manager === manager).map(({ path }) => html`<li><code>${path}</code></li>`)}</ul>
<p><input type="checkbox" id="${id}" name="overrule" value="${manager}"> <label for="${id}"><bdi>${texts.overruleFields(manager)}</bdi></label></p>`;
}

export interface MeanwhileView extends EditFrame {
  /** Mine on top of what is now. */
  readonly draft: Draft;
  readonly theirs: readonly Difference[];
  readonly mine: readonly Difference[];
  readonly collisions: readonly string[];
}

/** Two editors: nothing is lost, and nothing is overwritten unseen. */
export function meanwhilePage({ target, user, canSignOut, draft, theirs, mine, collisions }: MeanwhileView): Html {
  const title = texts.meanwhileTitle(target.name);
  return page(
    { title, user, canSignOut },
    html`${breadcrumb(target)}
<h1 class="spectrum-Heading spectrum-Heading--sizeL">${title}</h1>
<p role="alert">${texts.meanwhileMeans}</p>
<h2 class="spectrum-Heading spectrum-Heading--sizeS">${texts.theirs}</h2>
${changeTable(theirs, texts.theirs)}
<h2 class="spectrum-Heading spectrum-Heading--sizeS">${texts.mine}</h2>
${changeTable(mine, texts.mine)}
${collisions.length > 0 && html`<p class="problem">${texts.collide}:</p><ul>${collisions.map((path) => html`<li><code>${path}</code></li>`)}</ul>`}
<form method="post" action="${actionOf(target)}" data-draft="changed">
${carried(draft, target)}<input type="hidden" name="said" value="${JSON.stringify(draft.said)}">
<div class="actions bar">${button(texts.putOnTop, { kind: "accent", name: "do", value: "review" })} ${linkButton(texts.dropMine, actionOf(target))}</div>
</form>`,
  );
}

function changeTable(changes: readonly Difference[], label: string): Html {
  if (changes.length === 0) return html`<p>${texts.nothingChanged}</p>`;
  return table(
    texts.changeTitles,
    changes.map(({ path, from, to }) => [html`<code>${path}</code>`, shown(from), shown(to)]),
    label,
  );
}

function shown(value: unknown): Html {
  if (value === undefined) return html`${texts.absent}`;
  return html`<bdi>${typeof value === "string" ? value : JSON.stringify(value)}</bdi>`;
}

function carried({ uid, generation, base, view }: Draft, { isNew, ...target }: EditTarget): Html {
  const made = isNew ? Object.entries(target) : [];
  return html`${made.map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}<input type="hidden" name="uid" value="${uid}"><input type="hidden" name="generation" value="${generation}"><input type="hidden" name="view" value="${view}"><input type="hidden" name="base" value="${JSON.stringify(base)}">`;
}

function breadcrumb(target: EditTarget): Html {
  const own = !target.isNew && html` / <a class="spectrum-Link" href="${placeOf(target)}">${target.name}</a>`;
  return html`<nav aria-label="Breadcrumb"><a class="spectrum-Link" href="/workflows">${texts.workflows}</a>${own}</nav>`;
}
