/** Campaign's export workflow of opt-outs: profiles whose opt-outs changed since the last time, as documented. */
import type { OptOutNames } from "../../../src/sandbox/campaign/standard-resources.ts";
import type { ControlRecord, SandboxControl } from "../../../src/sandbox/control/interface.ts";
import type { Chance } from "../chance.ts";
import { assembled, type Draft, type ExportText, joined, type Pen, writtenTime } from "../exports/text.ts";
import { fieldOn, pairs } from "./pairs.ts";
import { key, resource } from "./people.ts";

/** What a line means: who looks for the profile, or why nothing can be understood. */
export type LineMeaning = "Look" | "Nothing" | "ValueUnknown" | "NoTime" | "ColumnCount";
export type OptOutExport = ExportText<LineMeaning>;

const words = [
  ["true", "false"],
  ["1", "0"],
  ["yes", "no"],
] as const;

export class OptOutExporter {
  /** Whether the exports tell when each opt-out changed. */
  readonly hasTimes: boolean;
  readonly #control: SandboxControl;
  readonly #chance: Chance;
  readonly #names: OptOutNames;
  readonly #pen: Pen;
  /** Profiles whose line was spoilt: they are told again. */
  readonly #again = new Set<unknown>();
  #lastMs = 0;
  #named = 0;

  constructor(control: SandboxControl, chance: Chance, names: OptOutNames, pen: Pen) {
    this.#control = control;
    this.#chance = chance;
    this.#names = names;
    this.#pen = pen;
    this.hasTimes = chance.random() < 0.8;
  }

  newName(): string {
    this.#named += 1;
    return `opt_outs_20260731_${String(this.#named).padStart(4, "0")}.txt`;
  }

  /** What changed since the last time. @param how `Last`: nothing is spoilt; `All`: nor is anything left out */
  async export(how: "Usual" | "Last" | "All" = "Usual"): Promise<OptOutExport> {
    const since = how === "All" ? 0 : this.#lastMs;
    const isWhole = how !== "Usual";
    this.#lastMs = Date.now();
    const changed: ControlRecord[] = [];
    for await (const record of this.#control.records({ resource })) {
      const isNews = Math.max(...Object.values(record.changedAt ?? {})) >= since;
      const isAgain = this.#again.delete(record.values[key]);
      if (isNews || isAgain || (!isWhole && this.#chance.random() < 0.1)) changed.push(record);
    }
    const fields = pairs.map(({ field }) => fieldOn(this.#names, field));
    const timesOf = this.hasTimes ? fields.map((field) => `${field}Time`) : [];
    const header: Draft<LineMeaning> = { text: joined(this.#pen, ["contactId", ...fields, ...timesOf, "comment"]) };
    return assembled(this.#pen, [header, ...changed.map((record) => this.#line(record, fields, isWhole))]);
  }

  #line({ values, changedAt }: ControlRecord, fields: readonly string[], isWhole: boolean): Draft<LineMeaning> {
    const chance = this.#chance;
    const [yes, no] = chance.oneOf(words);
    const id = String(values[key] ?? "");
    const cells = [
      chance.random() < 0.1 ? id.toUpperCase() : id,
      ...fields.map((field) => (values[field] === true ? yes : no)),
      ...(this.hasTimes ? fields.map((field) => writtenTime(this.#pen, new Date(changedAt?.[field] ?? 0))) : []),
      "as agreed",
    ];
    const dice = isWhole ? 1 : chance.random();
    if (dice < 0.06) this.#again.add(values[key]);
    const spoilt = (n: number, value: string) => joined(this.#pen, cells.with(n, value));
    if (id !== "" && dice < 0.02) return { text: spoilt(1, "perhaps"), meaning: "ValueUnknown" };
    if (id !== "" && this.hasTimes && dice < 0.04) return { text: spoilt(-2, "lately"), meaning: "NoTime" };
    if (dice < 0.06) return { text: joined(this.#pen, cells.slice(1)), meaning: "ColumnCount" };
    return { text: joined(this.#pen, cells), meaning: id === "" ? "Nothing" : "Look" };
  }
}
