import { type Html, html } from "../html.ts";
import { texts } from "../texts.ts";
import { linkButton, page } from "./layout.ts";

/** For a moment, on the way to another page. */
export function goOnPage(title: string, to: string): Html {
  return page(
    { title },
    html`<div class="narrow stack">
<h1 class="spectrum-Heading spectrum-Heading--sizeL">${title}</h1>
<p>${linkButton(texts.goOn, to)}</p>
</div>`,
  );
}
