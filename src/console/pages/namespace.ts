import { type Html, html } from "../html.ts";
import { texts } from "../texts.ts";
import { button, page } from "./layout.ts";

/** For whoever may not see all namespaces: which one, then. */
export function namespacePage(message: string, user: string, canSignOut: boolean): Html {
  return page(
    { title: texts.workflows, user, canSignOut },
    html`<div class="narrow">
<h1 class="spectrum-Heading spectrum-Heading--sizeL">${texts.whichNamespace}</h1>
<p>${texts.whichNamespaceHelp}</p>
<form method="get" action="/workflows" class="filters">
<div><label class="spectrum-FieldLabel spectrum-FieldLabel--sizeM" for="namespace">${texts.namespace}</label>
<input class="plain" id="namespace" name="namespace" required maxlength="63" autocomplete="off" spellcheck="false"></div>
${button(texts.show, { kind: "accent" })}
</form>
<p class="help"><bdi>${message}</bdi></p>
</div>`,
  );
}
