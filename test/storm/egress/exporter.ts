/** Campaign's export workflows: what each of their files says, and how it is called. */
import type { Chance } from "../chance.ts";
import type { Pen } from "../exports/text.ts";
import type { Contacts } from "./contacts.ts";
import type { EventLog, LogName, Mention } from "./event-log.ts";
import { type LogExport, writeExport, writeOther } from "./export-text.ts";

export class Exporter {
  readonly #pen: Pen;
  readonly #log: EventLog;
  readonly #contacts: Contacts;
  readonly #chance: Chance;
  #named = 0;

  constructor(pen: Pen, log: EventLog, contacts: Contacts, chance: Chance) {
    this.#pen = pen;
    this.#log = log;
    this.#contacts = contacts;
    this.#chance = chance;
  }

  anyLog(): LogName {
    return this.#chance.oneOf(["delivery", "delivery", "tracking"] as const);
  }

  /** With a time, as Campaign adds it, that is not always later than the last; now and then with none. */
  newName(log: LogName): string {
    this.#named += 1;
    if (this.#chance.random() < 0.1) return `${log} ${this.#named}.txt`;
    const minute = Math.max(0, this.#named + (this.#chance.random() < 0.2 ? -this.#chance.count(5) : 0));
    const two = (number: number) => String(number).padStart(2, "0");
    return `${log}_logs_20260731_${two(Math.floor(minute / 60))}${two(minute % 60)} ${this.#named}.txt`;
  }

  /** New entries, and some that were there before. @param padded lines are long, so that the file takes several reads */
  fresh(log: LogName, count: number, padded = false): LogExport {
    const mentions: Mention[] = [];
    for (let n = 0; n < count; n++) {
      mentions.push(this.#log.happen(log, this.#contacts.any(), padded));
      if (this.#chance.random() < 0.2) mentions.push(...[this.#log.changeOne(log) ?? []].flat());
    }
    return writeExport(this.#pen, log, mentions, this.#chance);
  }

  /** Entries that were there before, changed. */
  changed(log: LogName, count: number): LogExport {
    const mentions = Array.from({ length: count }, () => this.#log.changeOne(log) ?? []).flat();
    return writeExport(this.#pen, log, mentions, this.#chance);
  }

  /** A file that is not to be read. */
  other(): LogExport {
    return writeOther(this.#pen, this.anyLog(), this.#chance);
  }
}
