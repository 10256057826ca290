import { ago } from "../ago.ts";
import { type Html, type HtmlValue, html } from "../html.ts";
import { texts } from "../texts.ts";

export interface Frame {
  readonly title: string;
  /** Absent: nobody is signed in. */
  readonly user?: string | undefined;
  /** Whether there is a session to end: a proxy's sign-in is ended at the proxy. */
  readonly canSignOut?: boolean;
  /** Where live changes come from; absent: the page does not change by itself. */
  readonly live?: string;
}

/** A whole page. It reads without JavaScript; what is live is added to it. */
export function page({ title, user, canSignOut = true, live }: Frame, content: HtmlValue): Html {
  return html`<!doctype html>
<html lang="en" class="spectrum spectrum--light spectrum--dark spectrum--medium">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · ${texts.product}</title>
<link rel="icon" href="/assets/icon.svg">
<link rel="stylesheet" href="/assets/console.css">
<script type="module" src="/assets/console.js"></script>
</head>
<body${live !== undefined && html` data-live="${live}"`}>
<a class="skip" href="#content">${texts.skip}</a>
<header class="top">
<a class="product" href="/workflows">${texts.product}</a>
${live !== undefined && html`<p class="liveness" id="liveness" role="status" hidden></p>`}
${
  user !== undefined &&
  html`<div class="person"><span>${texts.signedInAs} <bdi>${user}</bdi></span>
${canSignOut && html`<form method="post" action="/sign-out">${button(texts.signOut, { quiet: true })}</form>`}</div>`
}
</header>
<main id="content" tabindex="-1">
${content}
</main>
</body>
</html>
`;
}

export interface ButtonLook {
  readonly kind?: "accent" | "negative" | "secondary";
  readonly quiet?: boolean;
  /** Why it cannot be pressed: it is there all the same, so that people see what there is. */
  readonly disabledBecause?: string | undefined;
  readonly warning?: string | undefined;
  readonly label?: string;
  readonly name?: string;
  readonly value?: string;
  /** Where it sends its form, if not where the form says. */
  readonly action?: string | undefined;
}

export function button(text: string, look: ButtonLook = {}): Html {
  const { kind = "secondary", quiet = false, disabledBecause, warning, label, name, value, action } = look;
  const style = `spectrum-Button spectrum-Button--sizeM spectrum-Button--${kind} spectrum-Button--${kind === "accent" || kind === "negative" ? "fill" : "outline"}`;
  return html`<button type="submit" class="${style}${quiet && " quiet"}${warning !== undefined && " warned"}"${
    name !== undefined && html` name="${name}" value="${value}"`
  }${action !== undefined && html` formaction="${action}"`}${label !== undefined && html` aria-label="${label}"`}${
    disabledBecause !== undefined && html` aria-disabled="true" disabled title="${disabledBecause}"`
  }${warning !== undefined && html` title="${warning}"`}>${warning !== undefined && icons.warning}<span class="spectrum-Button-label">${text}</span></button>`;
}

const icons = {
  warning: html`<svg class="icon" viewBox="0 0 18 18" aria-hidden="true" focusable="false"><path d="M9 1 17.5 16.5H.5Z" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linejoin="round"/><path d="M9 6.2v5" stroke="currentColor" stroke-width="1.8" stroke-linecap="round"/><circle cx="9" cy="13.6" r="1.1" fill="currentColor"/></svg>`,
};

export function linkButton(text: string, href: string, kind: "accent" | "secondary" = "secondary"): Html {
  return html`<a class="spectrum-Button spectrum-Button--sizeM spectrum-Button--${kind} spectrum-Button--${kind === "accent" ? "fill" : "outline"}" href="${href}"><span class="spectrum-Button-label">${text}</span></a>`;
}

/** A moment; the page keeps its words up to date. */
export function moment(time: string | undefined, nowMs: number, none: string): Html {
  const atMs = time === undefined ? Number.NaN : Date.parse(time);
  if (time === undefined || Number.isNaN(atMs)) return html`${none}`;
  return html`<time datetime="${time}" title="${time}">${ago(nowMs - atMs)}</time>`;
}
