import type { LastWords } from "../../api/worker-contract.ts";
import { parseLastWords } from "../health/last-words.ts";
import { isEnding } from "../sight/ownership.ts";
import { withRefusal } from "../sight/refusals.ts";
import { isUnfinished } from "../sight/remains.ts";
import type { Memory, OwnedKind, PodSeen, Refusal, WorkerPoll } from "../sight/snapshot.ts";

/** What is remembered of one workflow: for `decide`, and for the shell. */
export interface Remembered {
  readonly memory: Memory;
  /** Names that a create found taken, by an object that the caches do not hold. */
  readonly taken: ReadonlySet<string>;
  /** Objects that were written, by kind: a cache that has not seen them must not be decided on. */
  readonly written: ReadonlyMap<string, ReadonlySet<string>>;
  /** Writes that the API server refused and that can be done without, as `printOf` writes them down. */
  readonly refused: ReadonlySet<string>;
  /** Plans in a row that could not be carried out. */
  readonly failures: number;
}

/** What one leadership remembers of all workflows, by `namespace/name`. */
export class Memories {
  readonly #uids = new Map<string, string>();
  readonly #byKey = new Map<string, { -readonly [K in keyof Remembered]: Remembered[K] }>();

  of(key: string): Remembered {
    return this.#byKey.get(key) ?? nothing;
  }

  /** What is remembered is of this resource: of another that had its name before, all is forgotten. */
  meet(key: string, uid: string): void {
    const known = this.#uids.get(key);
    if (known !== undefined && known !== uid) this.forget(key);
    this.#uids.set(key, uid);
  }

  /** Of a workflow that is gone. @returns whether it was met */
  forget(key: string): boolean {
    this.#byKey.delete(key);
    return this.#uids.delete(key);
  }

  note(key: string, more: Partial<Memory>): void {
    const present = this.#at(key);
    present.memory = { ...present.memory, ...more };
  }

  notePoll(key: string, poll: WorkerPoll): void {
    this.note(key, { poll });
  }

  noteRefusal(key: string, refusal: Omit<Refusal, "inARow">): void {
    this.note(key, { refusal: withRefusal(this.of(key).memory.refusal, refusal) });
  }

  /** Listens for the last words of a pod that ends for good: the latest of a run count, and silence after them undoes them. */
  hear(key: string, pod: PodSeen): void {
    const { run, worker } = pod;
    const isOver = isEnding(pod.metadata) || !isUnfinished(pod);
    if (!isOver || run === undefined || worker?.ended === undefined || worker.running || worker.waiting !== undefined)
      return;
    const { ended } = worker;
    const finishedAtMs = ended.finishedAtMs ?? 0;
    const { lastWords } = this.of(key).memory;
    if (lastWords?.run === run && lastWords.finishedAtMs > finishedAtMs) return;
    const words = parseLastWords(ended.message);
    const graceful = ended.exitCode === 0 && words !== undefined;
    this.note(key, { lastWords: { run, finishedAtMs, graceful, words: words ?? silence } });
  }

  noteTaken(key: string, kind: OwnedKind, name: string): void {
    const present = this.#at(key);
    present.taken = new Set([...present.taken, `${kind}/${name}`]);
  }

  noteFree(key: string, kind: OwnedKind, name: string): void {
    const present = this.#at(key);
    present.taken = new Set([...present.taken].filter((entry) => entry !== `${kind}/${name}`));
  }

  noteWritten(key: string, kind: string, objectKey: string): void {
    const present = this.#at(key);
    const keys = new Set([...(present.written.get(kind) ?? []), objectKey]);
    present.written = new Map([...present.written, [kind, keys]]);
  }

  /** The caches have seen everything that was written. */
  noteSeen(key: string): void {
    const present = this.#byKey.get(key);
    if (present !== undefined) present.written = nothing.written;
  }

  noteRefused(key: string, write: string): void {
    const present = this.#at(key);
    present.refused = new Set([...present.refused, write]);
  }

  /** @returns how many plans in a row could not be carried out */
  noteOutcome(key: string, outcome: "done" | "again"): number {
    const present = this.#at(key);
    present.failures = outcome === "done" ? 0 : present.failures + 1;
    return present.failures;
  }

  #at(key: string): { -readonly [K in keyof Remembered]: Remembered[K] } {
    const present = this.#byKey.get(key) ?? { ...nothing };
    this.#byKey.set(key, present);
    return present;
  }
}

const silence: LastWords = { reason: "Unknown", message: "" };

const nothing: Remembered = { memory: {}, taken: new Set(), written: new Map(), refused: new Set(), failures: 0 };
