/** What stands beside the fields of a form: names to choose from, types, and what does not fit. Pure. */

import type { ColumnTold, FieldTold } from "../../api/worker-metadata.ts";
import { columnType, fieldType, metadataTexts as texts } from "../metadata-texts.ts";
import type { Systems } from "./names.ts";

export interface Note {
  readonly text: string;
  /** What does not fit. Operator and worker decide; here it is said in time. */
  readonly isWarning: boolean;
}

export interface Choice {
  readonly value: string;
  readonly label?: string;
}

export interface Help {
  /** By the path of the field. */
  readonly notes: ReadonlyMap<string, Note>;
  /** Names to choose from, by the list's id. */
  readonly lists: ReadonlyMap<string, readonly Choice[]>;
  /** The list of a field, by its path. */
  readonly listOf: ReadonlyMap<string, string>;
}

/** Fields of a form that can have a note, by their plain paths. */
export function isHelped(plainPath: string): boolean {
  return helped.test(plainPath);
}

const helped =
  /^spec\.(ingress\.mappings\.(table|resource|key\.(column|field)|fields\.(column|field|link\.(resource|key))|constants\.field|filter\.conditions\.column)|egress\.(contactKey|activities\.(\w+\.table|columns\.\w+))|optInOut\.(keyField|mappings\.(column|field)))$/;

/** A browser searches in a list at each key: what is further down is typed. */
const mostOffered = 1000;

/** Gathers the help of a form, field by field. */
export class Helping implements Help {
  readonly notes = new Map<string, Note>();
  readonly lists = new Map<string, readonly Choice[]>();
  readonly listOf = new Map<string, string>();
  readonly #systems: Systems;

  constructor(systems: Systems) {
    this.#systems = systems;
  }

  table(path: string, name: string, mustTrack: boolean): void {
    const { dynamics } = this.#systems;
    this.offer(path, "tables", () => dynamics.all.map(({ name: value, label }) => choice(value, label)));
    const found = dynamics.whole(name);
    if (found.is === "Missing") this.#warn(path, texts.noSuchTable(name));
    if (found.is !== "There") return;
    const { label = name, tracked } = found.entry;
    const all = dynamics.parts(name).length;
    const cut = all > mostOffered ? [texts.offered(mostOffered, all + dynamics.left(name))] : [];
    if (mustTrack && !tracked) this.#warn(path, `${label}: ${texts.untracked}`);
    else this.#say(path, [label, ...cut].join(". "));
  }

  resource(path: string, name: string): void {
    const { campaign } = this.#systems;
    this.offer(path, "resources", () => campaign.all.map(({ name: value, label }) => choice(value, label)));
    const found = campaign.whole(name);
    if (found.is === "Missing") this.#warn(path, texts.noSuchResource(name));
    if (found.is === "There" && found.entry.label !== undefined) this.#say(path, found.entry.label);
  }

  /** @param also what is wrong with this column here, in words */
  column(
    path: string,
    table: string,
    name: string,
    also: (column: ColumnTold) => string | undefined = () => undefined,
  ) {
    const { dynamics } = this.#systems;
    const offered = () =>
      dynamics.parts(table).map((column) => choice(column.name, column.label, ...aboutColumn(column)));
    if (table !== "") this.offer(path, `columns-${table}`, offered);
    const found = dynamics.part(table, name);
    if (found.is === "Missing" && name !== "") this.#warn(path, texts.noSuchColumn(table, name));
    if (found.is !== "There") return undefined;
    const { entry } = found;
    const wrong = also(entry);
    const words = labelled(entry.label, entry.name, ...aboutColumn(entry));
    if (wrong === undefined) this.#say(path, words);
    else this.#warn(path, `${words}. ${wrong}`);
    return entry;
  }

  /** @param also what is wrong with this field here, in words */
  field(
    path: string,
    resource: string,
    name: string,
    also: (field: FieldTold) => string | undefined = () => undefined,
  ) {
    const { campaign } = this.#systems;
    const offered = () => campaign.parts(resource).map((field) => choice(field.name, field.label, fieldType(field)));
    if (resource !== "") this.offer(path, `fields-${resource}`, offered);
    const found = campaign.part(resource, name);
    if (found.is === "Missing" && name !== "") this.#warn(path, texts.noSuchField(resource, name));
    if (found.is !== "There") return undefined;
    const { entry } = found;
    const wrong = also(entry);
    const words = labelled(entry.label, entry.name, fieldType(entry));
    if (wrong === undefined) this.#say(path, words);
    else this.#warn(path, `${words}. ${wrong}`);
    return entry;
  }

  /** Names to choose from; `key` tells lists apart. Nothing to choose is no list. */
  offer(path: string, key: string, choices: () => readonly Choice[]): void {
    const id = `offers-${key}`;
    if (!this.lists.has(id)) this.lists.set(id, choices().slice(0, mostOffered));
    if (this.lists.get(id)?.length !== 0) this.listOf.set(path, id);
  }

  #say(path: string, text: string): void {
    this.notes.set(path, { text, isWarning: false });
  }

  #warn(path: string, text: string): void {
    this.notes.set(path, { text, isWarning: true });
  }
}

function aboutColumn(column: ColumnTold): readonly string[] {
  const { key } = column;
  return [columnType(column), ...(key === undefined ? [] : [key === "Primary" ? texts.primary : texts.alternate])];
}

function choice(value: string, label: string | undefined, ...more: readonly string[]): Choice {
  const words = labelled(label, value, ...more);
  return words === "" ? { value } : { value, label: words };
}

/** A label that only repeats the name tells nothing. */
function labelled(label: string | undefined, name: string, ...more: readonly string[]): string {
  return [...(label === undefined || label === name ? [] : [label]), ...more].join(" · ");
}
