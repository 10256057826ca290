/** What Campaign must hold, told from Dataverse and the chronicle alone: never from anything that the worker says. */
import type { IngressMapping } from "../../src/api/integration-workflow.ts";
import type { ControlRow, SandboxControl } from "../../src/sandbox/control/interface.ts";
import type { Chronicle } from "./chronicle.ts";
import { expectedFields, isRefused, isSame, keyOf, passes, type Values } from "./expected.ts";
import { Family } from "./family.ts";
import { tableOf } from "./workflow.ts";

/** What people did in Campaign, and what the workflow cannot know. By key. */
export interface Deeds {
  /** A record that may be missing, if its row is in `dead` instead. */
  readonly removed: Set<string>;
  /** A record that an update of its row may have made, where a PATCH makes what is missing: without constants. */
  readonly partial: Set<string>;
  /** A record whose field may have the value that a person gave it. */
  readonly edited: Map<string, { readonly field: string; readonly value: string }>;
  /**
   * A record that may be there without a row: its mapping was away when the row or its key went, or did not follow
   * deletions, or the row has no key any more, or a person made it.
   */
  readonly orphans: Set<string>;
}

/** How sharply is looked. `AfterReplay`: what people did in Campaign is mended, and every field is as its row is now. */
export type Sharpness = "AfterStorm" | "AfterReplay";

export interface Comparison {
  /** One sentence each; empty: Campaign is as it must be. */
  readonly differences: readonly string[];
  /** Rows that must be in `dead`, and no others ... */
  readonly deadIds: ReadonlySet<string>;
  /** ... but these: written when their targets were there still, and not changed since. */
  readonly mayBeDead: ReadonlySet<string>;
}

export async function compare(
  control: SandboxControl,
  mappings: readonly IngressMapping[],
  deeds: Deeds,
  chronicle: Chronicle,
  sharpness: Sharpness,
): Promise<Comparison> {
  const differences: string[] = [];
  const deadIds = new Set<string>();
  const mayBeDead = new Set<string>();
  const family = await Family.of(control, mappings, chronicle);
  for (const mapping of mappings) {
    const judge = new MappingJudge(mapping, deeds, chronicle, family, sharpness);
    const { table, resource } = mapping;
    const records = await recordsByKey(control, mapping);
    const { wanted, refused, mayStay } = await judge.rows(control);
    for (const { row, key } of refused) {
      const [record] = (key === null ? undefined : records.get(key)) ?? [];
      const isAsRead = record !== undefined && judge.isAsRead(row, record);
      (isAsRead ? mayBeDead : deadIds).add(row.id);
      if (key !== null) mayStay.add(key);
    }
    for (const [key, row] of wanted) {
      const [record, ...others] = records.get(key) ?? [];
      records.delete(key);
      if (others.length > 0) differences.push(`${table} ${key} is in Campaign ${others.length + 1} times`);
      if (record !== undefined) differences.push(...judge.fields(key, row, record));
      else {
        deadIds.add(row.id);
        if (sharpness === "AfterReplay" || !deeds.removed.has(key)) differences.push(`${table} ${key} is missing`);
      }
    }
    const pointedAt = await mandatoryTargets(control, mappings, resource);
    for (const key of records.keys()) {
      // To delete it would hide what points at it: it waits in `dead`. Its row's id is its key, in all families of the storm.
      if (pointedAt.has(key)) deadIds.add(key);
      else if (!mayStay.has(key) && !deeds.orphans.has(key)) differences.push(`${resource} ${key} has no row`);
    }
  }
  return { differences, deadIds, mayBeDead };
}

/** A resource's records that have a key, by it. */
async function recordsByKey(control: SandboxControl, { resource, key }: IngressMapping) {
  const records = new Map<string, Values[]>();
  for await (const { values } of control.records({ resource })) {
    const value = values[key.field];
    if (typeof value !== "string") continue; // A record without a key is nobody's.
    records.set(value, [...(records.get(value) ?? []), values]);
  }
  return records;
}

/** Keys of a resource's records that others in Campaign point at by mandatory links. */
async function mandatoryTargets(control: SandboxControl, mappings: readonly IngressMapping[], resource: string) {
  const found = new Set<string>();
  for (const mapping of mappings) {
    const links = mapping.fields.filter(({ link }) => link?.mandatory && link.resource === resource);
    if (links.length === 0) continue;
    for await (const { values } of control.records({ resource: mapping.resource })) {
      for (const { field } of links) found.add(String(values[field]));
    }
  }
  return found;
}

class MappingJudge {
  readonly #mapping: IngressMapping;
  readonly #deeds: Deeds;
  readonly #chronicle: Chronicle;
  readonly #family: Family;
  readonly #sharpness: Sharpness;

  constructor(mapping: IngressMapping, deeds: Deeds, chronicle: Chronicle, family: Family, sharpness: Sharpness) {
    this.#mapping = mapping;
    this.#deeds = deeds;
    this.#chronicle = chronicle;
    this.#family = family;
    this.#sharpness = sharpness;
  }

  /** Of the rows that have one key, the newest has the record. */
  async rows(control: SandboxControl) {
    const mapping = this.#mapping;
    const wanted = new Map<string, ControlRow>();
    const refused: { readonly row: ControlRow; readonly key: string | null }[] = [];
    /** Keys whose records may be there, as they were, or not. */
    const mayStay = new Set<string>();
    for await (const row of control.rows({ table: mapping.table })) {
      const key = keyOf(mapping, row);
      if (!passes(mapping, row)) {
        if (!mapping.filter?.deleteUnmatched) for (const had of this.#keysOf(row.id)) mayStay.add(had);
      } else if (!this.#family.canBe(mapping, row)) refused.push({ row, key });
      else if (key !== null && row.version > (wanted.get(key)?.version ?? 0)) wanted.set(key, row);
    }
    return { wanted, refused, mayStay };
  }

  /** Whether a record of a row that lost a target is what the row says. */
  isAsRead(row: ControlRow, record: Values): boolean {
    if (isRefused(this.#mapping, row, this.#chronicle.labels)) return false;
    const expected = expectedFields(this.#mapping, row, this.#chronicle.labels);
    return this.#mapping.fields.every(({ field, column, link }) => {
      const cell = row.cells[column] ?? null;
      if (link?.mandatory) return typeof cell === "object" && cell !== null && cell.id === record[field];
      return link !== undefined || isSame(expected[field], record[field]);
    });
  }

  fields(key: string, row: ControlRow, record: Values): readonly string[] {
    const { table, fields, constants = [] } = this.#mapping;
    const expected = expectedFields(this.#mapping, row, this.#chronicle.labels);
    const differs = (field: string, wanted: unknown) =>
      `${table} ${key}: ${field} is ${JSON.stringify(record[field])}, not ${JSON.stringify(wanted)}`;
    const links = fields.filter(({ link }) => link !== undefined);
    const plain = fields.filter(({ link }) => link === undefined);
    return [
      ...plain.flatMap(({ field, applyUpdates }) => {
        const isRight =
          isSame(expected[field], record[field]) ||
          (this.#sharpness === "AfterStorm" && this.#mayBe(key, row, field, applyUpdates, record[field]));
        return isRight ? [] : [differs(field, expected[field])];
      }),
      ...links.flatMap((field) => {
        const { key: target, isLeft } = this.#family.target(field, row);
        const found = record[field.field];
        // What leads to a record that is gone is no link.
        const isNone = (found ?? "") === "" || String(found).startsWith("#");
        const isRemoved = this.#sharpness === "AfterStorm" && this.#deeds.removed.has(target ?? "");
        const isForgotten = isLeft && this.#deeds.orphans.has(target ?? "");
        const mayLack = target === null || isRemoved || isForgotten;
        return found === target || (isNone && mayLack) ? [] : [differs(field.field, target)];
      }),
      ...constants.flatMap(({ field }) => {
        const used = this.#constants(field);
        const mayLack = record[field] === undefined && this.#deeds.partial.has(key);
        return mayLack || used.includes(String(record[field])) ? [] : [differs(field, used.join(" or "))];
      }),
    ];
  }

  /** What a person wrote; what a row had once, in a field that does not follow; a label that changed since. */
  #mayBe(key: string, row: ControlRow, field: string, applyUpdates: boolean, found: unknown): boolean {
    const edit = this.#deeds.edited.get(key);
    if (edit?.field === field && edit.value === found) return true;
    const { allLabels } = this.#chronicle;
    const versions = applyUpdates ? [row] : this.#chronicle.versions(row.id);
    const mappings = applyUpdates ? [this.#mapping] : this.#chronicle.mappings(tableOf(this.#mapping));
    if (!applyUpdates && (found ?? "") === "") return true; // The field came into the mapping when the record was there.
    return versions.some((version) =>
      mappings.some((mapping) =>
        allLabels.some((labels) => isSame(expectedFields(mapping, version, labels)[field], found)),
      ),
    );
  }

  #constants(field: string): readonly string[] {
    const all = this.#chronicle.mappings(tableOf(this.#mapping)).flatMap(({ constants = [] }) => constants);
    return [...new Set(all.filter((one) => one.field === field).map(({ value }) => value))];
  }

  #keysOf(id: string): readonly string[] {
    return this.#chronicle.versions(id).flatMap((version) => keyOf(this.#mapping, version) ?? []);
  }
}
