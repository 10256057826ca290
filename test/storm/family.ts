/** Which rows can have a record, given those that they point at. */
import type { IngressMapping } from "../../src/api/integration-workflow.ts";
import type { ControlRow, SandboxControl } from "../../src/sandbox/control/interface.ts";
import type { Chronicle } from "./chronicle.ts";
import { isRefused, keyOf, linkTarget, passes, type RowState } from "./expected.ts";

type Mapped = IngressMapping["fields"][number];

export class Family {
  readonly #mappings: readonly IngressMapping[];
  readonly #chronicle: Chronicle;
  readonly #rows: ReadonlyMap<string, ControlRow>;

  private constructor(
    mappings: readonly IngressMapping[],
    chronicle: Chronicle,
    rows: ReadonlyMap<string, ControlRow>,
  ) {
    this.#mappings = mappings;
    this.#chronicle = chronicle;
    this.#rows = rows;
  }

  static async of(control: SandboxControl, mappings: readonly IngressMapping[], chronicle: Chronicle): Promise<Family> {
    const rows = new Map<string, ControlRow>();
    for (const { table } of mappings) {
      for await (const row of control.rows({ table })) rows.set(`${table} ${row.id}`, row);
    }
    return new Family(mappings, chronicle, rows);
  }

  /** Whether a row that passes its filter can have a record: Campaign takes it, and every mandatory link has its target. */
  canBe(mapping: IngressMapping, row: RowState): boolean {
    if (isRefused(mapping, row, this.#chronicle.labels)) return false;
    return mapping.fields.every((field) => field.link?.mandatory !== true || this.target(field, row) !== null);
  }

  /** The key of the record that a link must lead to; null: to none. */
  target(field: Mapped, row: RowState): string | null {
    const mapping = this.#mappings.find(({ resource }) => resource === field.link?.resource);
    const id = linkTarget(field, row, mapping);
    const target = id === null ? undefined : this.#rows.get(`${mapping?.table} ${id}`);
    if (mapping === undefined || target === undefined) return null;
    return passes(mapping, target) && this.canBe(mapping, target) ? keyOf(mapping, target) : null;
  }
}
