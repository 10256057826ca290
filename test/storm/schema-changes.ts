/** What people change in the schemas of both sides while the workflow runs, and change back. */
import type { SandboxControl } from "../../src/sandbox/control/interface.ts";
import type { Column } from "../../src/sandbox/dataverse/schema.ts";
import type { Chance } from "./chance.ts";
import type { Chronicle } from "./chronicle.ts";
import { contacts } from "./workflow.ts";

/** The storm, as far as these need it. */
interface Stage {
  readonly control: SandboxControl;
  readonly chance: Chance;
  readonly chronicle: Chronicle;
  later(afterMs: number, work: () => Promise<unknown>): void;
  /** Whether the worker knows the schemas as they are: what it sees first, it takes for what is meant. */
  isFitted(): Promise<boolean>;
  /** Until the worker tells of a drift whose message matches. */
  isTold(message: RegExp): Promise<void>;
}

/** A column and its field that nobody changes otherwise: its values go with it, and no stamp tells of that. */
const birthDate = { column: "birthdate", field: "birthDate" } as const;
const longestAwayMs = 3000;

/** Fields whose values these change, without a new stamp of the rows. */
export const unstampedFields: ReadonlySet<string> = new Set([birthDate.field]);

export class SchemaChanges {
  readonly #stage: Stage;
  /** What is changed now, and comes back. */
  readonly #changed = new Set<string>();
  #relabelled = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** Whether something is not as it was, so that an edited mapping would be taken to be made for it. */
  get isChanged(): boolean {
    return this.#changed.size > 0;
  }

  /** A mapped column is dropped, and made again without its values. */
  dropColumn(): Promise<void> {
    const { control } = this.#stage;
    const table = contacts.table;
    return this.#forAWhile("column", async () => {
      const column = await this.#column(birthDate.column);
      await control.dropColumn({ table, column: column.name, expireTokens: this.#stage.chance.random() < 0.5 });
      return () => control.setColumn({ table, column });
    });
  }

  /** A mapped column comes back as another type, and then as what it was. */
  retypeColumn(): Promise<void> {
    const { control } = this.#stage;
    const table = contacts.table;
    return this.#forAWhile("column", async () => {
      const column = await this.#column(birthDate.column);
      const { name, label } = column;
      await control.setColumn({ table, column: { name, type: "Integer", ...(label === undefined ? {} : { label }) } });
      return () => control.setColumn({ table, column });
    });
  }

  stopTracking(): Promise<void> {
    const { control } = this.#stage;
    return this.#forAWhile("tracking", async () => {
      await control.setChangeTracking({ table: "account", enabled: false });
      return () => control.setChangeTracking({ table: "account", enabled: true });
    });
  }

  /** A mapped field is dropped, and made again empty once the worker tells of it: what nobody saw, nobody can know. */
  dropField(): Promise<void> {
    const { control } = this.#stage;
    const { resource } = contacts;
    return this.#forAWhile("field", async () => {
      const all = await control.resources();
      const field = all.find(({ name }) => name === resource)?.fields.find(({ name }) => name === "city");
      if (field === undefined) throw new RangeError("the storm's field is not there");
      await control.dropField({ resource, field: field.name });
      const told = this.#stage.isTold(/the field city of the Campaign resource profile is gone/);
      return async () => {
        await told;
        await control.setField({ resource, field });
      };
    });
  }

  /** A choice that is written by its label gets another one. */
  async relabel(): Promise<void> {
    const { control, chance, chronicle } = this.#stage;
    const column = await this.#column("preferredcontactmethodcode");
    const chosen = chance.oneOf(column.options ?? []);
    const label = `Label ${++this.#relabelled}`;
    const options = column.options?.map((option) => (option === chosen ? { ...option, label } : option)) ?? [];
    await control.setColumn({ table: contacts.table, column: { ...column, options } });
    chronicle.noteLabels(await control.tables());
  }

  async #forAWhile(what: string, change: () => Promise<() => Promise<void>>): Promise<void> {
    if (this.#changed.has(what) || !(await this.#stage.isFitted())) return;
    this.#changed.add(what);
    const back = await change();
    this.#stage.later(200 + this.#stage.chance.random() * longestAwayMs, async () => {
      await back();
      this.#changed.delete(what);
    });
  }

  async #column(name: string): Promise<Column> {
    const tables = await this.#stage.control.tables();
    const column = tables.find((table) => table.name === contacts.table)?.columns.find((one) => one.name === name);
    if (column === undefined) throw new RangeError(`the storm's column ${name} is not there`);
    return column;
  }
}
