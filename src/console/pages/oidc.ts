import { type Html, html } from "../html.ts";
import { texts } from "../texts.ts";
import { linkButton, page } from "./layout.ts";

/** @param issuer its URL */
export function oidcSignInPage(issuer: string, to: string, problem: string | undefined): Html {
  const { oidc } = texts;
  return page(
    { title: texts.signIn },
    html`<div class="narrow stack">
<h1 class="spectrum-Heading spectrum-Heading--sizeL">${texts.signIn}</h1>
${problem !== undefined && html`<p class="problem" role="alert"><bdi>${problem}</bdi></p>`}
<p>${linkButton(oidc.signInAt(hostOf(issuer)), `/sign-in/start?to=${encodeURIComponent(to)}`, "accent")}</p>
<p class="help">${oidc.help}</p>
</div>`,
  );
}

/** @param there where the person signs out of the issuer as well, if it has such a place */
export function signedOutPage(issuer: string, there: string | undefined): Html {
  const { oidc } = texts;
  const host = hostOf(issuer);
  return page(
    { title: oidc.signedOut },
    html`<div class="narrow stack">
<h1 class="spectrum-Heading spectrum-Heading--sizeL">${oidc.signedOut}</h1>
<p>${oidc.stillThere(host)}</p>
<p class="actions">${there !== undefined && linkButton(oidc.signOutAt(host), there)} ${linkButton(oidc.again, "/sign-in")}</p>
</div>`,
  );
}

function hostOf(issuer: string): string {
  return URL.parse(issuer)?.host ?? issuer;
}
