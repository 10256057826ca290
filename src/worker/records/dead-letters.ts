import type { Queue } from "../queue/interface.ts";
import type { RefusalPlace, RefusalSelection } from "../queue/stored-records.ts";
import type { DeadLettersAnswer } from "./answers.ts";
import { AskedWronglyError, type DeadLettersQuestion } from "./asked.ts";

/** What was refused for good, of whichever flow. */
export class DeadLetters {
  readonly #queue: Queue;
  readonly #mappings: readonly string[];

  /** @param mappings of the workflow, as the queue names them */
  constructor(queue: Queue, mappings: readonly string[]) {
    this.#queue = queue;
    this.#mappings = mappings;
  }

  /** @throws AskedWronglyError */
  async list({ mapping, reason, limit, before }: DeadLettersQuestion): Promise<DeadLettersAnswer> {
    const { records } = this.#queue;
    this.mappings(mapping);
    const selection = selectionOf({ mapping, reason });
    const counts = await records.countRefusals(selection);
    if (reason !== undefined && counts.length === 0) await this.knowReason(mapping, reason);
    const found = await records.refusals(selection, limit + 1, before === undefined ? undefined : placeOf(before));
    const shown = found.slice(0, limit);
    const last = shown.at(-1);
    return {
      counts,
      deadLetters: shown.map(({ mapping: table, id, reason: why, message, refusedAt, version }) => ({
        mapping: table,
        id,
        reason: why,
        message,
        since: new Date(refusedAt).toISOString(),
        ...(version === undefined ? {} : { version: String(version) }),
      })),
      ...(found.length > limit && last !== undefined ? { before: nameOf(last) } : {}),
    };
  }

  /** Those that are asked for. @throws AskedWronglyError */
  mappings(asked: string | undefined): readonly string[] {
    if (asked === undefined) return this.#mappings;
    if (this.#mappings.includes(asked)) return [asked];
    throw new AskedWronglyError(
      "UnknownMapping",
      `this workflow maps no table ${JSON.stringify(asked)}: it maps ${this.#mappings.join(", ")}`,
    );
  }

  /** @throws AskedWronglyError when nothing was refused for it */
  async knowReason(mapping: string | undefined, reason: string): Promise<void> {
    const counts = await this.#queue.records.countRefusals(selectionOf({ mapping }));
    const reasons = [...new Set(counts.map((count) => count.reason))];
    if (reasons.includes(reason)) return;
    const there = reasons.length === 0 ? "there are no dead letters" : `the reasons there are: ${reasons.join(", ")}`;
    throw new AskedWronglyError("UnknownReason", `no dead letter has the reason ${JSON.stringify(reason)}: ${there}`);
  }
}

export function selectionOf({
  mapping,
  id,
  reason,
}: {
  [name in keyof RefusalSelection]: string | undefined;
}): RefusalSelection {
  return {
    ...(mapping === undefined ? {} : { mapping }),
    ...(id === undefined ? {} : { id }),
    ...(reason === undefined ? {} : { reason }),
  };
}

/** A place in the list as text that can stand in an address. */
function nameOf({ refusedAt, mapping, id }: RefusalPlace): string {
  return Buffer.from(JSON.stringify([refusedAt, mapping, id])).toString("base64url");
}

/** @throws AskedWronglyError */
function placeOf(name: string): RefusalPlace {
  try {
    const [refusedAt, mapping, id]: unknown[] = JSON.parse(Buffer.from(name, "base64url").toString("utf8"));
    if (typeof refusedAt === "number" && typeof mapping === "string" && typeof id === "string") {
      return { refusedAt, mapping, id };
    }
  } catch {
    // Said below.
  }
  throw new AskedWronglyError(
    "BadQuestion",
    "before is not a place that an earlier answer has named: begin without it",
  );
}
