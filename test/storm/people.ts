/** What people do in both systems, and what the judge must know of it. */
import type { IngressMapping } from "../../src/api/integration-workflow.ts";
import type { SandboxControl } from "../../src/sandbox/control/interface.ts";
import type { Chance } from "./chance.ts";
import type { Chronicle } from "./chronicle.ts";
import { keyOf, passes, type RowState } from "./expected.ts";
import type { Deeds } from "./ledger.ts";
import { type Cells, Rows, to } from "./rows.ts";
import { accountKey, accounts, contacts, type MappedTable, orders, perTable, shops, stampColumns } from "./workflow.ts";

/** Of the keys of one table: which went out of sight, and whether the workflow follows. */
interface Sight {
  /** Keys whose row was deleted or got another key. */
  readonly gone: Set<string>;
  /** Keys whose row left the filter. */
  readonly left: Set<string>;
  followsGone: boolean;
  followsLeft: boolean;
}

export class People {
  readonly deeds: Deeds = {
    removed: new Set(),
    partial: new Set(),
    edited: new Map(),
    orphans: new Set(),
  };
  readonly #control: SandboxControl;
  readonly #rows: Rows;
  readonly #chance: Chance;
  readonly #chronicle: Chronicle;
  readonly #deleted = perTable((): string[] => []);
  readonly #refused = new Set<string>();
  readonly #sights: Record<MappedTable, Sight> = perTable(newSight);
  readonly #mappings: Record<MappedTable, IngressMapping> = {
    contact: contacts,
    account: accounts,
    new_shop: shops,
    new_order: orders,
  };

  constructor(control: SandboxControl, seed: number, chance: Chance, chronicle: Chronicle) {
    this.#control = control;
    this.#rows = new Rows(control, seed, chance, chronicle);
    this.#chance = chance;
    this.#chronicle = chronicle;
  }

  /** Stamps what was there before the storm. */
  async begin(): Promise<void> {
    await this.add("new_shop", 6);
    await this.add("new_order", 12);
    for (const table of ["contact", "account"] as const) {
      const rows: { id: string; cells: Cells }[] = [];
      for await (const { id } of this.#control.rows({ table })) {
        const number = table === "account" ? { [accountKey]: `First ${rows.length}` } : {};
        rows.push({ id, cells: { [stampColumns[table]]: this.#chronicle.nextStamp(), ...number } });
      }
      await this.#update(table, rows);
    }
  }

  /**
   * Whether the workflow hears of what goes out of sight. It does not while the mapping is away, nor until its first load is
   * over; nor of what goes while deletions are not applied. What waits is dropped or let be, so that whatever went by then may stay.
   */
  follow(table: MappedTable, { gone, left }: { readonly gone: boolean; readonly left: boolean }): void {
    const sight = this.#sights[table];
    sight.followsGone = gone;
    sight.followsLeft = left;
    if (!gone) for (const key of sight.gone) this.deeds.orphans.add(key);
    if (!left) for (const key of sight.left) this.deeds.orphans.add(key);
  }

  /** From now on this is the mapping: rows may leave its filter at once. */
  async isMappedBy(mapping: IngressMapping, table: MappedTable): Promise<void> {
    const before = this.#mappings[table];
    this.#mappings[table] = mapping;
    for await (const row of this.#control.rows({ table })) {
      if (passes(before, row) && !passes(mapping, row)) this.#wentOutOfSight(table, keyOf(mapping, row), "left");
    }
  }

  async change(table: MappedTable, count: number): Promise<void> {
    await this.changeThese(table, await this.some(table, count));
  }

  async changeThese(table: MappedTable, ids: readonly string[]): Promise<void> {
    for (const id of ids) await this.#update(table, [{ id, cells: await this.#rows.cells(table) }]);
  }

  async add(table: MappedTable, count: number): Promise<void> {
    for (let n = 0; n < count; n++) await this.#insert(table, this.#rows.newId());
  }

  async remove(table: MappedTable, count: number): Promise<void> {
    await this.#delete(table, await this.some(table, count));
  }

  /** One account's number becomes new, or another's, or nothing. */
  async renumber(): Promise<void> {
    const [id, other] = await this.some("account", 2);
    if (id === undefined || other === undefined) return;
    const dice = this.#chance.random();
    const number = dice < 0.4 ? this.#rows.newNumber() : dice < 0.9 ? await this.#numberOf(other) : null;
    await this.#setNumbers([[id, number]]);
  }

  /** Two accounts change their numbers with each other. */
  async swapNumbers(): Promise<void> {
    const [a, b] = await this.some("account", 2);
    if (a === undefined || b === undefined) return;
    await this.#setNumbers([
      [a, await this.#numberOf(b)],
      [b, await this.#numberOf(a)],
    ]);
  }

  /** One account goes, and another takes over its number; now and then over two pages of one round. */
  async merge(): Promise<void> {
    const [id, other] = await this.some("account", 2);
    if (id === undefined || other === undefined) return;
    const number = await this.#numberOf(other);
    await this.#delete("account", [other]);
    await this.#setNumbers([[id, number]]);
    if (this.#chance.random() < 0.5) await this.change("account", 30);
  }

  async bringBack(table: MappedTable): Promise<void> {
    const id = this.#deleted[table].shift();
    if (id !== undefined) await this.#insert(table, id);
  }

  /** With many changes after it, the row and its deletion come on different pages of one round. */
  async replace(count: number): Promise<void> {
    const ids = await this.some("contact", count);
    await this.#delete("contact", ids);
    for (const id of ids) await this.#insert("contact", id);
    this.#deleted.contact = this.#deleted.contact.filter((id) => !ids.includes(id));
    if (this.#chance.random() < 0.5) await this.change("contact", 40);
  }

  /** A row becomes inactive, or active again. */
  async toggleState(table: MappedTable): Promise<void> {
    const [id = ""] = await this.some(table, 1);
    const statecode = (await this.#row(table, id))?.cells["statecode"] === 0 ? 1 : 0;
    const cells = await this.#rows.cells(table);
    await this.#update(table, [{ id, cells: { ...cells, statecode, statuscode: statecode + 1 } }]);
  }

  /** An order and its shop, the order first; now and then the shop comes only later. */
  async addFamily(later: (work: () => Promise<void>) => void): Promise<void> {
    const shop = this.#rows.newId();
    const makeShop = () => this.#insert("new_shop", shop);
    for (let n = 0; n < 2; n++) await this.#insert("new_order", this.#rows.newId(), { new_shopid: to(shops, shop) });
    if (this.#chance.random() < 0.5) await makeShop();
    else later(makeShop);
  }

  async refuse(most: number, cells: Readonly<Record<string, number>>): Promise<void> {
    if (this.#refused.size >= most) return;
    const [id = ""] = await this.some("contact", 1);
    this.#refused.add(id);
    await this.#update("contact", [{ id, cells: { ...(await this.#rows.cells("contact")), ...cells } }]);
  }

  async removeByHand(most: number): Promise<void> {
    if (this.deeds.removed.size >= most) return;
    const key = await this.#removeOneByHand();
    const { missingKey } = await this.#control.setCampaignBehaviour({});
    if (missingKey === "create") this.deeds.partial.add(key);
  }

  /** Edits and removes some records by hand, which are all written again then. */
  async meddle(): Promise<void> {
    for (let n = 0; n < 3; n++) await this.editByHand();
    await this.#removeOneByHand();
  }

  async editByHand(): Promise<void> {
    const [key = ""] = await this.some("contact", 1);
    if ((await this.#control.findRecords({ resource: "profile", key })).length === 0) return;
    const value = `By hand ${this.#chance.count(1000)}`;
    this.deeds.edited.set(key, { field: "firstName", value });
    await this.#control.updateRecord({ resource: "profile", key, values: { firstName: value } });
  }

  /** Not where a key may be there twice: there, what comes in between listing and insert is doubled. */
  async makeByHand(): Promise<void> {
    const { duplicateKey } = await this.#control.setCampaignBehaviour({});
    if (duplicateKey === "accept") return;
    const id = this.#rows.newId();
    this.deeds.orphans.add(id); // If its row goes before the workflow has ever seen it, the record stays.
    await this.#control.insertRecords({ resource: "profile", records: [{ externalId: id, lastName: "Made by hand" }] });
    await this.#insert("contact", id);
  }

  /** What was removed by hand is only missed when it is written again. */
  async missWhatIsRemoved(): Promise<void> {
    const removed = [...this.deeds.removed].filter((id) => !this.#deleted.contact.includes(id));
    const cells = () => ({ [stampColumns.contact]: this.#chronicle.nextStamp() });
    await this.#update(
      "contact",
      removed.map((id) => ({ id, cells: cells() })),
    );
  }

  /** Changes rows of one table, each with a stamp, and notes what the judge must know. */
  async set(table: MappedTable, rows: readonly { readonly id: string; readonly cells: Cells }[]): Promise<void> {
    const stamped = rows.map(({ id, cells }) => ({
      id,
      cells: { [stampColumns[table]]: this.#chronicle.nextStamp(), ...cells },
    }));
    await this.#update(table, stamped);
  }

  /** So many rows by chance. */
  some(table: MappedTable, count: number): Promise<string[]> {
    return this.#rows.some(table, count);
  }

  async delete(table: MappedTable, ids: readonly string[]): Promise<void> {
    await this.#delete(table, ids);
  }

  async #removeOneByHand(): Promise<string> {
    const [key = ""] = await this.some("contact", 1);
    this.deeds.removed.add(key);
    await this.#control.deleteRecords({ resource: "profile", keys: [key] });
    return key;
  }

  async #update(table: MappedTable, rows: readonly { readonly id: string; readonly cells: Cells }[]): Promise<void> {
    const mapping = this.#mappings[table];
    for (const { id, cells } of rows) {
      const before = await this.#row(table, id);
      await this.#control.updateRows({ table, rows: [{ id, cells }] });
      const after = await this.#row(table, id);
      if (before === undefined || after === undefined) continue;
      this.#chronicle.noteRow(after.cells[stampColumns[table]], after);
      const key = keyOf(mapping, before);
      if (key !== keyOf(mapping, after)) this.#wentOutOfSight(table, key, "gone");
      if (passes(mapping, before) && !passes(mapping, after)) this.#wentOutOfSight(table, key, "left");
    }
  }

  async #insert(table: MappedTable, id: string, more: Cells = {}): Promise<void> {
    const cells = { ...(await this.#rows.newCells(table)), ...more };
    await this.#control.insertRows({ table, rows: [{ id, cells }] });
    const row = await this.#row(table, id);
    if (row !== undefined) this.#chronicle.noteRow(row.cells[stampColumns[table]], row);
  }

  async #delete(table: MappedTable, ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const row = await this.#row(table, id);
      if (row !== undefined) this.#wentOutOfSight(table, keyOf(this.#mappings[table], row), "gone");
    }
    await this.#control.deleteRows({ table, ids });
    this.#deleted[table].push(...ids);
  }

  #wentOutOfSight(table: MappedTable, key: string | null, how: "gone" | "left"): void {
    if (key === null) return;
    const sight = this.#sights[table];
    sight[how].add(key);
    if (how === "gone" ? !sight.followsGone : !sight.followsLeft) this.deeds.orphans.add(key);
  }

  #row(table: MappedTable, id: string): Promise<RowState | undefined> {
    return this.#control.row({ table, id });
  }

  async #numberOf(id: string): Promise<string | null> {
    const row = await this.#row("account", id);
    return row === undefined ? null : keyOf(accounts, row);
  }

  async #setNumbers(numbers: readonly (readonly [id: string, number: string | null])[]): Promise<void> {
    for (const [id, number] of numbers) {
      // A row that loses its key is refused, and the record of the key that was written last stays.
      const had = number === null ? this.#chronicle.versions(id) : [];
      for (const version of had) this.deeds.orphans.add(keyOf(accounts, version) ?? "");
      await this.#update("account", [{ id, cells: { ...(await this.#rows.cells("account")), [accountKey]: number } }]);
    }
  }
}

function newSight(): Sight {
  return { gone: new Set(), left: new Set(), followsGone: true, followsLeft: true };
}
