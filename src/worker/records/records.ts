import type { Logger } from "../../telemetry/log.ts";
import type { Campaign } from "../campaign/interface.ts";
import type { Dataverse } from "../dataverse/interface.ts";
import { type MappingState, pauseOf } from "../engine/context.ts";
import { explainFilter } from "../flows/ingress/filter.ts";
import type { Plan } from "../flows/ingress/plan.ts";
import { mapRow } from "../flows/ingress/record.ts";
import { ServiceError } from "../http/service-error.ts";
import type { Queue } from "../queue/interface.ts";
import { removedInCampaign } from "../queue/reasons.ts";
import type { StoredRecord } from "../queue/stored-records.ts";
import type { DeadLettersAnswer, RecordFate, RecordsAnswer, RedriveAnswer, RedriveQuestion } from "./answers.ts";
import type { DeadLettersQuestion, RecordQuestion } from "./asked.ts";
import { DeadLetters, selectionOf } from "./dead-letters.ts";
import type { RecordDesk } from "./desk.ts";
import type { CampaignLook, SourceLook } from "./facts.ts";
import { describeFate } from "./fate.ts";
import type { LastFailures } from "./last-failures.ts";

export interface RecordsOptions {
  readonly states: readonly MappingState[];
  readonly queue: Queue;
  /** As they are: a person's question says nothing about the health of the work. */
  readonly dataverse: Dataverse;
  readonly campaign: Campaign;
  readonly failures: LastFailures;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly logger: Logger;
  /** There may be work for the writer. */
  readonly wake: () => void;
}

/** Whoever asks has no more patience, and what the store knows is told without an answer. */
const lookTimeoutMs = 10_000;
const guid = /^\{?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?$/i;

/** The row as Dataverse has it, and its key in Campaign if it can be told. */
interface Source {
  readonly look: SourceLook;
  readonly targetKey?: string;
}

/** Of a workflow of type Ingress. */
export class Records implements RecordDesk {
  readonly #options: RecordsOptions;
  readonly #deadLetters: DeadLetters;

  constructor(options: RecordsOptions) {
    this.#options = options;
    this.#deadLetters = new DeadLetters(
      options.queue,
      options.states.map(({ mapping }) => mapping.table),
    );
  }

  async fates({ key, mapping, look }: RecordQuestion): Promise<RecordsAnswer> {
    const signal = AbortSignal.timeout(lookTimeoutMs);
    const found = await Promise.all(this.#states(mapping).map((state) => this.#fatesIn(state, key, look, signal)));
    return { records: found.flat() };
  }

  deadLetters(question: DeadLettersQuestion): Promise<DeadLettersAnswer> {
    return this.#deadLetters.list(question);
  }

  async redrive(question: RedriveQuestion): Promise<RedriveAnswer> {
    const { queue, logger, wake } = this.#options;
    const { key, mapping, reason } = question;
    const states = this.#states(mapping);
    if (reason !== undefined) await this.#deadLetters.knowReason(mapping, reason);
    const selections =
      key === undefined
        ? states.map((state) => ({ mapping: state.mapping.table, reason }))
        : await this.#refusedOf(states, key, reason);
    const makesAgain = question.makeRemovedAgain === true || reason === removedInCampaign;
    let redriven = 0;
    let leftOut = 0;
    for (const selection of selections.map(selectionOf)) {
      if (reason !== removedInCampaign) {
        redriven += await queue.records.redrive({ ...selection, exceptReason: removedInCampaign }, false);
      }
      if (reason !== undefined && reason !== removedInCampaign) continue;
      const removed = { ...selection, reason: removedInCampaign };
      if (makesAgain) redriven += await queue.records.redrive(removed, true);
      else for (const { records } of await queue.records.countRefusals(removed)) leftOut += records;
    }
    logger.info("dead-letters.redriven", { mapping, reason, byKey: key !== undefined, makesAgain, redriven, leftOut });
    if (redriven > 0) wake();
    return { redriven, leftOut, message: redriveInWords(redriven, leftOut, question, states) };
  }

  async #fatesIn(state: MappingState, key: string, look: boolean, signal: AbortSignal): Promise<readonly RecordFate[]> {
    const id = guid.exec(key)?.[1]?.toLowerCase();
    const stored = await this.#options.queue.records.look(state.mapping.table, { id: id ?? key, targetKey: key });
    const asked: readonly (StoredRecord | undefined)[] = stored.length === 0 ? [undefined] : stored;
    return Promise.all(asked.map((record) => this.#fate(state, record, { id, key }, look, signal)));
  }

  async #fate(
    state: MappingState,
    stored: StoredRecord | undefined,
    asked: { readonly id: string | undefined; readonly key: string },
    look: boolean,
    signal: AbortSignal,
  ): Promise<RecordFate> {
    const { failures, now } = this.#options;
    const { mapping, checkpoint } = state;
    const id = stored?.id ?? asked.id;
    const source = await this.#source(state, id, signal);
    const targetKey = stored?.written?.targetKey ?? source.targetKey ?? asked.key;
    const campaign = look ? await this.#campaign(state, targetKey, signal) : undefined;
    const lastFailure = stored?.pending && failures.get(mapping.table, stored.id);
    const pause = pauseOf(state);
    const facts = {
      mapping,
      source: source.look,
      readsTable: checkpoint.snapshot !== undefined,
      now: now(),
      ...(stored === undefined ? {} : { stored }),
      ...(campaign === undefined ? {} : { campaign }),
      ...(lastFailure === undefined ? {} : { lastFailure }),
      ...(pause === undefined ? {} : { pause }),
    };
    return describeFate(facts, id);
  }

  async #source({ plan, mapping }: MappingState, id: string | undefined, signal: AbortSignal): Promise<Source> {
    if (id === undefined || !guid.test(id)) {
      const why =
        "This is no Dataverse id, so Dataverse was not asked. Ask again by the row's id: what was filtered out, or refused before it was ever written, is known by that alone.";
      return { look: { kind: "NotAsked", why } };
    }
    if (plan === undefined) {
      const why = `The mapping ${mapping.table} is not fitted to both systems, so Dataverse was not asked. Ask again when it is.`;
      return { look: { kind: "NotAsked", why } };
    }
    const { table, columns, labels } = plan;
    try {
      const record = await this.#options.dataverse.readRecord(table, id, columns, labels, signal);
      return record === undefined ? { look: { kind: "Gone" } } : sourceOf(plan, record.version, record.row);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      return {
        look: { kind: "NoAnswer", why: `Dataverse did not answer, ${error.code}: ${error.message}. Ask again.` },
      };
    }
  }

  async #campaign({ mapping }: MappingState, value: string, signal: AbortSignal): Promise<CampaignLook> {
    const { resource, key } = mapping;
    try {
      const found = await this.#options.campaign.findByKey({ resource, field: key.field, value }, signal);
      return { kind: "Found", records: found.length };
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      return { kind: "NoAnswer", why: `Campaign did not answer, ${error.code}: ${error.message}` };
    }
  }

  async #refusedOf(states: readonly MappingState[], key: string, reason: string | undefined) {
    const { records } = this.#options.queue;
    const id = guid.exec(key)?.[1]?.toLowerCase() ?? key;
    const found = await Promise.all(
      states.map(async ({ mapping: { table } }) =>
        (await records.look(table, { id, targetKey: key })).map((record) => ({
          mapping: table,
          id: record.id,
          reason,
        })),
      ),
    );
    return found.flat();
  }

  #states(mapping: string | undefined): readonly MappingState[] {
    const asked = this.#deadLetters.mappings(mapping);
    return this.#options.states.filter((state) => asked.includes(state.mapping.table));
  }
}

function sourceOf(plan: Plan, version: bigint, row: Parameters<typeof mapRow>[1]): Source {
  const mapped = mapRow(plan, row);
  switch (mapped.kind) {
    case "Mapped":
      return { look: { kind: "Found", version, row: { kind: "Mapped" } }, targetKey: mapped.targetKey };
    case "Refused":
      return { look: { kind: "Found", version, row: { kind: "Refused", message: mapped.refusal.message } } };
    case "FilteredOut": {
      const { filter } = plan.mapping;
      const conditions = filter === undefined ? [] : explainFilter(filter, plan.table.columns, row);
      return { look: { kind: "Found", version, row: { kind: "FilteredOut", conditions } } };
    }
  }
}

function redriveInWords(
  redriven: number,
  leftOut: number,
  { key, makeRemovedAgain }: RedriveQuestion,
  states: readonly MappingState[],
): string {
  const sentences = [
    redriven > 0
      ? `${records(redriven)} queued again: each is read from Dataverse anew at its turn.`
      : leftOut === 0 && key !== undefined
        ? "No dead letter has this key. One that was never written is known by its Dataverse id alone."
        : "Nothing was queued again.",
  ];
  if (leftOut > 0) {
    sentences.push(
      `${records(leftOut)} left out: removed by somebody in Campaign. If that was for a privacy request, leave it at that. ` +
        `If not, and they are to be made again, ask with --yes or --reason ${removedInCampaign}.`,
    );
  } else if (makeRemovedAgain && redriven > 0) {
    sentences.push("What was removed in Campaign is made again there.");
  }
  for (const state of redriven > 0 ? states : []) {
    const pause = pauseOf(state);
    if (pause !== undefined)
      sentences.push(`Nothing of ${state.mapping.table} moves now, ${pause.reason}: ${pause.message}.`);
  }
  return sentences.join(" ");
}

function records(count: number): string {
  return count === 1 ? "1 record" : `${count} records`;
}
