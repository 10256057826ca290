import type { LiveWorkflow } from "../../steering/workflow.ts";
import { type Html, html } from "../html.ts";
import type { Past } from "../past.ts";
import { texts } from "../texts.ts";
import { pathOf } from "./actions.ts";
import { moment } from "./layout.ts";
import { table } from "./table.ts";
import { told } from "./told.ts";

const mostEvents = 50;

/** Runs and Events: parts of the workflow's page, each under its id. */
export function pastParts(workflow: LiveWorkflow, past: Past, nowMs: number): ReadonlyMap<string, Html> {
  return new Map([
    ["runs", runsPart(workflow, past, nowMs)],
    ["events", eventsPart(past, nowMs)],
  ]);
}

function runsPart(workflow: LiveWorkflow, { runs }: Past, nowMs: number): Html {
  if (runs === undefined) return hiddenPart(texts.runs, texts.mayNotSee("Deployments", workflow.metadata.namespace));
  if (runs.length === 0) return html``;
  return html`<h2 class="spectrum-Heading spectrum-Heading--sizeS">${texts.runs}</h2>
${table(
  texts.runTitles,
  runs.map(({ run, pin, generation, startedAt, active }) => [
    `${run}`,
    html`<code>${pin}</code>`,
    `${generation}`,
    html`${moment(startedAt, nowMs, "")}${active && html`<span class="sub">${texts.runsNow}</span>`}`,
    html`<a class="spectrum-Link" href="${pathOf(workflow)}/edit?from=${encodeURIComponent(pin)}" aria-label="${texts.backToRun(run)}">${texts.goBack}</a>`,
  ]),
  texts.runs,
)}`;
}

function eventsPart({ events }: Past, nowMs: number): Html {
  if (events === undefined) return hiddenPart(texts.events, texts.mayNotSeeEvents);
  if (events.length === 0) return html``;
  return html`<h2 class="spectrum-Heading spectrum-Heading--sizeS">${texts.events}</h2>
${table(
  texts.eventTitles,
  events
    .slice(0, mostEvents)
    .map(({ at, type, reason, note, count, by }) => [
      moment(at, nowMs, ""),
      type,
      reason,
      told(note, nowMs),
      `${count}`,
      html`<bdi>${by}</bdi>`,
    ]),
  texts.events,
)}`;
}

function hiddenPart(title: string, why: string): Html {
  return html`<h2 class="spectrum-Heading spectrum-Heading--sizeS">${title}</h2><p class="help">${why}</p>`;
}
