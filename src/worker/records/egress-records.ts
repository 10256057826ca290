import type { Logger } from "../../telemetry/log.ts";
import type { Lookups } from "../dataverse/lookups.ts";
import { contactsOf } from "../engine/egress/contacts.ts";
import { exportsMapping, type Fit, type KindState, pauseOf } from "../engine/egress/context.ts";
import { eventId } from "../flows/egress/events.ts";
import { ServiceError } from "../http/service-error.ts";
import type { Queue } from "../queue/interface.ts";
import type { StoredRecord } from "../queue/stored-records.ts";
import type { DeadLettersAnswer, Match, RecordFate, RecordsAnswer, RedriveAnswer, RedriveQuestion } from "./answers.ts";
import type { DeadLettersQuestion, RecordQuestion } from "./asked.ts";
import { DeadLetters, selectionOf } from "./dead-letters.ts";
import type { RecordDesk } from "./desk.ts";
import { eventFate, type Found } from "./event-fate.ts";

export interface EgressRecordsOptions {
  readonly states: readonly KindState[];
  /** Campaign's, as configured. */
  readonly instanceUrl: string;
  readonly queue: Queue;
  /** As they are: a person's question says nothing about the health of the work. */
  readonly lookups: Pick<Lookups, "idsByKey">;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly logger: Logger;
}

/** Whoever asks has no more patience, and what the store knows is told without an answer. */
const lookTimeoutMs = 10_000;
/** Of a contact's, in each table. */
const mostActivities = 5;
const guid = /^\{?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?$/i;

/**
 * Of a workflow of type Egress. A key is an activity's id in Dataverse, the id of its log in Campaign, or the key of the
 * contact that it is about.
 */
export class EgressRecords implements RecordDesk {
  readonly #options: EgressRecordsOptions;
  readonly #deadLetters: DeadLetters;

  constructor(options: EgressRecordsOptions) {
    this.#options = options;
    this.#deadLetters = new DeadLetters(options.queue, [...options.states.map(({ kind }) => kind), exportsMapping]);
  }

  async fates({ key, mapping }: RecordQuestion): Promise<RecordsAnswer> {
    const asked = this.#deadLetters.mappings(mapping);
    const signal = AbortSignal.timeout(lookTimeoutMs);
    const states = this.#options.states.filter(({ kind }) => asked.includes(kind));
    const found = await Promise.all(states.map((state) => this.#fatesOf(state, key, signal)));
    const lines = asked.includes(exportsMapping) ? await this.#line(key, asked.length === 1) : [];
    return { records: [...found.flat(), ...lines] };
  }

  deadLetters(question: DeadLettersQuestion): Promise<DeadLettersAnswer> {
    return this.#deadLetters.list(question);
  }

  async redrive({ key, mapping, reason }: RedriveQuestion): Promise<RedriveAnswer> {
    const { queue, logger } = this.#options;
    const mappings = this.#deadLetters.mappings(mapping);
    if (reason !== undefined) await this.#deadLetters.knowReason(mapping, reason);
    let redriven = 0;
    for (const one of mappings) {
      for (const id of key === undefined ? [undefined] : this.#idsOf(one, key).keys()) {
        redriven += await queue.records.redrive(selectionOf({ mapping: one, id, reason }), false);
      }
    }
    logger.info("dead-letters.redriven", { mapping, reason, byKey: key !== undefined, redriven });
    return { redriven, leftOut: 0, message: redriveInWords(redriven, key) };
  }

  /** The ids that a key may stand for, and as what. */
  #idsOf(mapping: string, key: string): ReadonlyMap<string, Match> {
    const state = this.#options.states.find(({ kind }) => kind === mapping);
    if (state === undefined) return new Map([[key, "CampaignKey"]]);
    const ids = new Map<string, Match>([[eventId(this.#options.instanceUrl, state.kind, key), "CampaignKey"]]);
    const id = guid.exec(key)?.[1]?.toLowerCase();
    return id === undefined ? ids : ids.set(id, "DataverseId");
  }

  async #fatesOf(state: KindState, key: string, signal: AbortSignal): Promise<readonly RecordFate[]> {
    const { queue, now } = this.#options;
    const { kind, fit } = state;
    const stored = new Map<string, StoredRecord>();
    for (const id of this.#idsOf(kind, key).keys()) {
      // What waits is found by its contact's key too.
      for (const record of await queue.records.look(kind, { id, targetKey: key })) stored.set(record.id, record);
    }
    const matches = new Map<string, Match>([...stored.keys()].map((id) => [id, "ContactKey"]));
    for (const [id, match] of this.#idsOf(kind, key)) matches.set(id, match);
    const { ids, why } = await this.#inDataverse(fit, [...matches.keys()], key, signal);
    for (const id of ids.keys()) if (!matches.has(id)) matches.set(id, "ContactKey");
    const pause = pauseOf(state);
    const ground = {
      kind,
      table: fit?.table.table ?? kind,
      now: now(),
      why,
      ...(pause === undefined ? {} : { pause }),
    };
    const found = [...matches].flatMap(([id, foundBy]): Found[] => {
      const record = stored.get(id);
      if (record === undefined && !ids.has(id)) return [];
      const isThere = why === undefined ? ids.has(id) : undefined;
      return [{ id, foundBy, isThere, ...(record === undefined ? {} : { stored: record }) }];
    });
    return found.length === 0 ? [eventFate(undefined, ground)] : found.map((one) => eventFate(one, ground));
  }

  /**
   * Of a line that was refused: it is no event yet.
   * @param isAskedAlone whoever asks for nothing else is also told that there is none
   */
  async #line(key: string, isAskedAlone: boolean): Promise<readonly RecordFate[]> {
    const { queue, now } = this.#options;
    const lines = await queue.records.look(exportsMapping, { id: key, targetKey: key });
    const ground = { kind: exportsMapping, table: exportsMapping, now: now(), why: undefined };
    const found = lines.map((stored): Found => ({ id: stored.id, foundBy: "CampaignKey", isThere: false, stored }));
    return (found.length === 0 && isAskedAlone ? [undefined] : found).map((one) => {
      const { id: _, ...fate } = eventFate(one, ground); // Its name is no id of Dataverse.
      return { ...fate, dataverse: { state: "NotAsked", message: "A refused line is no event yet." } };
    });
  }

  /** Which activities are there: of these ids, and of the contact that has the key; or why that is not known. */
  async #inDataverse(
    fit: Fit | undefined,
    asked: readonly string[],
    key: string,
    signal: AbortSignal,
  ): Promise<{ readonly ids: ReadonlySet<string>; readonly why: string | undefined }> {
    const { lookups } = this.#options;
    const ids = new Set<string>();
    if (fit === undefined) {
      return { ids, why: "Its table does not fit, so Dataverse was not asked. Ask again when it does." };
    }
    try {
      const { table, contactKey } = fit;
      const idColumn = { name: table.primaryId, type: "Uniqueidentifier" } as const;
      for (const [id, rows] of await lookups.idsByKey(table, idColumn, asked, signal)) {
        if (rows instanceof ServiceError) throw rows;
        if (rows.length > 0) ids.add(id);
      }
      const contact = (await contactsOf([key], contactKey, lookups, signal))(key);
      if (contact instanceof ServiceError) throw contact;
      if (!("id" in contact)) return { ids, why: undefined };
      const regarding = { name: "_regardingobjectid_value", type: "Uniqueidentifier" } as const;
      const about = await lookups.idsByKey(table, regarding, [contact.id], signal);
      const those = about.get(contact.id) ?? [];
      if (those instanceof ServiceError) throw those;
      for (const id of those.slice(0, mostActivities)) ids.add(id);
      return { ids, why: undefined };
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      return { ids, why: `Dataverse did not answer, ${error.code}: ${error.message}. Ask again.` };
    }
  }
}

function redriveInWords(redriven: number, key: string | undefined): string {
  if (redriven > 0) {
    const what = redriven === 1 ? "1 dead letter" : `${redriven} dead letters`;
    return `${what} queued again: each is read again from the exported file that has it. What no file has any longer is refused as EventGone or LineGone.`;
  }
  return key === undefined
    ? "Nothing was queued again."
    : "No dead letter has this key: it is the id of an activity, the id of its log in Campaign, or a refused line as the list shows it.";
}
