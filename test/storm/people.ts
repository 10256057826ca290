/** What people do in both systems, and what the judge must know of it. */
import type { SandboxControl } from "../../src/sandbox/control/interface.ts";
import { guidOf } from "../../src/sandbox/random.ts";
import type { Chance } from "./chance.ts";
import { type Deeds, stamp } from "./ledger.ts";
import { accountKey, accounts, keyOf } from "./mappings.ts";

type Table = "contact" | "account";

const stampColumns = { contact: "lastname", account: "name" } as const;

export class People {
  readonly deeds: Deeds = { removed: new Set(), orphans: new Set() };
  /** The row of each stamp. */
  readonly rowOf = new Map<number, string>();
  readonly #control: SandboxControl;
  readonly #seed: number;
  readonly #chance: Chance;
  readonly #gone: Record<Table, string[]> = { contact: [], account: [] };
  readonly #refused = new Set<string>();
  /** Keys of accounts that went out of sight. */
  readonly #left = new Set<string>();
  /** Keys that an account had before. */
  readonly #had = new Map<string, readonly string[]>();
  #areAccountsFollowed = true;
  #stamp = 0;
  #guid = 0;
  #number = 0;

  constructor(control: SandboxControl, seed: number, chance: Chance) {
    this.#control = control;
    this.#seed = seed;
    this.#chance = chance;
  }

  get areAccountsFollowed(): boolean {
    return this.#areAccountsFollowed;
  }

  /**
   * Whether the workflow hears of it when an account goes out of sight: not while its mapping is away, nor until its first
   * load is over. What is still queued is dropped with the mapping, so that whatever went by then may stay in Campaign.
   */
  set areAccountsFollowed(value: boolean) {
    this.#areAccountsFollowed = value;
    if (!value) for (const key of this.#left) this.deeds.orphans.add(key);
  }

  async change(table: Table, count: number): Promise<void> {
    const ids = await this.#some(table, count);
    const rows = ids.map((id) => ({ id, cells: this.#cells(table, id) }));
    await this.#control.updateRows({ table, rows });
  }

  async add(table: Table, count: number): Promise<void> {
    const ids = Array.from({ length: count }, () => this.#newId());
    const rows = await Promise.all(ids.map(async (id) => ({ id, cells: await this.#newCells(table, id) })));
    await this.#control.insertRows({ table, rows });
  }

  async remove(table: Table, count: number): Promise<void> {
    await this.#delete(table, await this.#some(table, count));
  }

  /** One account's number becomes new, or another's, or nothing. */
  async renumber(): Promise<void> {
    const [id, other] = await this.#some("account", 2);
    if (id === undefined || other === undefined) return;
    const dice = this.#chance.random();
    const number = dice < 0.4 ? this.#newNumber() : dice < 0.9 ? await this.#numberOf(other) : null;
    await this.#setNumbers([[id, number]]);
  }

  /** Two accounts change their numbers with each other. */
  async swapNumbers(): Promise<void> {
    const [a, b] = await this.#some("account", 2);
    if (a === undefined || b === undefined) return;
    await this.#setNumbers([
      [a, await this.#numberOf(b)],
      [b, await this.#numberOf(a)],
    ]);
  }

  /** One account goes, and another takes over its number; now and then over two pages of one round. */
  async merge(): Promise<void> {
    const [id, other] = await this.#some("account", 2);
    if (id === undefined || other === undefined) return;
    const number = await this.#numberOf(other);
    await this.#delete("account", [other]);
    await this.#setNumbers([[id, number]]);
    if (this.#chance.random() < 0.5) await this.change("account", 30);
  }

  async bringBack(table: Table): Promise<void> {
    const id = this.#gone[table].shift();
    if (id === undefined) return;
    await this.#control.insertRows({ table, rows: [{ id, cells: await this.#newCells(table, id) }] });
  }

  /** With many changes after it, the row and its deletion come on different pages of one round. */
  async replace(count: number): Promise<void> {
    const ids = await this.#some("contact", count);
    await this.#control.deleteRows({ table: "contact", ids });
    const rows = await Promise.all(ids.map(async (id) => ({ id, cells: await this.#newCells("contact", id) })));
    await this.#control.insertRows({ table: "contact", rows });
    if (this.#chance.random() < 0.5) await this.change("contact", 40);
  }

  async toggleFilter(): Promise<void> {
    const [id = ""] = await this.#some("account", 1);
    const row = await this.#control.row({ table: "account", id });
    if (row === undefined) return;
    const statecode = row.cells["statecode"] === 0 ? 1 : 0;
    const cells = { ...this.#cells("account", id), statecode, statuscode: statecode + 1 };
    await this.#control.updateRows({ table: "account", rows: [{ id, cells }] });
    if (statecode === 1) this.#leave(keyOf(accounts, row));
  }

  async refuse(most: number, cells: Readonly<Record<string, number>>): Promise<void> {
    if (this.#refused.size >= most) return;
    const [id = ""] = await this.#some("contact", 1);
    this.#refused.add(id);
    const rows = [{ id, cells: { ...this.#cells("contact", id), ...cells } }];
    await this.#control.updateRows({ table: "contact", rows });
  }

  async removeByHand(most: number): Promise<void> {
    if (this.deeds.removed.size >= most) return;
    const keys = await this.#some("contact", 1);
    for (const key of keys) this.deeds.removed.add(key);
    await this.#control.deleteRecords({ resource: "profile", keys });
  }

  /** Not where a key may be there twice: there, what comes in between listing and insert is doubled. */
  async makeByHand(): Promise<void> {
    const { duplicateKey } = await this.#control.setCampaignBehaviour({});
    if (duplicateKey === "accept") return;
    const id = this.#newId();
    this.deeds.orphans.add(id); // If its row goes before the workflow has ever seen it, the record stays.
    await this.#control.insertRecords({ resource: "profile", records: [{ externalId: id, lastName: "Made by hand" }] });
    await this.#control.insertRows({ table: "contact", rows: [{ id, cells: await this.#newCells("contact", id) }] });
  }

  /** What was removed by hand is only missed when it is written again. */
  async missWhatIsRemoved(): Promise<void> {
    const removed = [...this.deeds.removed].filter((id) => !this.#gone.contact.includes(id));
    const rows = removed.map((id) => ({ id, cells: { lastname: this.#nextStamp(id) } }));
    await this.#control.updateRows({ table: "contact", rows });
  }

  /** An account or its key went out of sight; nobody hears of it while accounts are not followed. */
  #leave(key: string | null): void {
    if (key === null) return;
    this.#left.add(key);
    if (!this.#areAccountsFollowed) this.deeds.orphans.add(key);
  }

  async #delete(table: Table, ids: readonly string[]): Promise<void> {
    if (table === "account") for (const id of ids) this.#leave(await this.#numberOf(id));
    await this.#control.deleteRows({ table, ids });
    this.#gone[table].push(...ids);
  }

  async #numberOf(id: string): Promise<string | null> {
    const row = await this.#control.row({ table: "account", id });
    return row === undefined ? null : keyOf(accounts, row);
  }

  async #setNumbers(numbers: readonly (readonly [id: string, number: string | null])[]): Promise<void> {
    for (const [id, number] of numbers) {
      const had = await this.#numberOf(id);
      this.#leave(had);
      if (had !== null) this.#had.set(id, [...(this.#had.get(id) ?? []), had]);
      // A row that loses its key is refused, and the record of the key that was written last stays.
      if (number === null) for (const key of this.#had.get(id) ?? []) this.deeds.orphans.add(key);
    }
    const rows = numbers.map(([id, number]) => ({
      id,
      cells: { ...this.#cells("account", id), [accountKey]: number },
    }));
    await this.#control.updateRows({ table: "account", rows });
  }

  async #some(table: Table, count: number): Promise<string[]> {
    const all: string[] = [];
    for await (const { id } of this.#control.rows({ table })) all.push(id);
    const chosen = new Set<string>();
    while (chosen.size < Math.min(count, all.length)) chosen.add(this.#chance.oneOf(all));
    return [...chosen];
  }

  #nextStamp(id: string): string {
    this.rowOf.set(++this.#stamp, id);
    return stamp(this.#stamp);
  }

  #newNumber(): string {
    return `Number ${++this.#number}`;
  }

  #newId(): string {
    return guidOf(this.#seed ^ 0x5707, ++this.#guid);
  }

  #cells(table: Table, id: string): Record<string, string | number | null> {
    const cells: Record<string, string | number | null> = { [stampColumns[table]]: this.#nextStamp(id) };
    if (table === "account")
      return this.#chance.random() < 0.3 ? { ...cells, address1_city: `City ${this.#chance.count(9)}` } : cells;
    if (this.#chance.random() < 0.3) cells["familystatuscode"] = this.#chance.oneOf([1, 2, null]);
    if (this.#chance.random() < 0.2)
      cells["emailaddress1"] = this.#chance.oneOf([null, `a${this.#chance.count(1000)}@example.com`]);
    return cells;
  }

  async #newCells(table: Table, id: string): Promise<Record<string, string | number | null>> {
    const cells = this.#cells(table, id);
    if (table === "contact") return { ...cells, firstname: `First ${this.#chance.count(100)}` };
    const [other = ""] = this.#chance.random() < 0.3 ? await this.#some("account", 1) : [];
    return { ...cells, statecode: 0, statuscode: 1, [accountKey]: (await this.#numberOf(other)) ?? this.#newNumber() };
  }
}
