/** What a browser adds to the form of an edit: the check while somebody types, and rows that come and go without a reload. */
import type { Checked } from "../edit/checked.ts";
import { texts } from "../texts.ts";
import { showHelp, shownHelp } from "./help.ts";

const stoppedTypingMs = 700;

/** Buttons that lead to another page send the form as it is sent without this script. */
const staysOnPage = /^(add|remove|replay|on|off|check|probe|view-form|view-yaml)\b/;

export function helpEditing(): void {
  const form = document.querySelector<HTMLFormElement>("#edit");
  if (form === null) return;
  let timer: number | undefined;
  let asking = new AbortController();
  followHelp(form);
  const stopChecking = (): void => {
    window.clearTimeout(timer);
    asking.abort();
  };
  form.addEventListener("input", () => {
    stopChecking();
    asking = new AbortController();
    const { signal } = asking;
    timer = window.setTimeout(() => void check(form, signal), stoppedTypingMs);
  });
  form.addEventListener("submit", (event) => {
    stopChecking();
    const { submitter } = event;
    if (!(submitter instanceof HTMLButtonElement) || !staysOnPage.test(submitter.value)) return;
    event.preventDefault();
    void replaceForm(form, submitter);
  });
}

const lookAgainMs = 2000;
/** A pod that is to ask the systems may wait for a node or an image; after that, Check looks. */
const mostLooks = 90;
const fewestLooks = 4;

/** While more is to come of what stands beside the fields, it is asked for. */
function followHelp(form: HTMLFormElement): void {
  const place = document.getElementById("metadata");
  const address = form.dataset["check"];
  if (place?.dataset["soon"] === undefined || address === undefined) return;
  let looks = 0;
  const look = async (): Promise<void> => {
    // Another form has taken its place, and looks by itself.
    if (!place.isConnected) return;
    looks += 1;
    const checked = await checkedBy(address, form, new AbortController().signal).catch(() => undefined);
    if (checked !== undefined) showHelp(form, checked.help);
    // A Job that was just made has no pod for a moment.
    if ((checked?.isSoon !== false || looks < fewestLooks) && looks < mostLooks)
      window.setTimeout(() => void look(), lookAgainMs);
  };
  window.setTimeout(() => void look(), lookAgainMs);
}

/** @returns undefined when the server does not say: the whole form's own answer says in full what is wrong */
async function checkedBy(address: string, form: HTMLFormElement, signal: AbortSignal): Promise<Checked | undefined> {
  const body = contentOf(form);
  for (const [name, value] of shownHelp(form)) body.append(name, value);
  const answer = await fetch(address, { method: "POST", body, signal });
  return answer.ok ? ((await answer.json()) as Checked) : undefined; // This server's own answer.
}

async function check(form: HTMLFormElement, signal: AbortSignal): Promise<void> {
  const address = form.dataset["check"];
  if (address === undefined) return;
  try {
    const checked = await checkedBy(address, form, signal);
    if (checked === undefined) return;
    show(form, checked);
    showHelp(form, checked.help);
  } catch {
    // Typed on, or the connection is lost: it is checked again with the next stop, and before anything is saved.
  }
}

function contentOf(form: HTMLFormElement, submitter?: HTMLButtonElement): URLSearchParams {
  const fields = new URLSearchParams();
  for (const [name, value] of new FormData(form, submitter)) if (typeof value === "string") fields.append(name, value);
  return fields;
}

/** The answer's form in place of this one; what was unfolded stays so, and the focus goes where the change is. */
async function replaceForm(form: HTMLFormElement, submitter: HTMLButtonElement): Promise<void> {
  const body = contentOf(form, submitter);
  body.append("part", "true");
  const answer = await fetch(form.action, { method: "POST", body }).catch(() => undefined);
  const fresh = answer === undefined ? null : formOf(await answer.text());
  if (fresh === null) {
    // Signed out, or somebody else was quicker: the server says so on a page of its own.
    form.requestSubmit();
    return;
  }
  const open = new Set([...form.querySelectorAll<HTMLDetailsElement>("details[open]")].map(partOf));
  takeOver(form, fresh);
  delete form.dataset["help"];
  followHelp(form);
  for (const details of form.querySelectorAll("details")) details.open ||= open.has(partOf(details));
  focusAfter(submitter.value);
}

/** The whole, or the part that was changed: thousands of fields take long to be read and laid out anew. */
function takeOver(form: HTMLFormElement, fresh: HTMLFormElement): void {
  const path = fresh.dataset["part"] ?? "";
  const now = document.getElementById(path);
  const [next] = fresh.querySelectorAll(":scope > :not(datalist)");
  if (now === null || next === undefined) {
    form.replaceChildren(...fresh.childNodes);
    return;
  }
  const gone = now.closest(`[data-part="${CSS.escape(path)}"]`) ?? now;
  // What stands elsewhere on the page is not explained twice.
  for (const help of next.querySelectorAll(".help[id]")) {
    const others = document.querySelectorAll(`[id="${CSS.escape(help.id)}"]`);
    if ([...others].some((other) => !gone.contains(other))) help.remove();
  }
  for (const list of fresh.querySelectorAll("datalist"))
    if (document.getElementById(list.id) === null) form.append(list);
  show(form, { problems: [], isMeanwhile: false });
  document.getElementById("outcome")?.replaceChildren();
  gone.replaceWith(next);
}

/** Where a deed changes the form; "" is the whole. */
function placeOf(deed: string): string {
  const [, verb = "", path = ""] = /^(add|remove|replay|on|off):(.*)$/s.exec(deed) ?? [];
  return verb === "remove" ? path.replace(/(\[\d+\]|\.\w+)$/, "") : path;
}

function formOf(text: string): HTMLFormElement | null {
  return new DOMParser().parseFromString(text, "text/html").querySelector<HTMLFormElement>("#edit");
}

function partOf(details: HTMLDetailsElement): string {
  return details.dataset["part"] ?? "";
}

function focusAfter(deed: string): void {
  const [verb, path = ""] = deed.split(/:(.*)/s);
  const place = document.getElementById(placeOf(deed));
  const entry = [...(place?.querySelectorAll<HTMLElement>(":scope > :is(.entry, .fold)") ?? [])].at(-1) ?? place;
  const field = "input:not([type=hidden]), select, textarea, button";
  if (verb === "add") entry?.querySelector<HTMLElement>(field)?.focus();
  else if (verb === "remove") place?.querySelector<HTMLElement>(":scope > .add button, button")?.focus();
  else if (verb === "replay") document.getElementById(path)?.focus();
  else document.querySelector<HTMLElement>(`#edit button[value="${CSS.escape(deed)}"], #edit .views button`)?.focus();
}

/** Every problem at its field, and all of them above with a way there. */
function show(form: HTMLFormElement, { problems, isMeanwhile }: Pick<Checked, "problems" | "isMeanwhile">): void {
  for (const line of form.querySelectorAll<HTMLElement>(".problem[id$=-problem]:not([hidden])")) tell(line, []);
  const wrong = Map.groupBy(problems, ({ path }) => path);
  for (const [path, found] of wrong) {
    const line = document.getElementById(`${path}-problem`);
    if (line === null) continue;
    tell(
      line,
      found.map(({ message }) => message),
    );
    for (let up = line.closest("details"); up !== null; up = up.parentElement?.closest("details") ?? null)
      up.open = true;
  }
  document.getElementById("yaml")?.setAttribute("aria-invalid", String(problems.length > 0));
  document.getElementById("outcome")?.replaceChildren(...outcome(problems, isMeanwhile));
}

function tell(line: HTMLElement, messages: readonly string[]): void {
  line.textContent = messages.join("; ");
  line.hidden = messages.length === 0;
  // A frame around several fields is not itself invalid.
  if (line.parentElement?.classList.contains("field") !== true) return;
  const field = document.getElementById(line.id.replace(/-problem$/, ""));
  if (messages.length === 0) field?.removeAttribute("aria-invalid");
  else field?.setAttribute("aria-invalid", "true");
}

function outcome(problems: Checked["problems"], isMeanwhile: boolean): readonly Node[] {
  if (isMeanwhile) return [paragraph("problem", texts.meanwhileShort)];
  if (problems.length === 0) return [paragraph("said", texts.fine)];
  const list = document.createElement("ul");
  for (const { path, message } of problems) {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.className = "spectrum-Link";
    link.href = `#${path}`;
    link.textContent = path;
    const words = document.createElement("bdi");
    words.textContent = message;
    item.append(link, ": ", words);
    list.append(item);
  }
  return [paragraph("problem", texts.refused(problems.length)), list];
}

function paragraph(style: string, text: string): HTMLElement {
  const element = document.createElement("p");
  element.className = style;
  element.textContent = text;
  return element;
}
