/**
 * After the storm, when all is at rest: a few changes whose outcome is known exactly, for nothing else happens. What they
 * do not touch stays as it is, down to the time of its last change.
 */
import type { IngressMapping } from "../../src/api/integration-workflow.ts";
import type { ControlRow, SandboxControl } from "../../src/sandbox/control/interface.ts";
import type { Chronicle } from "./chronicle.ts";
import { expectedFields, isRefused, isSame, keyOf, passes, type Values } from "./expected.ts";
import type { People } from "./people.ts";
import { accounts, contacts, tableOf } from "./workflow.ts";

interface Snapshot {
  readonly values: Values;
  readonly lastModified: number;
}

interface Prediction {
  readonly table: string;
  readonly resource: string;
  readonly key: string;
  /** undefined: it must be gone, or never have come. */
  readonly values: Values | undefined;
  /** Not written at all. */
  readonly untouched?: Snapshot;
}

export class Aftermath {
  readonly #control: SandboxControl;
  readonly #people: People;
  readonly #chronicle: Chronicle;
  readonly #mappings: readonly IngressMapping[];
  readonly #predictions: Prediction[] = [];

  constructor(control: SandboxControl, people: People, chronicle: Chronicle, mappings: readonly IngressMapping[]) {
    this.#control = control;
    this.#people = people;
    this.#chronicle = chronicle;
    this.#mappings = mappings;
  }

  /** Changes rows, and predicts what becomes of every record. */
  async change(): Promise<void> {
    const touched = new Set<string>();
    for (const mapping of this.#mappings) {
      const before = await this.#snapshots(mapping);
      const isChanged = mapping.table === contacts.table || mapping.table === accounts.table;
      const rows = isChanged ? await this.#rowsOfTheirOwn(mapping) : [];
      for (const [n, row] of rows.entries()) {
        const key = keyOf(mapping, row) ?? "";
        touched.add(key);
        const after = await this.#changed(mapping, row, n);
        this.#predict(mapping, key, row, after, before.get(key));
      }
      for (const [key, untouched] of before) {
        // An order follows its buyer, also one that comes into Campaign only now.
        const buyer = (await this.#control.row({ table: mapping.table, id: key }))?.cells["new_buyerid"];
        const isFollowing = typeof buyer === "object" && buyer !== null && touched.has(buyer.id);
        if (!touched.has(key) && !touched.has(String(untouched.values["buyer"])) && !isFollowing)
          this.#note(mapping, key, untouched.values, untouched);
      }
    }
  }

  /** @returns what is not as predicted, one sentence each */
  async differences(): Promise<readonly string[]> {
    const found: string[] = [];
    for (const mapping of this.#mappings) {
      const now = await this.#snapshots(mapping);
      for (const { table, resource, key, values, untouched } of this.#predictions) {
        if (resource !== mapping.resource) continue;
        const record = now.get(key);
        const wrong = Object.keys({ ...values, ...record?.values }).filter(
          (field) => !isSame(values?.[field], record?.values[field]),
        );
        if (values === undefined || record === undefined) {
          if (values !== undefined) found.push(`aftermath: ${table} ${key} is not in Campaign`);
          else if (record !== undefined) found.push(`aftermath: ${table} ${key} is in Campaign still`);
        } else if (wrong.length > 0) {
          const [field = ""] = wrong;
          const [is, not] = [record.values[field], values[field]];
          found.push(`aftermath: ${table} ${key}: ${field} is ${JSON.stringify(is)}, not ${JSON.stringify(not)}`);
        } else if (untouched !== undefined && untouched.lastModified !== record.lastModified) {
          found.push(`aftermath: ${table} ${key} was written, though nothing of it changed`);
        }
      }
    }
    return found;
  }

  #predict(
    mapping: IngressMapping,
    key: string,
    before: ControlRow,
    after: ControlRow | undefined,
    record: Snapshot | undefined,
  ): void {
    if (after === undefined) {
      // What left the filter and stayed was written by this workflow too, unless it forgot; that is not predicted.
      if (passes(mapping, before)) this.#note(mapping, key, mapping.applyDeletes ? undefined : record?.values);
      return;
    }
    const expected = expectedFields(mapping, after, this.#chronicle.labels);
    const { fields, constants = [], filter } = mapping;
    if (passes(mapping, after)) {
      const isUpdate = passes(mapping, before);
      const sent = fields.filter(({ applyUpdates }) => applyUpdates || !isUpdate).map(({ field }) => field);
      const isNews = sent.some((field) => !isSame(expected[field], record?.values[field]));
      const values = {
        ...record?.values,
        ...Object.fromEntries(sent.map((field) => [field, expected[field]])),
        ...(isUpdate ? {} : Object.fromEntries(constants.map(({ field, value }) => [field, value]))),
        [mapping.key.field]: key,
      };
      this.#note(mapping, key, values, isUpdate && !isNews ? record : undefined);
    } else if (passes(mapping, before)) {
      this.#note(mapping, key, filter?.deleteUnmatched ? undefined : record?.values);
    }
  }

  #note({ table, resource }: IngressMapping, key: string, values: Values | undefined, untouched?: Snapshot): void {
    this.#predictions.push({ table, resource, key, values, ...(untouched === undefined ? {} : { untouched }) });
  }

  /** @returns the row as it is then; undefined: it was deleted */
  async #changed(mapping: IngressMapping, { id, cells }: ControlRow, n: number): Promise<ControlRow | undefined> {
    const table = tableOf(mapping);
    const what = n % 5;
    const state = cells["statecode"] === 0 ? 1 : 0;
    if (what === 0) await this.#people.delete(table, [id]);
    else if (what === 1)
      await this.#control.updateRows({ table, rows: [{ id, cells: { description: `Touch ${n}` } }] });
    else if (table === contacts.table) {
      const first = { jobtitle: `Job after ${n}`, emailaddress1: `after${n}@example.com` };
      const other = { preferredcontactmethodcode: cells["preferredcontactmethodcode"] === 5 ? 1 : 5 };
      await this.#people.set(table, [{ id, cells: what === 4 ? { ...first, ...other } : first }]);
    } else {
      const other = { statecode: state, statuscode: state + 1 };
      await this.#people.set(table, [{ id, cells: { address1_city: `After ${n}`, ...(what >= 3 ? other : {}) } }]);
    }
    return this.#control.row({ table, id });
  }

  /** Rows whose records are written, whose keys no other row has or had, and no record without a row. */
  async #rowsOfTheirOwn(mapping: IngressMapping): Promise<readonly ControlRow[]> {
    const all: ControlRow[] = [];
    for await (const row of this.#control.rows({ table: mapping.table })) all.push(row);
    const uses = new Map<string, number>();
    for (const row of all) {
      const keys = new Set(this.#chronicle.versions(row.id).map((version) => keyOf(mapping, version) ?? ""));
      for (const key of keys) uses.set(key, (uses.get(key) ?? 0) + 1);
    }
    const chosen = all.filter((row) => {
      const key = keyOf(mapping, row);
      const isAlone = key !== null && uses.get(key) === 1 && !this.#people.deeds.orphans.has(key);
      const hadOne = this.#chronicle.versions(row.id).every((version) => keyOf(mapping, version) === key);
      return isAlone && hadOne && !isRefused(mapping, row, this.#chronicle.labels);
    });
    return chosen.slice(0, 10);
  }

  async #snapshots({ resource, key }: IngressMapping): Promise<Map<string, Snapshot>> {
    const found = new Map<string, Snapshot>();
    for await (const { values, lastModified } of this.#control.records({ resource })) {
      const value = values[key.field];
      if (typeof value === "string") found.set(value, { values, lastModified });
    }
    return found;
  }
}
