import type { Told } from "../../api/worker-metadata.ts";
import type { Clock } from "../../telemetry/clock.ts";

/** So long an answer stands: nobody publishes a change more often. */
const freshMs = 5 * 60_000;
/** What is missing or refused may be mended while somebody looks. */
const shortMs = 15_000;
/** What one workflow can map, on both sides, and the two lists. */
const mostKept = 192;
/** Questions that reach a system, a minute: whoever asks for names at random is not worth more calls. */
const mostAMinute = 200;
const atOnce = 4;

interface Kept {
  answer: Told<object>;
  atMs: number;
  asking: Promise<void> | undefined;
}

/** Answers that are kept for a while, and asked for only so often. */
export class KeptAnswers {
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();
  readonly #waiting: (() => void)[] = [];
  #asked: number[] = [];
  #active = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * What is known now; what is not known, or not any longer, is asked for. An answer that is out of date stands until the new
   * one is there.
   * @param load never rejects
   */
  look<Content extends object>(key: string, load: () => Promise<Told<Content>>): Told<Content> {
    const kept = this.#kept.get(key) ?? { answer: { is: "Asked" }, atMs: 0, asking: undefined };
    if (kept.asking === undefined && !this.#isFresh(kept) && this.#mayAsk()) {
      // The oldest go first.
      this.#kept.delete(key);
      this.#kept.set(key, kept);
      for (const name of this.#kept.keys()) if (this.#kept.size > mostKept) this.#kept.delete(name);
      kept.asking = this.#inTurn(load).then((answer) => {
        kept.answer = answer;
        kept.atMs = this.#clock.now();
        kept.asking = undefined;
      });
    }
    return kept.answer as Told<Content>; // Each key has its own kind of answer.
  }

  /** Resolves when nothing of these is being asked for. */
  async settled(keys: readonly string[]): Promise<void> {
    await Promise.all(keys.map((key) => this.#kept.get(key)?.asking));
  }

  #isFresh({ answer, atMs }: Kept): boolean {
    if (answer.is === "Asked") return false;
    return this.#clock.now() - atMs < (answer.is === "Told" ? freshMs : shortMs);
  }

  #mayAsk(): boolean {
    const now = this.#clock.now();
    this.#asked = this.#asked.filter((atMs) => now - atMs < 60_000);
    if (this.#asked.length >= mostAMinute) return false;
    this.#asked.push(now);
    return true;
  }

  async #inTurn<Content>(load: () => Promise<Told<Content>>): Promise<Told<Content>> {
    if (this.#active >= atOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#active += 1;
    try {
      return await load();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#active -= 1;
      else next();
    }
  }
}
