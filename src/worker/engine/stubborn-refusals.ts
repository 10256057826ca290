import type { EngineSettings } from "./settings.ts";

interface Stubborn {
  readonly answer: string;
  /** Refusals that each came after another record was written, and how many were written then. */
  readonly times: number;
  readonly written: number;
  /** Refusals that each came after Campaign answered something else, the first and the last of them. */
  readonly quietTimes: number;
  readonly quietSince: number;
  readonly refusedAt: number;
}

/**
 * Tells a record whose content Campaign's engine cannot take from an engine in trouble, where both are answered with the
 * same 500: a record is the cause when it meets the same answer again and again while others are written in between.
 *
 * Where nothing else is written there is no such proof: an engine whose database takes no writes for a while (a
 * maintenance, a full disk) answers everything that only reads, and a 500 to every write. So in a quiet workflow a record
 * is the cause only when all of this holds:
 * - it meets the same answer for longer than any such trouble is left alone: `stubbornForMs`, a day;
 * - between every two of these answers Campaign answered something else, if only the question that readiness asks. What
 *   shows as an outage in any other way begins the day anew;
 * - fewer records than a wave has meet such answers at the same time: a trouble of the engine meets every record that
 *   changes, and in a day they are many.
 *
 * Of one mapping, and in memory: after a restart it is counted anew.
 */
export class StubbornRefusals {
  readonly #limits: Pick<EngineSettings, "stubbornRefusals" | "stubbornForMs" | "waveRefusals">;
  /** By record; the one that was refused last stands last. */
  readonly #records = new Map<string, Stubborn>();
  #written = 0;

  constructor(limits: Pick<EngineSettings, "stubbornRefusals" | "stubbornForMs" | "waveRefusals">) {
    this.#limits = limits;
  }

  /** Another record was written. */
  written(): void {
    this.#written += 1;
  }

  /**
   * @param at on the engine's clock: the refusal, and the last answer of Campaign's that was none like it
   * @returns why the record is the cause, in words; it is forgotten then
   */
  refused(
    id: string,
    answer: string,
    at: { readonly now: number; readonly answeredAt: number | undefined },
  ): string | undefined {
    const { stubbornRefusals, stubbornForMs, waveRefusals } = this.#limits;
    const known = this.#records.get(id);
    this.#records.delete(id);
    const record = counted(known?.answer === answer ? known : undefined, answer, this.#written, at);
    if (record.times >= stubbornRefusals) return "other records were written";
    const isLong = record.quietTimes >= stubbornRefusals && at.now - record.quietSince >= stubbornForMs;
    if (isLong && this.#records.size + 1 < waveRefusals) return "Campaign answered everything else";
    this.#records.set(id, record);
    if (this.#records.size > mostRecords) this.#records.delete(this.#records.keys().next().value ?? "");
    return undefined;
  }

  /** The record met something else. */
  forget(id: string): void {
    this.#records.delete(id);
  }
}

function counted(
  known: Stubborn | undefined,
  answer: string,
  written: number,
  { now, answeredAt }: { readonly now: number; readonly answeredAt: number | undefined },
): Stubborn {
  if (known === undefined) {
    return { answer, times: 1, written, quietTimes: 1, quietSince: now, refusedAt: now };
  }
  const isAnswered = answeredAt !== undefined && answeredAt > known.refusedAt;
  return {
    answer,
    times: known.written === written ? known.times : known.times + 1,
    written,
    quietTimes: isAnswered ? known.quietTimes + 1 : 1,
    quietSince: isAnswered ? known.quietSince : now,
    refusedAt: now,
  };
}

/** So that memory is flat; who is pushed out is counted anew. */
const mostRecords = 10_000;
