import { type Html, html } from "../html.ts";
import { texts } from "../texts.ts";
import { button, page } from "./layout.ts";

export function signInPage(problem: string | undefined, to: string): Html {
  return page(
    { title: texts.signIn },
    html`<div class="narrow">
<h1 class="spectrum-Heading spectrum-Heading--sizeL">${texts.signIn}</h1>
<form method="post" action="/sign-in" class="stack">
<input type="hidden" name="to" value="${to}">
<div>
<label class="spectrum-FieldLabel spectrum-FieldLabel--sizeM" for="token">${texts.token}</label>
<div class="spectrum-Textfield wide"><input class="spectrum-Textfield-input" id="token" name="token" type="password" autocomplete="off" spellcheck="false" required aria-describedby="token-help${problem !== undefined && " token-problem"}"${problem !== undefined && html` aria-invalid="true"`}></div>
${problem !== undefined && html`<p class="problem" id="token-problem" role="alert">${problem}</p>`}
<p class="help" id="token-help">${texts.tokenHelp}</p>
</div>
${button(texts.signIn, { kind: "accent" })}
</form>
</div>`,
  );
}
