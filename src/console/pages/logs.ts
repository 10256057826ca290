import type { LiveWorkflow } from "../../steering/workflow.ts";
import { type Html, html } from "../html.ts";
import type { ContainerLog, Logs } from "../logs.ts";
import { statusTexts } from "../status-texts.ts";
import { texts } from "../texts.ts";
import { pathOf } from "./actions.ts";
import { page } from "./layout.ts";

export interface LogsView {
  readonly workflow: LiveWorkflow;
  readonly user: string;
  readonly canSignOut: boolean;
  readonly logs: Logs;
}

/** The last lines of the log, and how to get more of it. */
export function logsPage({ workflow, user, canSignOut, logs }: LogsView): Html {
  const { name, namespace } = workflow.metadata;
  const title = statusTexts.logTitle(name);
  return page(
    { title, user, canSignOut },
    html`<nav aria-label="Breadcrumb"><a class="spectrum-Link" href="/workflows">${texts.workflows}</a> / <a class="spectrum-Link" href="${pathOf(workflow)}">${name}</a></nav>
<h1 class="spectrum-Heading spectrum-Heading--sizeL">${title}</h1>
<p class="help">${statusTexts.logHelp} <code>kubectl iw logs ${name} -n ${namespace} --follow</code></p>
${logs.missingRight !== undefined && html`<p class="said">${statusTexts.mayNotRead(logs.missingRight, namespace)}</p>`}
${logs.missingRight === undefined && logs.containers.length === 0 && html`<p>${statusTexts.logNoPod}</p>`}
${logs.containers.map(containerLog)}`,
  );
}

function containerLog({ pod, isEarlier, lines, refused }: ContainerLog): Html {
  const title = isEarlier ? statusTexts.logBefore(pod) : statusTexts.logPod(pod);
  return html`<h2 class="spectrum-Heading spectrum-Heading--sizeS">${title}</h2>
${
  lines.length === 0
    ? html`<p class="help"><bdi>${refused ?? statusTexts.logEmpty}</bdi></p>`
    : html`<pre class="log" tabindex="0" role="region" aria-label="${title}" dir="ltr">${lines.map((line) => html`${line}\n`)}</pre>`
}`;
}
