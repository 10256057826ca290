/** Which rows can have a record, given those that they point at. */
import type { IngressMapping } from "../../src/api/integration-workflow.ts";
import type { ControlRow, SandboxControl } from "../../src/sandbox/control/interface.ts";
import type { Chronicle } from "./chronicle.ts";
import { isRefused, keyOf, linkTarget, passes, type RowState } from "./expected.ts";

type Mapped = IngressMapping["fields"][number];

/** Where a link must lead to. */
interface Target {
  /** Of the record; null: to none. */
  readonly key: string | null;
  /** Whether the record only stays, so that the workflow may no longer know it, or never have known it. */
  readonly isLeft: boolean;
}

export class Family {
  readonly #mappings: readonly IngressMapping[];
  readonly #chronicle: Chronicle;
  readonly #rows: ReadonlyMap<string, ControlRow>;
  /** Each resource and the keys that it has in Campaign. */
  readonly #records: ReadonlySet<string>;

  private constructor(
    mappings: readonly IngressMapping[],
    chronicle: Chronicle,
    rows: ReadonlyMap<string, ControlRow>,
    records: ReadonlySet<string>,
  ) {
    this.#mappings = mappings;
    this.#chronicle = chronicle;
    this.#rows = rows;
    this.#records = records;
  }

  static async of(control: SandboxControl, mappings: readonly IngressMapping[], chronicle: Chronicle): Promise<Family> {
    const rows = new Map<string, ControlRow>();
    const records = new Set<string>();
    for (const { table, resource, key } of mappings) {
      for await (const row of control.rows({ table })) rows.set(`${table} ${row.id}`, row);
      for await (const { values } of control.records({ resource })) records.add(`${resource} ${values[key.field]}`);
    }
    return new Family(mappings, chronicle, rows, records);
  }

  /** Whether a row that passes its filter can have a record: Campaign takes it, and every mandatory link has its target. */
  canBe(mapping: IngressMapping, row: RowState): boolean {
    if (isRefused(mapping, row, this.#chronicle.labels)) return false;
    return mapping.fields.every((field) => field.link?.mandatory !== true || this.target(field, row).key !== null);
  }

  /**
   * A record that stays though its row left the filter, is refused or is gone is as good a target as any other: whether
   * there is one, Campaign tells.
   */
  target(field: Mapped, row: RowState): Target {
    const mapping = this.#mappings.find(({ resource }) => resource === field.link?.resource);
    const id = linkTarget(field, row, mapping);
    if (mapping === undefined || id === null) return { key: null, isLeft: false };
    const target = this.#rows.get(`${mapping.table} ${id}`);
    if (target !== undefined && passes(mapping, target) && this.canBe(mapping, target)) {
      return { key: keyOf(mapping, target), isLeft: false };
    }
    // All that is linked to has its row's id as its key, so that a row that is gone has one too.
    return { key: this.#records.has(`${mapping.resource} ${id}`) ? id : null, isLeft: true };
  }
}
