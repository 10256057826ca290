/** What the check while somebody types tells of tables and columns, beside the fields of a form that is open. */
import type { HelpSent } from "../edit/checked.ts";

/** What the server is to know of what the form shows already. */
export function shownHelp(form: HTMLFormElement): readonly (readonly [name: string, value: string])[] {
  const lists = [...form.querySelectorAll("datalist")].map(({ id }) => ["have", id] as const);
  return [["seen", form.dataset["help"] ?? ""], ...lists];
}

export function showHelp(form: HTMLFormElement, help: HelpSent | undefined): void {
  if (help === undefined) return;
  form.dataset["help"] = help.digest;
  document.getElementById("metadata")?.replaceChildren(...help.origin.map(paragraph));
  const probe = document.getElementById("probe");
  if (probe !== null) probe.hidden = !help.offersProbe;
  form.append(...help.lists.map(([id, choices]) => listOf(id, choices)));
  const lists = new Map(help.listOf);
  for (const input of form.querySelectorAll<HTMLInputElement>("input.plain")) {
    const list = lists.get(input.name);
    if (list !== undefined) input.setAttribute("list", list);
    // Names of the table that was meant before; what the spec itself uses is offered under another id.
    else if (input.getAttribute("list")?.startsWith("offers-spec.") === false) input.removeAttribute("list");
  }
  const notes = new Map(help.notes.map((note) => [note.path, note]));
  for (const line of form.querySelectorAll<HTMLElement>(".note[id$=-note]")) {
    const note = notes.get(line.id.replace(/-note$/, ""));
    line.hidden = note === undefined;
    line.classList.toggle("warning", note?.isWarning === true);
    line.replaceChildren(isolated(note?.text ?? ""));
  }
}

function paragraph(words: string): HTMLElement {
  const line = document.createElement("p");
  line.className = "help";
  line.append(isolated(words));
  return line;
}

/** Labels are other people's text: they turn nothing around them. */
function isolated(words: string): HTMLElement {
  const isolate = document.createElement("bdi");
  isolate.textContent = words;
  return isolate;
}

function listOf(id: string, choices: HelpSent["lists"][number][1]): HTMLDataListElement {
  const list = document.createElement("datalist");
  list.id = id;
  list.append(
    ...choices.map(({ value, label }) => {
      const option = document.createElement("option");
      option.value = value;
      if (label !== undefined) option.label = label;
      return option;
    }),
  );
  return list;
}
