import { type WorkflowStatus, type WorkflowType, workflowTypes } from "../../api/integration-workflow.ts";
import { workflowStates } from "../../api/workflow-states.ts";
import { notesOf } from "../../steering/glance.ts";
import { inWords, secondsToDrain } from "../../steering/outlook.ts";
import type { LiveWorkflow } from "../../steering/workflow.ts";
import { type Html, html } from "../html.ts";
import { texts, typeNameOf, typeNames } from "../texts.ts";
import { editButton, pathOf, startOrStop } from "./actions.ts";
import { button, linkButton, moment, page } from "./layout.ts";
import { stateLight } from "./state.ts";

/** What the list knows of a workflow. */
export interface Listed {
  readonly metadata: Pick<LiveWorkflow["metadata"], "namespace" | "name" | "uid">;
  readonly spec: Pick<LiveWorkflow["spec"], "type" | "state">;
  readonly status?: Omit<WorkflowStatus, "transitions" | "pendingChanges">;
}

/** What the list shows. */
export interface Selection {
  readonly namespace?: string | undefined;
  readonly state?: string | undefined;
  readonly type?: string | undefined;
  /** From 1. */
  readonly page: number;
}

export interface ListView {
  readonly user: string;
  readonly canSignOut: boolean;
  readonly selection: Selection;
  /** Those of the page. */
  readonly shown: readonly Listed[];
  /** Those of all pages. */
  readonly total: number;
  readonly pages: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly namespaces: readonly string[];
  readonly live: string;
  readonly nowMs: number;
  maySwitch(namespace: string): boolean;
}

export function listPage(view: ListView): Html {
  const { selection, shown, total, counts, user, canSignOut, live } = view;
  const words = workflowStates.map((state) => `${counts[state] ?? 0} ${state}`).join(", ");
  return page(
    { title: texts.workflows, user, canSignOut, live },
    html`<div class="head"><h1 class="spectrum-Heading spectrum-Heading--sizeL">${texts.workflows}</h1>
<p class="help" id="counts"${view.pages === 1 && html` data-follows="true"`}>${total}: ${words}${view.pages > 1 && html`, ${moment(new Date(view.nowMs).toISOString(), view.nowMs, "")}`}</p>
${linkButton(texts.newWorkflow, `/new-workflow${selection.namespace === undefined ? "" : `?namespace=${encodeURIComponent(selection.namespace)}`}`)}</div>
${filterForm(view)}
${
  shown.length === 0
    ? html`<p>${texts.noWorkflows}</p><p class="help">${texts.noWorkflowsHelp}</p>`
    : html`<div class="scroller" role="region" aria-label="${texts.workflows}" tabindex="0"><table class="spectrum-Table spectrum-Table--sizeM list">
<thead class="spectrum-Table-head"><tr>
${[texts.name, texts.backlog, texts.status, texts.lastSync, texts.actions].map((title) => html`<th scope="col" class="spectrum-Table-headCell${title === texts.backlog && " number"}">${title}</th>`)}
</tr></thead>
<tbody class="spectrum-Table-body" id="rows">
${shown.map((workflow) => listRow(workflow, view.maySwitch(workflow.metadata.namespace), view.nowMs))}
</tbody></table></div>
${pager(view)}`
}
<p id="announcement" class="unseen" role="status"></p>`,
  );
  function pager({ pages }: ListView): Html {
    if (pages < 2) return html``;
    const to = (number: number) => `/workflows?${new URLSearchParams(queryOf({ ...selection, page: number }))}`;
    return html`<nav class="pager" aria-label="Pages">${selection.page > 1 && html`<a class="spectrum-Link" rel="prev" href="${to(selection.page - 1)}">Previous</a>`}
<span>Page ${selection.page} of ${pages}</span>
${selection.page < pages && html`<a class="spectrum-Link" rel="next" href="${to(selection.page + 1)}">Next</a>`}</nav>`;
  }
}

export function queryOf({ namespace, state, type, page: number }: Selection): Readonly<Record<string, string>> {
  return {
    ...(namespace !== undefined && { namespace }),
    ...(state !== undefined && { state }),
    ...(type !== undefined && { type }),
    ...(number > 1 && { page: String(number) }),
  };
}

export function rowId({ metadata }: Listed): string {
  return `workflow-${metadata.uid}`;
}

/** Also sent alone when the workflow changes. */
export function listRow(workflow: Listed, maySwitch: boolean, nowMs: number): Html {
  const { metadata, spec, status = {} } = workflow;
  const { name, known } = typeNameOf(spec.type);
  const drains = status.state === "RUNNING" ? secondsToDrain(status.mappings ?? []) : undefined;
  return html`<tr class="spectrum-Table-row" id="${rowId(workflow)}" data-name="${metadata.name}" data-place="${metadata.namespace}/${metadata.name}" data-state="${status.state ?? ""}">
<th scope="row" class="spectrum-Table-cell"><a class="spectrum-Link" href="${pathOf(workflow)}">${metadata.name}</a><span class="sub">${name}${known !== name && ` (${known})`} · ${metadata.namespace}</span></th>
<td class="spectrum-Table-cell number" data-title="${texts.backlog}"><span class="figure" data-backlog="${status.backlog}">${backlogText(status.backlog, status.backlogEstimated)}</span>${drains !== undefined && html`<span class="sub">${texts.drains(inWords(drains))}</span>`}</td>
<td class="spectrum-Table-cell" data-title="${texts.status}">${stateLight(status.state)}${stateDetails(status).map((detail) => html`<span class="sub">${detail}</span>`)}</td>
<td class="spectrum-Table-cell" data-title="${texts.lastSync}"><span>${moment(status.lastSyncTime, nowMs, texts.never)}</span></td>
<td class="spectrum-Table-cell"><div class="actions">${editButton(workflow, maySwitch)}${startOrStop(workflow, maySwitch)}</div></td>
</tr>`;
}

function stateDetails(status: NonNullable<Listed["status"]>): readonly string[] {
  return [...notesOf(status), ...(status.pendingRestart === true ? [texts.editsWait] : [])];
}

export function backlogText(backlog: number | undefined, estimated: boolean | undefined): string {
  if (backlog === undefined) return texts.unknown;
  return `${estimated === true ? "about " : ""}${backlog.toLocaleString("en-US")}`;
}

function filterForm({ selection, namespaces }: ListView): Html {
  const typeOptions = workflowTypes.map((type: WorkflowType) => [type, typeNames[type].known] as const);
  return html`<form method="get" action="/workflows" class="filters" autocomplete="off">
${picker(
  "namespace",
  texts.namespace,
  texts.allNamespaces,
  namespaces.map((name) => [name, name] as const),
  selection.namespace,
)}
${picker(
  "state",
  texts.status,
  texts.allStates,
  workflowStates.map((state) => [state, state] as const),
  selection.state,
)}
${picker("type", texts.type, texts.allTypes, typeOptions, selection.type)}
${button(texts.show)}
</form>`;
}

function picker(
  name: string,
  label: string,
  all: string,
  options: readonly (readonly [value: string, text: string])[],
  chosen: string | undefined,
): Html {
  const known =
    chosen === undefined || options.some(([value]) => value === chosen)
      ? options
      : [[chosen, chosen] as const, ...options];
  return html`<div><label class="spectrum-FieldLabel spectrum-FieldLabel--sizeM" for="filter-${name}">${label}</label>
<select class="picker" id="filter-${name}" name="${name}"><option value="">${all}</option>${known.map(
    ([value, text]) => html`<option value="${value}"${value === chosen && html` selected`}>${text}</option>`,
  )}</select></div>`;
}
