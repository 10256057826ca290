/** The activities in Dataverse, and what people do to them. */
import type { ControlRow, SandboxControl } from "../../../src/sandbox/control/interface.ts";
import type { Chance } from "../chance.ts";
import { type Kind, kinds } from "./event-log.ts";

/** By kind and id. */
export type Rows = Readonly<Record<Kind, ReadonlyMap<string, ControlRow>>>;

/** What people did to activities, by id. */
export interface ActivityDeeds {
  /** The row's version after the last edit. */
  readonly edited: Map<string, number>;
  readonly removed: Set<string>;
}

const tables: Readonly<Record<Kind, string>> = {
  send: "adobe_emailsend",
  open: "adobe_emailopen",
  click: "adobe_emailurlclick",
  bounce: "adobe_emailbounce",
};

export class Activities {
  readonly deeds: ActivityDeeds = { edited: new Map(), removed: new Set() };
  readonly #control: SandboxControl;
  readonly #chance: Chance;

  constructor(control: SandboxControl, chance: Chance) {
    this.#control = control;
    this.#chance = chance;
  }

  async all(): Promise<Rows> {
    const rows = { send: new Map(), open: new Map(), click: new Map(), bounce: new Map() };
    for (const kind of kinds) {
      for await (const row of this.#control.rows({ table: tables[kind] })) rows[kind].set(row.id, row);
    }
    return rows;
  }

  async edit(): Promise<void> {
    const [kind, id] = (await this.#any()) ?? [];
    if (kind === undefined || id === undefined) return;
    const table = tables[kind];
    const cells = { subject: `By hand ${this.#chance.count(999)}`, adobe_campaignname: "By hand" };
    await this.#control.updateRows({ table, rows: [{ id, cells }] });
    const row = await this.#control.row({ table, id });
    if (row !== undefined) this.deeds.edited.set(id, row.version);
  }

  /** It may come back when its event is exported again. */
  async remove(): Promise<void> {
    const [kind, id] = (await this.#any()) ?? [];
    if (kind === undefined || id === undefined) return;
    this.deeds.removed.add(id);
    this.deeds.edited.delete(id);
    await this.#control.deleteRows({ table: tables[kind], ids: [id] });
  }

  async #any(): Promise<readonly [Kind, string] | undefined> {
    const rows = await this.all();
    const there = kinds.flatMap((kind) => [...rows[kind].keys()].map((id) => [kind, id] as const));
    return there.length === 0 ? undefined : this.#chance.oneOf(there);
  }
}
