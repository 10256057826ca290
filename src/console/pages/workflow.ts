import { changedBy } from "../../steering/changed-by.ts";
import { type Advice, inWords, outlookOf, secondsToDrain } from "../../steering/outlook.ts";
import type { LiveWorkflow } from "../../steering/workflow.ts";
import { type Html, html } from "../html.ts";
import type { Past } from "../past.ts";
import { conditionMeanings, statusTexts } from "../status-texts.ts";
import { stateMeanings, texts, typeNameOf } from "../texts.ts";
import { editButton, pathOf, restartButton, startOrStop } from "./actions.ts";
import { moment, page } from "./layout.ts";
import { backlogText } from "./list.ts";
import { mappingsPart } from "./mappings.ts";
import { pastParts } from "./past.ts";
import { stateLight } from "./state.ts";
import { table } from "./table.ts";
import { told } from "./told.ts";

export interface WorkflowView {
  readonly user: string;
  readonly canSignOut: boolean;
  readonly workflow: LiveWorkflow;
  readonly past: Past;
  readonly maySwitch: boolean;
  readonly nowMs: number;
  readonly said: string | undefined;
  readonly live: string;
}

/** Parts of the page that change; each is sent alone, under its id, when it does. */
export function workflowParts(workflow: LiveWorkflow, maySwitch: boolean, nowMs: number): ReadonlyMap<string, Html> {
  return new Map([
    ["summary", summary(workflow, maySwitch, nowMs)],
    ["advice", advicePart(workflow, nowMs)],
    ["mappings", mappingsPart(workflow, nowMs)],
    ["pending", pendingPart(workflow, maySwitch)],
    ["transitions", transitionsPart(workflow, nowMs)],
    ["conditions", conditionsPart(workflow, nowMs)],
  ]);
}

/** Of a workflow that is there no more. */
export function goneParts(): ReadonlyMap<string, Html | undefined> {
  const ids = ["advice", "mappings", "pending", "transitions", "conditions", "runs", "events"];
  return new Map([
    ["summary", html`<p class="problem">${texts.gone}</p>`],
    ...ids.map((id) => [id, undefined] as const),
  ]);
}

export function workflowPage(view: WorkflowView): Html {
  const { workflow, past, user, canSignOut, maySwitch, nowMs, said, live } = view;
  const { name, namespace } = workflow.metadata;
  const parts = [...workflowParts(workflow, maySwitch, nowMs), ...pastParts(workflow, past, nowMs)];
  return page(
    { title: name, user, canSignOut, live },
    html`<nav aria-label="Breadcrumb"><a class="spectrum-Link" href="/workflows">${texts.workflows}</a> / <a class="spectrum-Link" href="/workflows?namespace=${encodeURIComponent(namespace)}">${namespace}</a></nav>
<h1 class="spectrum-Heading spectrum-Heading--sizeL">${name}</h1>
<p class="help">${typeNameOf(workflow.spec.type).name}</p>
${said !== undefined && html`<p class="said" role="status">${said}</p>`}
${parts.map(([id, part]) => html`<section id="${id}">${part}</section>`)}
<p id="announcement" class="unseen" role="status"></p>`,
  );
}

function summary(workflow: LiveWorkflow, maySwitch: boolean, nowMs: number): Html {
  const { status = {}, spec, metadata } = workflow;
  const outlook = outlookOf(workflow);
  const meaning = status.state === undefined ? "" : stateMeanings[status.state];
  // What stands below, with what to do, is not said twice.
  const isSaidBelow = outlook.advice.some(({ message }) => message === outlook.message);
  const drains = status.state === "RUNNING" ? secondsToDrain(status.mappings ?? []) : undefined;
  return html`<div class="summary" data-state="${status.state ?? ""}" data-name="${metadata.name}">
<dl>
<div><dt>${texts.status}</dt><dd>${stateLight(status.state)}<span class="sub">${outlook.since !== undefined && html`${statusTexts.since} ${moment(outlook.since, nowMs, "")}, `}${statusTexts.asked(spec.state)}</span></dd></div>
<div><dt>${texts.backlog}</dt><dd><span class="figure" data-backlog="${status.backlog}">${backlogText(status.backlog, status.backlogEstimated)}</span>${drains !== undefined && html`<span class="sub">${texts.drains(inWords(drains))}</span>`}</dd></div>
<div><dt>${texts.lastSync}</dt><dd>${moment(status.lastSyncTime, nowMs, texts.never)}</dd></div>
<div><dt>${texts.revision}</dt><dd>${applied(workflow, nowMs)}</dd></div>
</dl>
<div class="actions">${editButton(workflow, maySwitch)}${spec.state === "Running" && restartButton(workflow, maySwitch)}${startOrStop(workflow, maySwitch)}</div>
</div>
<p class="message">${meaning} ${!isSaidBelow && told(outlook.message, nowMs)} <a class="spectrum-Link" href="${pathOf(workflow)}/logs">${statusTexts.onThisPage.logs}</a></p>`;
}

/** What runs, or ran last, against the spec. */
function applied({ metadata, status = {} }: LiveWorkflow, nowMs: number): Html {
  const { appliedRevision, pendingRestart = false, pendingChanges = [], pendingChangeCount } = status;
  if (appliedRevision === undefined) return html`${statusTexts.neverStarted}`;
  const { name, run, generation, appliedAt } = appliedRevision;
  const edits = pendingChanges.filter(({ source }) => source === "Spec").length;
  const waiting = pendingChanges.length < (pendingChangeCount ?? 0) ? (pendingChangeCount ?? 0) : edits;
  const against = pendingRestart
    ? html`<a class="spectrum-Link" href="#pending">${statusTexts.editsWait(waiting)}</a> (${statusTexts.edit} ${metadata.generation})`
    : statusTexts.asSpec;
  return html`${statusTexts.runOf(run, generation)}<span class="sub"><code>${name}</code>, ${statusTexts.since} ${moment(appliedAt, nowMs, "")}, ${against}</span>`;
}

function advicePart(workflow: LiveWorkflow, nowMs: number): Html {
  const { advice } = outlookOf(workflow);
  if (advice.length === 0) return html``;
  return html`<h2 class="spectrum-Heading spectrum-Heading--sizeS">${texts.whatToDo}</h2>
<ul class="advice">${advice.map((one) => adviceLine(workflow, nowMs, one))}</ul>`;
}

function adviceLine(workflow: LiveWorkflow, nowMs: number, { about, reason, message, command }: Advice): Html {
  return html`<li class="about-${about}">${reason !== undefined && html`<strong>${reason}</strong>: `}${told(message, nowMs)}${command !== undefined && html`<span class="sub">${wayHere(workflow, command)}${statusTexts.atTerminal} <code>kubectl iw ${command} -n ${workflow.metadata.namespace}</code></span>`}</li>`;
}

/** What a command does, where this page can do it too. */
function wayHere(workflow: LiveWorkflow, command: string): Html {
  const [verb] = command.split(" ");
  const deed = (["logs", "restart"] as const).find((known) => known === verb);
  if (deed === undefined) return html``;
  return html`<a class="spectrum-Link" href="${pathOf(workflow)}/${deed}">${statusTexts.onThisPage[deed]}</a>. `;
}

function pendingPart(workflow: LiveWorkflow, maySwitch: boolean): Html {
  const { pendingChanges = [], pendingChangeCount = pendingChanges.length } = workflow.status ?? {};
  if (pendingChanges.length === 0) return html``;
  const more = pendingChangeCount - pendingChanges.length;
  return html`<h2 class="spectrum-Heading spectrum-Heading--sizeS">${texts.pendingChanges}</h2>
${table(
  statusTexts.pendingTitles,
  pendingChanges.map((change) => [
    html`<code>${change.path}</code>`,
    html`<bdi>${change.from ?? texts.absent}</bdi>`,
    html`<bdi>${change.to ?? texts.absent}</bdi>`,
    html`<bdi>${changedBy(workflow, change) ?? ""}</bdi>`,
  ]),
  texts.pendingChanges,
)}
${more > 0 && html`<p class="help">${texts.andMore(more)}</p>`}
${workflow.spec.state === "Running" && html`<div class="actions below">${restartButton(workflow, maySwitch)}</div>`}`;
}

function transitionsPart({ status }: LiveWorkflow, nowMs: number): Html {
  const { transitions = [] } = status ?? {};
  if (transitions.length === 0) return html``;
  return html`<h2 class="spectrum-Heading spectrum-Heading--sizeS">${texts.transitions}</h2>
${table(
  statusTexts.transitionTitles,
  transitions.map(({ at, from = "", to, reason, revision = "" }) => [
    moment(at, nowMs, ""),
    from,
    to,
    reason,
    revision,
  ]),
  texts.transitions,
)}`;
}

function conditionsPart({ status }: LiveWorkflow, nowMs: number): Html {
  const { conditions = [] } = status ?? {};
  if (conditions.length === 0) return html``;
  return html`<details class="below"><summary>${texts.conditions}</summary>
${table(
  statusTexts.conditionTitles,
  conditions.map(({ type, status: truth, lastTransitionTime, reason, message }) => [
    type,
    html`${truth}<span class="sub">${conditionMeanings[type]?.[truth]}</span>`,
    moment(lastTransitionTime, nowMs, ""),
    reason,
    told(message, nowMs),
  ]),
  texts.conditions,
)}</details>`;
}
