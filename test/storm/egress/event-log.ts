/** What happened to the emails of a Campaign, and what its logs say of it: entry by entry, each mentioned as often as it changed. */
import type { Chance } from "../chance.ts";

export const kinds = ["send", "open", "click", "bounce"] as const;
export type Kind = (typeof kinds)[number];
export type LogName = "delivery" | "tracking";

/** What an activity must say. */
export interface EmailEvent {
  readonly kind: Kind;
  readonly logId: string;
  /** As the log has it: a contact's id, however it is written, or something that is none. */
  readonly contactKey: string;
  readonly occurredAt: Date;
  readonly campaignId: string;
  readonly campaignName: string;
  readonly deliveryId: string;
  readonly deliveryName: string;
  readonly mirrorPageUrl: string;
  readonly trackingUrl: string;
}

/** What a line means: an event, none, or nothing that can be understood. */
export type Meaning =
  | { readonly is: "Event"; readonly event: EmailEvent }
  | { readonly is: "Nothing" }
  /** `kind`: only where this kind is looked for is the line refused. */
  | { readonly is: "Refused"; readonly why: Refusal; readonly kind?: Kind };

export type Refusal = "QuoteBroken" | "ColumnCount" | "NotInEncoding" | "ValueMissing" | "ValueUnknown" | "NoTime";

/** A mention of a log's entry: a line of an export, not yet written. */
export interface Mention {
  readonly log: LogName;
  /** By column; the time is written when the format is known. */
  readonly values: Readonly<Record<string, string>>;
  readonly occurredAt: Date;
  readonly meaning: Meaning;
}

interface Entry {
  readonly log: LogName;
  readonly logId: string;
  readonly contactKey: string;
  /** How often it was mentioned. */
  mentions: number;
}

/** Longer than any that a column of the tables takes would be refused. */
const longestUrl = 1900;
const june = Date.UTC(2026, 5, 1);
const dayMs = 86_400_000;
const names = [
  "Spring",
  "Spring, again",
  'The "new" one',
  "Été à la mer",
  "Two\nlines",
  "Más; mejor",
  "Tab\there",
  " A b ",
];

export class EventLog {
  readonly #chance: Chance;
  readonly #entries: Entry[] = [];

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  /** Something happens to an email to the contact. @param padded the line is long */
  happen(log: LogName, contactId: string, padded = false): Mention {
    const entry = {
      log,
      logId: String(1000 + this.#entries.length),
      contactKey: this.#written(contactId),
      mentions: 0,
    };
    this.#entries.push(entry);
    return this.#mention(entry, padded);
  }

  /** An entry that was mentioned before is so again, changed. */
  changeOne(log: LogName): Mention | undefined {
    const those = this.#entries.filter((entry) => entry.log === log);
    return those.length === 0 ? undefined : this.#mention(this.#chance.oneOf(those), false);
  }

  /** Ids are written as people and systems write them. */
  #written(contactId: string): string {
    const dice = this.#chance.random();
    if (dice < 0.02) return "C-4711";
    if (dice < 0.1) return contactId.toUpperCase();
    return dice < 0.15 ? `{${contactId}}` : contactId;
  }

  #mention(entry: Entry, padded: boolean): Mention {
    const chance = this.#chance;
    entry.mentions += 1;
    const { log, logId, contactKey, mentions } = entry;
    // Most in July, some in June. Whole seconds, as exports have them.
    const occurredAt = new Date(june + Math.floor((20 + chance.random() * 40) * (dayMs / 1000)) * 1000);
    const campaign = chance.random() < 0.8 ? `CMP${chance.count(9)}` : "";
    const isNamed = chance.random() < 0.8;
    const mirror = `https://t.example/${log}/${logId}/${mentions}?p=${padded ? "x".repeat(longestUrl) : chance.count(99)}`;
    const values = {
      contactId: chance.random() < 0.03 ? "" : contactKey,
      campaignId: campaign,
      campaignName: campaign !== "" && isNamed ? chance.oneOf(names) : "",
      deliveryId: `DM${chance.count(99)}`,
      deliveryName: isNamed ? chance.oneOf(names) : "",
      mirrorPageUrl: chance.random() < 0.9 || padded ? mirror : "",
    };
    const own = log === "delivery" ? this.#delivery(logId) : this.#tracking(logId);
    const all = { ...values, ...own.values };
    const trackingUrl = own.kind === "click" ? own.values["trackingUrl"] : "";
    const { contactId, ...told } = values;
    const event =
      own.kind === undefined || contactId === ""
        ? undefined
        : {
            kind: own.kind,
            logId,
            contactKey,
            occurredAt,
            ...told,
            // Where a name is missing, the id stands for it.
            campaignName: told.campaignName.trim() || told.campaignId,
            deliveryName: told.deliveryName.trim() || told.deliveryId,
            trackingUrl: trackingUrl ?? "",
          };
    const mention = { log, values: all, occurredAt };
    if (chance.random() < 0.04) return this.#spoilt(mention, own.kind, contactId !== "");
    return { ...mention, meaning: event === undefined ? { is: "Nothing" } : { is: "Event", event } };
  }

  #delivery(logId: string): { readonly kind: Kind | undefined; readonly values: Record<string, string> } {
    const [kind, status, failureType] = this.#chance.oneOf([
      ["send", "Sent", ""],
      ["send", "sent", ""],
      ["send", "Sent", ""],
      ["send", "SENT", "Soft"],
      ["bounce", "Failed", "Hard"],
      ["bounce", "failed", "hard"],
      [undefined, "Failed", "Soft"],
      [undefined, "Pending", ""],
      [undefined, "Taken into account by the service provider", ""],
    ] as const);
    return { kind, values: { deliveryLogId: logId, status, failureType } };
  }

  #tracking(logId: string): { readonly kind: Kind | undefined; readonly values: Record<string, string> } {
    const [kind, urlType] = this.#chance.oneOf([
      ["open", "Open"],
      ["open", "open"],
      ["click", "Email click"],
      ["click", "Email Click"],
      [undefined, "Mirror page"],
      [undefined, "Opt-out"],
    ] as const);
    const trackingUrl = kind === "click" ? `https://shop.example/${logId}?a=1,2;3&b="x"` : "";
    return { kind, values: { trackingLogId: logId, urlType, trackingUrl } };
  }

  /** A value that is missing, or is not what stands in such a column. Nothing else is wrong with the line. */
  #spoilt(mention: Omit<Mention, "meaning">, kind: Kind | undefined, hasContact: boolean): Mention {
    const word = mention.log === "delivery" ? "status" : "urlType";
    const refused = (column: string, value: string, why: Refusal, of?: Kind): Mention => ({
      ...mention,
      values: { ...mention.values, [column]: value },
      meaning: { is: "Refused", why, ...(of === undefined ? {} : { kind: of }) },
    });
    const ways = [() => refused(word, "", "ValueMissing"), () => refused(word, "Envoi", "ValueUnknown")];
    if (kind !== undefined && hasContact) {
      ways.push(() => refused("deliveryId", "", "ValueMissing", kind));
      ways.push(() => refused("eventDate", "yesterday", "NoTime", kind));
    }
    return this.#chance.oneOf(ways)();
  }
}
