import type { LiveWorkflow } from "../../steering/workflow.ts";
import { type Html, html } from "../html.ts";
import { statusTexts } from "../status-texts.ts";
import { texts } from "../texts.ts";
import { pathOf } from "./actions.ts";
import { button, linkButton, page } from "./layout.ts";

/** Asks once, and says what a stop means. */
export function stopPage(workflow: LiveWorkflow, user: string, canSignOut: boolean): Html {
  const { name } = workflow.metadata;
  const { backlog = 0 } = workflow.status ?? {};
  return page(
    { title: texts.stopTitle(name), user, canSignOut },
    html`<div class="narrow">
<h1 class="spectrum-Heading spectrum-Heading--sizeL">${texts.stopTitle(name)}</h1>
<p>${texts.stopMeans}${backlog > 0 && ` ${texts.waitNow(backlog.toLocaleString("en-US"))}`}</p>
${
  workflow.spec.type === "Ingress" &&
  html`<details><summary>${texts.publishTitle}</summary><ol>${texts.publishList.map((step) => html`<li>${step}</li>`)}</ol></details>`
}
<form method="post" action="${pathOf(workflow)}/stop" class="actions">${button(texts.stop, { kind: "negative" })} ${linkButton(texts.cancel, pathOf(workflow))}</form>
</div>`,
  );
}

/** Asks once, as a stop does, and says what comes into force. */
export function restartPage(workflow: LiveWorkflow, user: string, canSignOut: boolean): Html {
  const { metadata, status = {} } = workflow;
  const { pendingChanges = [], pendingChangeCount = pendingChanges.length, backlog = 0 } = status;
  const title = statusTexts.restartTitle(metadata.name);
  const more = pendingChangeCount - pendingChanges.length;
  return page(
    { title, user, canSignOut },
    html`<div class="narrow">
<h1 class="spectrum-Heading spectrum-Heading--sizeL">${title}</h1>
<p>${statusTexts.restartMeans}${backlog > 0 && ` ${texts.waitNow(backlog.toLocaleString("en-US"))}`}</p>
${
  pendingChanges.length === 0
    ? html`<p>${statusTexts.restartBringsNothing}</p>`
    : html`<p>${statusTexts.restartBrings}</p><ul>${pendingChanges.map(({ path, from = texts.absent, to = texts.absent }) => html`<li><code>${path}</code>: <bdi>${from}</bdi> → <bdi>${to}</bdi></li>`)}</ul>`
}
${more > 0 && html`<p class="help">${texts.andMore(more)}</p>`}
<form method="post" action="${pathOf(workflow)}/restart" class="actions">${button(texts.restart, { kind: "negative" })} ${linkButton(texts.cancel, pathOf(workflow))}</form>
</div>`,
  );
}

/** Somebody else owns the field: the person may overrule it once, by name. */
export function overrulePage(
  workflow: LiveWorkflow,
  deed: "start" | "stop" | "restart",
  managers: readonly string[],
  field: string,
  user: string,
  canSignOut: boolean,
): Html {
  return page(
    { title: texts.overrule, user, canSignOut },
    html`<div class="narrow">
<h1 class="spectrum-Heading spectrum-Heading--sizeL">${texts.overrule}?</h1>
${managers.map((manager) => html`<p><bdi>${texts.owned(field, manager)}</bdi></p>`)}
<form method="post" action="${pathOf(workflow)}/${deed}" class="actions">
${managers.map((manager) => html`<input type="hidden" name="overrule" value="${manager}">`)}
${button(texts.overrule, { kind: "negative" })} ${linkButton(texts.cancel, pathOf(workflow))}</form>
</div>`,
  );
}
