import type { Logger } from "../../telemetry/log.ts";
import type { Dataverse } from "../dataverse/interface.ts";
import {
  contactsMapping,
  exportsMapping,
  type FlowState,
  pauseOf,
  profileResource,
} from "../engine/opt-in-out/context.ts";
import { type Kept, keptOf, nothingKept } from "../flows/opt-in-out/kept.ts";
import { ServiceError } from "../http/service-error.ts";
import type { Queue } from "../queue/interface.ts";
import type { StoredRecord } from "../queue/stored-records.ts";
import type {
  DeadLettersAnswer,
  Fate,
  LastFailure,
  RecordFate,
  RecordsAnswer,
  RedriveAnswer,
  RedriveQuestion,
} from "./answers.ts";
import type { DeadLettersQuestion, RecordQuestion } from "./asked.ts";
import { DeadLetters, selectionOf } from "./dead-letters.ts";
import type { RecordDesk } from "./desk.ts";
import { time } from "./facts.ts";
import type { LastFailures } from "./last-failures.ts";

export interface ContactRecordsOptions {
  readonly state: FlowState;
  readonly queue: Queue;
  /** As it is: a person's question says nothing about the health of the work. */
  readonly dataverse: Dataverse;
  readonly failures: LastFailures;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly logger: Logger;
}

/** Whoever asks has no more patience, and what the store knows is told without an answer. */
const lookTimeoutMs = 10_000;
const guid = /^\{?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?$/i;

/** Of a workflow of type OptInOut. A key is a contact's id, which is also the key of its profile. */
export class ContactRecords implements RecordDesk {
  readonly #options: ContactRecordsOptions;
  readonly #deadLetters: DeadLetters;

  constructor(options: ContactRecordsOptions) {
    this.#options = options;
    this.#deadLetters = new DeadLetters(options.queue, [contactsMapping, exportsMapping]);
  }

  async fates({ key, mapping }: RecordQuestion): Promise<RecordsAnswer> {
    const { queue, state, failures, now } = this.#options;
    if (!this.#deadLetters.mappings(mapping).includes(contactsMapping)) return { records: [] };
    const id = guid.exec(key)?.[1]?.toLowerCase();
    const found = await queue.records.look(contactsMapping, { id: id ?? key, targetKey: id ?? key });
    const [stored] = found;
    const agreement = (await queue.contacts.agreements(contactsMapping, [id ?? key])).get(id ?? key);
    const facts = {
      stored,
      kept: agreement === undefined ? nothingKept : keptOf(agreement),
      isKnown: agreement !== undefined,
      failure: failures.get(contactsMapping, id ?? key),
      pause: pauseOf(state),
      now: now(),
    };
    return { records: [contactFate(id, await this.#dataverse(id), facts)] };
  }

  deadLetters(question: DeadLettersQuestion): Promise<DeadLettersAnswer> {
    return this.#deadLetters.list(question);
  }

  /** Contacts are never refused for good, and a line that was is told again by the next export. */
  async redrive({ mapping, reason }: RedriveQuestion): Promise<RedriveAnswer> {
    const counts = await this.#options.queue.records.countRefusals(selectionOf({ mapping, reason }));
    const leftOut = counts.reduce((sum, { records }) => sum + records, 0);
    const message =
      "Nothing was queued again: contacts are tried until they are done. A refused line of an exported file comes right when Campaign exports it again.";
    return { redriven: 0, leftOut, message };
  }

  async #dataverse(id: string | undefined): Promise<RecordFate["dataverse"]> {
    const { plan } = this.#options.state;
    if (id === undefined) return { state: "NotAsked", message: "This is no contact's id, so Dataverse was not asked." };
    if (plan === undefined) {
      return { state: "NotAsked", message: "The pairs are not fitted to both systems, so Dataverse was not asked." };
    }
    try {
      const signal = AbortSignal.timeout(lookTimeoutMs);
      const record = await this.#options.dataverse.readRecord(plan.table, id, plan.columns, false, signal);
      return record === undefined ? { state: "Gone" } : { state: "Found", version: String(record.version) };
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      return { state: "NoAnswer", message: `Dataverse did not answer, ${error.code}: ${error.message}. Ask again.` };
    }
  }
}

interface ContactFacts {
  /** What waits of it. */
  readonly stored: StoredRecord | undefined;
  readonly kept: Kept;
  readonly isKnown: boolean;
  readonly failure: LastFailure | undefined;
  readonly pause: { readonly reason: string; readonly message: string } | undefined;
  readonly now: number;
}

function contactFate(id: string | undefined, dataverse: RecordFate["dataverse"], facts: ContactFacts): RecordFate {
  const { stored, kept, isKnown, failure, pause, now } = facts;
  const pending = stored?.pending;
  const fate: Fate = pending === undefined ? (isKnown ? "Written" : "NotSeen") : kept.parked ? "Parked" : "Waiting";
  return {
    mapping: contactsMapping,
    resource: profileResource,
    ...(id === undefined ? {} : { id }),
    foundBy: isKnown || stored !== undefined ? ["DataverseId"] : [],
    fate,
    ...words(fate, facts),
    ...(pending === undefined
      ? {}
      : {
          waiting: {
            since: time(pending.firstReadAt),
            attempts: pending.attempts,
            ...(pending.dueInMs > 0 ? { nextTry: time(now + pending.dueInMs) } : {}),
            ...(failure === undefined ? {} : { lastFailure: failure }),
          },
        }),
    dataverse,
    ...(pause === undefined ? {} : { paused: pause }),
  };
}

function words(fate: Fate, { stored, kept, failure, pause }: ContactFacts): { summary: string; next: string } {
  const agreed = agreedInWords(kept);
  const audit = "Why, is in the audit.";
  switch (fate) {
    case "Parked":
      return {
        summary: `opted out in Dynamics (${kept.parked?.fields.join(", ")}) since ${time(kept.parked?.since ?? 0)}, and Campaign has no profile for it: the opt-out waits for one; ${agreed}`,
        next: "Nothing to do: when a profile with the contact's id in the key field is made, it is opted out.",
      };
    case "Waiting": {
      const why = failure === undefined ? "" : `, the last time ${failure.code}: ${failure.message}`;
      const stands = pause === undefined ? "" : ` Nothing moves now, ${pause.reason}: ${pause.message}.`;
      return {
        summary: `waits to be decided, tried ${stored?.pending?.attempts ?? 0} times${why}; ${agreed}`,
        next: `${failure === undefined ? "Nothing to do: its turn comes." : "Mend what the message names: it is tried again by itself."}${stands}`,
      };
    }
    case "Written":
      return { summary: `nothing waits; ${agreed}`, next: audit };
    default:
      return {
        summary: "not seen: nothing of a contact with this id waits or was agreed",
        next: "Ask by the contact's id.",
      };
  }
}

function agreedInWords({ agreement: { values, unanswered } }: Kept): string {
  const parts = [...values].map(([field, value]) => `${field} ${value ? "opted out" : "not opted out"}`);
  const open = unanswered.size === 0 ? "" : `; a write of ${[...unanswered].join(", ")} was not answered`;
  return parts.length === 0 ? `nothing is agreed${open}` : `agreed: ${parts.join(", ")}${open}`;
}
