import { maxNameLength } from "../../api/group.ts";
import { workflowTypes } from "../../api/integration-workflow.ts";
import { type Html, html } from "../html.ts";
import { texts, typeNames } from "../texts.ts";
import { button, linkButton, page } from "./layout.ts";

export interface NewView {
  readonly user: string;
  readonly canSignOut: boolean;
  readonly given: Readonly<Record<string, string | undefined>>;
  readonly problem: string | undefined;
}

/** Which workflow is to be made: what cannot be changed later. */
export function newPage({ user, canSignOut, given, problem }: NewView): Html {
  const field = (name: string, label: string, help: string) => html`<div class="field">
<label class="spectrum-FieldLabel spectrum-FieldLabel--sizeM" for="${name}">${label}</label>
<input class="plain" id="${name}" name="${name}" value="${given[name]}" autocomplete="off" spellcheck="false" required aria-describedby="${name}-help"><p class="help" id="${name}-help">${help}</p></div>`;
  return page(
    { title: texts.newWorkflow, user, canSignOut },
    html`<nav aria-label="Breadcrumb"><a class="spectrum-Link" href="/workflows">${texts.workflows}</a></nav>
<h1 class="spectrum-Heading spectrum-Heading--sizeL">${texts.newWorkflow}</h1>
<p class="help">${texts.newMeans}</p>
${problem !== undefined && html`<p class="problem" role="alert">${problem}</p>`}
<form method="get" action="/new-workflow" class="edit">
<fieldset class="part"><legend>${texts.type}</legend>
${workflowTypes.map((type) => html`<p><input type="radio" id="type-${type}" name="type" value="${type}" required${given["type"] === type && html` checked`}> <label for="type-${type}">${typeNames[type].name}${typeNames[type].known !== typeNames[type].name && ` (${typeNames[type].known})`}</label></p>`)}</fieldset>
<div class="fields">${field("namespace", texts.namespace, texts.newNamespaceHelp)}
${field("name", texts.name, texts.newNameHelp(maxNameLength))}</div>
<div class="actions bar">${button(texts.newGoOn, { kind: "accent" })} ${linkButton(texts.cancel, "/workflows")}</div>
</form>`,
  );
}
