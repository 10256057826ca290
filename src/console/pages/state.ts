import type { WorkflowState } from "../../api/integration-workflow.ts";
import { type Html, html } from "../html.ts";
import { stateMeanings, texts } from "../texts.ts";

const lights: Readonly<Record<WorkflowState, string>> = {
  RUNNING: "positive",
  STOPPED: "neutral",
  STARTING: "notice",
  FAILED: "negative",
};

/** A coloured light and the word: colour alone says nothing. */
export function stateLight(state: WorkflowState | undefined): Html {
  if (state === undefined)
    return html`<span class="spectrum-StatusLight spectrum-StatusLight--sizeM spectrum-StatusLight--neutral">${texts.notSeen}</span>`;
  // A newer operator may know more states.
  const light = Object.hasOwn(lights, state) ? lights[state] : "neutral";
  return html`<span class="spectrum-StatusLight spectrum-StatusLight--sizeM spectrum-StatusLight--${light}" title="${stateMeanings[state]}">${state}</span>`;
}
