import { sleep } from "../../../telemetry/clock.ts";
import { scan } from "../../exports/scan.ts";
import { SftpError } from "../../sftp/errors.ts";
import { fatalOf } from "../fatal.ts";
import type { EgressContext } from "./context.ts";
import { storedFolder, storedProgress } from "./intake.ts";
import { type LineRules, outcomesOf } from "./lines.ts";
import type { QueuedEvent } from "./queued-event.ts";

/** `Searching`: ask again; `Gone`: for minutes no file that was read to its end has it. */
export type Search = QueuedEvent | "Searching" | "Gone";

const lookEveryMs = 1000;
/** So that memory is flat: what is beyond it is searched afterwards. */
const mostAtOnce = 5000;
/** A file that has it may be there and not be read yet: it is to stand still for a minute first. */
const patienceMs = 150_000;
/** ... or wait, for its end or for its turn; some files never end. */
const longestPatienceMs = 3_600_000;
/** What nobody asked for in this time is not wanted any more. */
const forgottenAfterMs = 600_000;

interface Asked {
  /** The first and the last time, on the engine's clock. */
  readonly since: number;
  readonly at: number;
  readonly version: bigint | undefined;
}

/**
 * Finds the events that the queue knows by their ids alone, in the files that they came from: of an event that was
 * refused nothing is kept. Each search reads the files from the newest on, for all that are wanted, until it has them.
 */
export class EventSearch {
  readonly #context: EgressContext;
  readonly #rules: LineRules;
  readonly #asked = new Map<string, Asked>();
  readonly #found = new Map<string, QueuedEvent>();
  readonly #gone = new Set<string>();

  /** @param rules whatever its time is: it was in the queue before */
  constructor(context: EgressContext, rules: Omit<LineRules, "since">) {
    this.#context = context;
    this.#rules = { ...rules, since: new Date(0) };
  }

  /** @param version another one: a newer file has it, so it is searched anew */
  ask(id: string, version: bigint | undefined): Search {
    const before = this.#asked.get(id);
    if (before !== undefined && before.version !== version) this.forget(id);
    const now = this.#context.clock.now();
    const since = this.#asked.get(id)?.since ?? now;
    if (this.#asked.has(id) || this.#asked.size < mostAtOnce) this.#asked.set(id, { since, at: now, version });
    return this.#gone.has(id) ? "Gone" : (this.#found.get(id) ?? "Searching");
  }

  /** Its turn has ended. */
  forget(id: string): void {
    this.#asked.delete(id);
    this.#found.delete(id);
    this.#gone.delete(id);
  }

  /** Searches for what is asked for, until `end` aborts. @throws FatalError */
  async run(end: AbortSignal): Promise<void> {
    const { clock, settings, logger } = this.#context;
    while (!end.aborted) {
      let pauseMs = lookEveryMs;
      try {
        if ((await this.#search(end)) > 0) pauseMs = settings.pollIntervalMs;
      } catch (error) {
        if (end.aborted) return;
        const fatal = fatalOf(error);
        if (fatal !== undefined) throw fatal;
        pauseMs = settings.pollIntervalMs;
        // What the server does is the reader's to tell.
        if (!(error instanceof SftpError)) logger.warn("events.not-searched", { tryAgainMs: pauseMs, error });
      }
      await sleep(clock, pauseMs, end);
    }
  }

  /** @returns how many are still to be found */
  async #search(signal: AbortSignal): Promise<number> {
    const { clock, sftp, exports, logger } = this.#context;
    for (const [id, { at }] of this.#asked) if (clock.now() - at > forgottenAfterMs) this.forget(id);
    const wanted = new Set([...this.#asked.keys()].filter((id) => !this.#found.has(id) && !this.#gone.has(id)));
    if (wanted.size === 0) return 0;
    const asked = wanted.size;
    const { queue } = this.#context;
    const progress = await storedProgress(queue);
    // Before the search: a file that is read meanwhile is not searched.
    const waiting = storedFolder(await queue.checkpoints())?.waiting ?? 0;
    const place = { sftp, folder: exports.path, format: exports.format, progress };
    for await (const { file, columns, rows } of scan(place, () => true, signal)) {
      for (const outcome of outcomesOf(file.name, columns, rows, this.#rules)) {
        if (outcome.is === "Event" && wanted.delete(outcome.id)) this.#found.set(outcome.id, outcome.queued);
      }
      if (wanted.size === 0) break;
    }
    const found = asked - wanted.size;
    for (const id of wanted) {
      const since = this.#asked.get(id)?.since ?? clock.now();
      if (clock.now() - since < (waiting > 0 ? longestPatienceMs : patienceMs)) continue;
      wanted.delete(id);
      this.#gone.add(id);
    }
    logger.info("events.searched", { asked, found, gone: asked - found - wanted.size });
    return wanted.size;
  }
}
