/** Puts what changes into the page that is shown. */
import { workflowStates } from "../../api/workflow-states.ts";
import { drawTrend, noteBacklog } from "./trend.ts";

/** Parts that wait for the next frame: however many came, the newest of each is drawn once. */
const waiting = new Map<string, string>();

/** A page that shows no workflow has no table for the first. */
export function hasPlace(html: string): boolean {
  return !html.startsWith("<tr") || document.getElementById("rows") !== null;
}

/** @param html "" takes the part away */
export function put(id: string, html: string): void {
  if (waiting.size === 0) requestAnimationFrame(draw);
  waiting.set(id, html);
}

function draw(): void {
  const parts = [...waiting];
  waiting.clear();
  for (const [id, html] of parts) replace(id, html);
  count();
}

export function beginTrends(): void {
  for (const row of document.querySelectorAll<HTMLElement>("[id^=workflow-], #summary")) noteBacklog(row);
}

/** The page as it is now, in place of what is shown: what is the same stays, and with it whatever has the focus. */
export function takeOver(fresh: Document): void {
  waiting.clear();
  const [rows, freshRows] = [document.getElementById("rows"), fresh.getElementById("rows")];
  if ((rows === null) !== (freshRows === null)) {
    document.getElementById("content")?.replaceChildren(...(fresh.getElementById("content")?.childNodes ?? []));
    return;
  }
  for (const section of fresh.querySelectorAll("main section[id]")) replace(section.id, section.innerHTML);
  if (rows === null || freshRows === null) return;
  for (const row of [...rows.children]) if (freshRows.querySelector(`#${CSS.escape(row.id)}`) === null) row.remove();
  for (const row of freshRows.children) replace(row.id, row.outerHTML);
  for (const place of ["#counts", ".pager", "#filter-namespace"]) {
    const [old, now] = [document.querySelector(place), fresh.querySelector(place)];
    if (old !== null && now !== null && old.innerHTML !== now.innerHTML) old.replaceChildren(...now.childNodes);
  }
}

function replace(id: string, html: string): void {
  const old = document.getElementById(id);
  if (old === null) {
    if (html !== "") addRow(html);
    return;
  }
  if (html === "") {
    if (old instanceof HTMLTableRowElement) old.remove();
    else old.replaceChildren();
    return;
  }
  const template = document.createElement("template");
  template.innerHTML = html;
  const before = stateOf(old);
  if (old instanceof HTMLTableRowElement) {
    const fresh = template.content.querySelector("tr");
    if (fresh === null) return;
    copyAttributes(fresh, old);
    swap(old.cells, [...fresh.cells]);
  } else {
    swapContent(old, template.content);
  }
  noteBacklog(old);
  drawTrend(old);
  const after = stateOf(old);
  if (before !== undefined && after !== undefined && before.state !== after.state)
    announce(`${after.name}: ${after.state}`);
}

/** The server sends those that belong among the rows that are shown. */
function addRow(html: string): void {
  const rows = document.getElementById("rows");
  const template = document.createElement("template");
  template.innerHTML = html;
  const fresh = template.content.querySelector("tr");
  if (rows === null || fresh === null) return;
  const place = fresh.dataset["place"] ?? "";
  const next = [...rows.querySelectorAll("tr")].find((row) => (row.dataset["place"] ?? "") > place);
  rows.insertBefore(fresh, next ?? null);
  noteBacklog(fresh);
}

/** Of a list that is on one page; of a longer one the numbers are those of its load, and say so. */
function count(): void {
  const [counts, rows] = [document.getElementById("counts"), document.getElementById("rows")];
  if (counts?.dataset["follows"] === undefined || rows === null) return;
  const states = [...rows.querySelectorAll("tr")].map((row) => row.dataset["state"]);
  const words = workflowStates.map((state) => `${states.filter((one) => one === state).length} ${state}`);
  counts.textContent = `${states.length}: ${words.join(", ")}`;
}

/** Cells that say the same stay, and with them whatever has the focus. */
function swap(old: HTMLCollectionOf<HTMLTableCellElement>, fresh: readonly HTMLTableCellElement[]): void {
  for (const [index, cell] of fresh.entries()) {
    const present = old[index];
    if (present !== undefined && present.innerHTML !== cell.innerHTML) present.innerHTML = cell.innerHTML;
  }
}

function swapContent(old: HTMLElement, content: DocumentFragment): void {
  const details = [...old.querySelectorAll("details")].map(({ open }) => open);
  const focused = [...old.querySelectorAll("button, a, summary")].indexOf(document.activeElement as Element);
  old.replaceChildren(content);
  for (const [index, element] of [...old.querySelectorAll("details")].entries()) element.open = details[index] ?? false;
  if (focused >= 0) old.querySelectorAll<HTMLElement>("button, a, summary")[focused]?.focus();
}

function copyAttributes(from: Element, to: Element): void {
  for (const { name, value } of from.attributes) to.setAttribute(name, value);
}

function stateOf(element: HTMLElement): { readonly name: string; readonly state: string } | undefined {
  const found = element.matches("[data-state]") ? element : element.querySelector<HTMLElement>("[data-state]");
  const { name, state } = found?.dataset ?? {};
  return name === undefined || state === undefined ? undefined : { name, state };
}

/** For whoever listens instead of looking. */
function announce(text: string): void {
  const place = document.getElementById("announcement");
  if (place !== null) place.textContent = text;
}
