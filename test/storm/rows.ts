/** What people write into rows. */
import type { IngressMapping } from "../../src/api/integration-workflow.ts";
import type { SandboxControl } from "../../src/sandbox/control/interface.ts";
import type { CellValue } from "../../src/sandbox/dataverse/schema.ts";
import { guidOf } from "../../src/sandbox/random.ts";
import type { Chance } from "./chance.ts";
import type { Chronicle } from "./chronicle.ts";
import { accountKey, contacts, type MappedTable, shops, stampColumns } from "./workflow.ts";

export type Cells = Record<string, CellValue>;

export class Rows {
  readonly #control: SandboxControl;
  readonly #seed: number;
  readonly #chance: Chance;
  readonly #chronicle: Chronicle;
  #guid = 0;
  #number = 0;

  constructor(control: SandboxControl, seed: number, chance: Chance, chronicle: Chronicle) {
    this.#control = control;
    this.#seed = seed;
    this.#chance = chance;
    this.#chronicle = chronicle;
  }

  newNumber(): string {
    return `Number ${++this.#number}`;
  }

  newId(): string {
    return guidOf(this.#seed ^ 0x5707, ++this.#guid);
  }

  /** So many rows by chance. */
  async some(table: MappedTable, count: number): Promise<string[]> {
    const all: string[] = [];
    for await (const { id } of this.#control.rows({ table })) all.push(id);
    const chosen = new Set<string>();
    while (chosen.size < Math.min(count, all.length)) chosen.add(this.#chance.oneOf(all));
    return [...chosen];
  }

  /** For a row that is there: a stamp, and what else changes. */
  async cells(table: MappedTable): Promise<Cells> {
    const cells: Cells = { [stampColumns[table]]: this.#chronicle.nextStamp() };
    const maybe = (share: number, column: string, value: () => CellValue) => {
      if (this.#chance.random() < share) cells[column] = value();
    };
    switch (table) {
      case "account":
        maybe(0.3, "address1_city", () => `City ${this.#chance.count(9)}`);
        maybe(0.2, "industrycode", () => this.#chance.oneOf([1, 2, 3, null]));
        return cells;
      case "new_shop":
        if (this.#chance.random() < 0.4) cells["new_parentid"] = await this.#link(shops, 0.7);
        return cells;
      case "new_order":
        if (this.#chance.random() < 0.4) cells["new_shopid"] = await this.#link(shops, 0.95);
        if (this.#chance.random() < 0.4) cells["new_buyerid"] = await this.#link(contacts, 0.8);
        return cells;
      case "contact":
        maybe(0.3, "familystatuscode", () => this.#chance.oneOf([1, 2, null]));
        maybe(0.2, "emailaddress1", () => this.#chance.oneOf([null, `a${this.#chance.count(1000)}@example.com`]));
        maybe(0.3, "jobtitle", () => this.#chance.oneOf([null, `Job ${this.#chance.count(20)}`]));
        maybe(0.2, "preferredcontactmethodcode", () => this.#chance.oneOf([1, 2, 3, 4, 5]));
        maybe(0.2, "numberofchildren", () => this.#chance.oneOf([0, 1, 2, 3, 4, 5, null]));
        return cells;
    }
  }

  async newCells(table: MappedTable): Promise<Cells> {
    const cells = { ...(await this.cells(table)), statecode: 0, statuscode: 1 };
    switch (table) {
      case "contact":
        return { ...cells, firstname: `First ${this.#chance.count(100)}` };
      case "account":
        return { ...cells, [accountKey]: (await this.#numberOfAnother()) ?? this.newNumber() };
      case "new_shop":
        return cells;
      case "new_order":
        return { new_shopid: await this.#link(shops, 1), new_buyerid: await this.#link(contacts, 0.5), ...cells };
    }
  }

  async #numberOfAnother(): Promise<CellValue | undefined> {
    const [id] = this.#chance.random() < 0.3 ? await this.some("account", 1) : [];
    return id === undefined ? undefined : (await this.#control.row({ table: "account", id }))?.cells[accountKey];
  }

  /** A link to some row of a mapping's, or, now and then, to nothing. */
  async #link(target: typeof shops | typeof contacts, share: number): Promise<CellValue> {
    const table = target === shops ? "new_shop" : "contact";
    const [id] = this.#chance.random() < share ? await this.some(table, 1) : [];
    return id === undefined ? null : to(target, id);
  }
}

/** A link to a row. */
export function to({ table }: IngressMapping, id: string): CellValue {
  return { table, id };
}
