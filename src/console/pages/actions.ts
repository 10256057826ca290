import type { WorkflowStatus } from "../../api/integration-workflow.ts";
import type { LiveWorkflow } from "../../steering/workflow.ts";
import { type Html, html } from "../html.ts";
import { texts } from "../texts.ts";
import { button } from "./layout.ts";

/** What a button needs to know of a workflow. */
export interface Switchable {
  readonly metadata: Pick<LiveWorkflow["metadata"], "namespace" | "name">;
  readonly spec: Pick<LiveWorkflow["spec"], "state">;
  readonly status?: Pick<WorkflowStatus, "pendingRestart">;
}

export function pathOf({ metadata }: Pick<Switchable, "metadata">): string {
  return `/workflows/${encodeURIComponent(metadata.namespace)}/${encodeURIComponent(metadata.name)}`;
}

/**
 * Start or Stop, as what was asked for stands: the state beside it says what is. Stop carries the warning that edits wait.
 * Stop asks once, on a page of its own.
 */
export function startOrStop(workflow: Switchable, maySwitch: boolean): Html {
  const { metadata, spec, status } = workflow;
  const disabledBecause = maySwitch ? undefined : texts.mayNot("start or stop", metadata.namespace);
  if (spec.state === "Stopped") {
    return html`<form method="post" action="${pathOf(workflow)}/start">${button(texts.start, { kind: "accent", disabledBecause, label: `${texts.start} ${metadata.name}` })}</form>`;
  }
  const warning = status?.pendingRestart === true ? texts.stopWithChanges : undefined;
  const label = `${texts.stop} ${metadata.name}${warning === undefined ? "" : `: ${warning}`}`;
  return html`<form method="get" action="${pathOf(workflow)}/stop">${button(texts.stop, { disabledBecause, warning, label })}</form>`;
}

/** Asks on a page of its own. */
export function restartButton(workflow: Switchable, maySwitch: boolean): Html {
  const { name, namespace } = workflow.metadata;
  const disabledBecause = maySwitch ? undefined : texts.mayNot("restart", namespace);
  return html`<form method="get" action="${pathOf(workflow)}/restart">${button(texts.restart, { disabledBecause, label: `${texts.restart} ${name}` })}</form>`;
}

/** The pencil of Adobe's page. */
export function editButton(workflow: Switchable, mayEdit: boolean): Html {
  const { name, namespace } = workflow.metadata;
  const disabledBecause = mayEdit ? undefined : texts.mayNot("edit", namespace);
  return html`<form method="get" action="${pathOf(workflow)}/edit">${button(texts.edit, { disabledBecause, label: `${texts.edit} ${name}` })}</form>`;
}
