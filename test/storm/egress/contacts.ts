/** The contacts, and when each was there. */
import type { ControlRow, SandboxControl } from "../../../src/sandbox/control/interface.ts";
import type { Chance } from "../chance.ts";

const table = "contact";

export class Contacts {
  readonly #control: SandboxControl;
  readonly #chance: Chance;
  readonly #nowMs: () => number;
  /** Since when each is there without a break; undefined: it is not. */
  readonly #since = new Map<string, number | undefined>();
  readonly #gone = new Map<string, ControlRow>();

  constructor(control: SandboxControl, chance: Chance, nowMs: () => number) {
    this.#control = control;
    this.#chance = chance;
    this.#nowMs = nowMs;
  }

  async begin(): Promise<void> {
    for await (const { id } of this.#control.rows({ table })) this.#since.set(id, 0);
  }

  /** One that is there, now and then one that is not, or never was. */
  any(): string {
    if (this.#chance.random() < 0.02) return "99999999-9999-4999-8999-999999999999";
    return this.#chance.oneOf([...this.#since.keys()]);
  }

  /** Whether it is there, and was all the time since then. */
  wasThereSince(id: string, ms: number): boolean {
    const since = this.#since.get(id);
    return since !== undefined && since <= ms;
  }

  async remove(count: number): Promise<void> {
    for (let n = 0; n < count; n++) {
      const there = [...this.#since].filter(([, since]) => since !== undefined).map(([id]) => id);
      const id = this.#chance.oneOf(there);
      const row = await this.#control.row({ table, id });
      if (row !== undefined) this.#gone.set(id, row);
      this.#since.set(id, undefined);
      await this.#control.deleteRows({ table, ids: [id] });
    }
  }

  /** One that was removed comes back under its id. */
  async bringBack(): Promise<void> {
    const gone = [...this.#gone.values()];
    if (gone.length === 0) return;
    const { id, cells } = this.#chance.oneOf(gone);
    this.#gone.delete(id);
    await this.#control.insertRows({ table, rows: [{ id, cells }] });
    this.#since.set(id, this.#nowMs());
  }
}
