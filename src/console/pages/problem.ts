import { type Html, html } from "../html.ts";
import { linkButton, page } from "./layout.ts";

/** What went wrong, in the words of whoever refused, and the way on. */
export function problemPage(title: string, message: string, user: string | undefined): Html {
  return page(
    { title, user },
    html`<div class="narrow">
<h1 class="spectrum-Heading spectrum-Heading--sizeL">${title}</h1>
<p role="alert"><bdi>${message}</bdi></p>
<p>${linkButton("Workflows", "/workflows")}</p>
</div>`,
  );
}
