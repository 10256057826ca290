/** What people do to contacts and profiles. The sandbox's log of writes remembers it. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { OptOutNames } from "../../../src/sandbox/campaign/standard-resources.ts";
import type { SandboxControl } from "../../../src/sandbox/control/interface.ts";
import type { Chance } from "../chance.ts";
import { fieldOn, pairs } from "./pairs.ts";

export const table = "contact";
export const resource = "profile";
export const key = "externalId";
/** In a common second, or just not. */
const mostApartMs = 1300;

type Later = (afterMs: number, work: () => Promise<unknown>) => void;

export class People {
  readonly #control: SandboxControl;
  readonly #chance: Chance;
  readonly #names: OptOutNames;
  readonly #later: Later;
  readonly #removedContacts: string[] = [];
  #touched = 0;

  constructor(control: SandboxControl, chance: Chance, names: OptOutNames, later: Later) {
    this.#control = control;
    this.#chance = chance;
    this.#names = names;
    this.#later = later;
  }

  /** Most contacts have a profile; some profiles have no contact. */
  async begin(): Promise<void> {
    for (const id of await this.contacts()) {
      await this.setContact(id, Object.fromEntries(pairs.map(({ column }) => [column, this.#any()])));
      if (this.#chance.random() < 0.85) await this.#insertProfile(id);
    }
    for (let n = 0; n < 3; n++) await this.#insertProfile(randomUUID());
  }

  async contacts(): Promise<readonly string[]> {
    const ids: string[] = [];
    for await (const { id } of this.#control.rows({ table })) ids.push(id);
    return ids;
  }

  async editContact(): Promise<void> {
    const id = await this.#contact();
    if (id !== undefined) await this.setContact(id, this.#cells());
  }

  /** Something else of it. */
  async touchContact(id?: string): Promise<void> {
    const one = id ?? (await this.#contact());
    this.#touched += 1;
    if (one !== undefined) await this.setContact(one, { jobtitle: `Job ${this.#touched}` });
  }

  async editProfile(): Promise<void> {
    const id = await this.#profile();
    if (id !== undefined) await this.setProfile(id, this.#values());
  }

  async touchProfile(id?: string): Promise<void> {
    const one = id ?? (await this.#profile());
    this.#touched += 1;
    if (one !== undefined) await this.setProfile(one, { lastName: `Name ${this.#touched}` });
  }

  /** One pair changes on both sides, nearly at the same time, to the same or not. */
  async collide(): Promise<void> {
    const id = await this.#profile();
    if (id === undefined) return;
    const { column, field } = this.#chance.oneOf(pairs);
    const [inDynamics, inCampaign] = [this.#any(), this.#any()];
    const dynamics = () => this.setContact(id, { [column]: inDynamics });
    const campaign = () => this.setProfile(id, { [fieldOn(this.#names, field)]: inCampaign });
    const [first, second] = this.#chance.random() < 0.5 ? [dynamics, campaign] : [campaign, dynamics];
    await first();
    this.#later(this.#chance.random() * mostApartMs, second);
  }

  /** Somebody cannot decide. */
  async waver(): Promise<void> {
    const id = await this.#profile();
    if (id === undefined) return;
    const { column, field } = this.#chance.oneOf(pairs);
    const isContact = this.#chance.random() < 0.5;
    let value = this.#any();
    const pauses = Array.from({ length: 1 + this.#chance.count(3) }, () => this.#chance.random() * 600);
    this.#later(0, async () => {
      for (const pause of pauses) {
        if (isContact) await this.setContact(id, { [column]: value });
        else await this.setProfile(id, { [fieldOn(this.#names, field)]: value });
        value = !value;
        await sleep(pause);
      }
    });
  }

  /** Somebody who is opted out in both systems opts in, in Campaign. @returns who it was */
  async optIn(): Promise<string | undefined> {
    const out: { readonly id: string; readonly field: string }[] = [];
    for await (const { id, cells } of this.#control.rows({ table })) {
      const [profile] = await this.#control.findRecords({ resource, key: id });
      for (const { column, field } of pairs) {
        const name = fieldOn(this.#names, field);
        if (cells[column] === true && profile?.values[name] === true) out.push({ id, field: name });
      }
    }
    if (out.length === 0) return undefined;
    const { id, field } = this.#chance.oneOf(out);
    await this.setProfile(id, { [field]: false });
    return id;
  }

  async addContact(): Promise<void> {
    const cells = { lastname: "Added", ...this.#cells() };
    const [id = ""] = await this.#control.insertRows({ table, rows: [{ cells }] });
    if (this.#chance.random() < 0.5) this.#later(this.#chance.random() * 1500, () => this.#insertProfile(id));
  }

  async removeContact(): Promise<void> {
    const id = await this.#contact();
    if (id === undefined) return;
    this.#removedContacts.push(id);
    await this.#control.deleteRows({ table, ids: [id] });
  }

  /** One that was removed is made again under its id. */
  async remakeContact(): Promise<void> {
    const id = this.#removedContacts.shift();
    if (id !== undefined) await this.#control.insertRows({ table, rows: [{ id, cells: this.#cells() }] });
  }

  async removeProfile(): Promise<void> {
    const id = await this.#profile();
    if (id !== undefined) await this.#control.deleteRecords({ resource, keys: [id] });
  }

  /** One is made for a contact that has none, be it again. */
  async makeProfile(): Promise<void> {
    const have = new Set(await this.#profiles());
    const without = (await this.contacts()).filter((id) => !have.has(id));
    if (without.length > 0) await this.#insertProfile(this.#chance.oneOf(without));
  }

  /** At once, so that nobody may have seen that it was away. */
  async replaceProfile(): Promise<void> {
    const id = await this.#profile();
    if (id === undefined) return;
    await this.#control.deleteRecords({ resource, keys: [id] });
    await this.#insertProfile(id);
  }

  /** A profile that went meanwhile is passed over. */
  async setProfile(id: string, values: Readonly<Record<string, unknown>>): Promise<void> {
    if ((await this.#control.findRecords({ resource, key: id })).length === 1)
      await this.#control.updateRecord({ resource, key: id, values });
  }

  /** A contact that went meanwhile is passed over. */
  async setContact(id: string, cells: Readonly<Record<string, string | boolean | null>>): Promise<void> {
    if ((await this.#control.row({ table, id })) !== undefined)
      await this.#control.updateRows({ table, rows: [{ id, cells }] });
  }

  async #insertProfile(id: string): Promise<void> {
    if ((await this.#control.findRecords({ resource, key: id })).length > 0) return;
    const isNew = this.#chance.random() < 0.6;
    const values = isNew ? {} : this.#values();
    await this.#control.insertRecords({ resource, records: [{ [key]: id, lastName: "Made", ...values }] });
  }

  /** One to three columns. */
  #cells(): Record<string, boolean | null> {
    const some = pairs.filter(() => this.#chance.random() < 0.5);
    const those = some.length === 0 ? [this.#chance.oneOf(pairs)] : some;
    return Object.fromEntries(those.map(({ column }) => [column, this.#chance.random() < 0.05 ? null : this.#any()]));
  }

  #values(): Record<string, boolean> {
    const some = pairs.filter(() => this.#chance.random() < 0.5);
    const those = some.length === 0 ? [this.#chance.oneOf(pairs)] : some;
    return Object.fromEntries(those.map(({ field }) => [fieldOn(this.#names, field), this.#any()]));
  }

  #any(): boolean {
    return this.#chance.random() < 0.5;
  }

  async #contact(): Promise<string | undefined> {
    const ids = await this.contacts();
    return ids.length === 0 ? undefined : this.#chance.oneOf(ids);
  }

  async #profiles(): Promise<readonly string[]> {
    const ids: string[] = [];
    for await (const { values } of this.#control.records({ resource })) ids.push(String(values[key]));
    return ids;
  }

  /** Of one that has a contact. */
  async #profile(): Promise<string | undefined> {
    const have = new Set(await this.contacts());
    const ids = (await this.#profiles()).filter((id) => have.has(id));
    return ids.length === 0 ? undefined : this.#chance.oneOf(ids);
  }
}
