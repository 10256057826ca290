/** The runs of a workflow that is told something else now and then: what each was told, when it was, how it ended. */
import type { Course } from "./course.ts";
import type { Flow } from "./ground.ts";

export interface Span {
  readonly fromMs: number;
  /** undefined: it still runs. */
  readonly toMs: number | undefined;
}

export interface RunsOptions<Instructions> {
  /** On the clock that the judgement goes by. */
  readonly nowMs: () => number;
  /** What the workflow says now, to the run that begins and to the judge. */
  readonly telling: () => { readonly flow: Flow; readonly told: Instructions };
  /** What is told may change before the next run. */
  readonly change: () => void;
}

export class Runs<Instructions extends object> {
  readonly #course: Course;
  readonly #options: RunsOptions<Instructions>;
  readonly #all: (Instructions & { readonly fromMs: number; toMs: number | undefined })[] = [];

  constructor(course: Course, options: RunsOptions<Instructions>) {
    this.#course = course;
    this.#options = options;
  }

  get all(): readonly (Instructions & Span)[] {
    return this.#all;
  }

  begin(): void {
    const { flow, told } = this.#options.telling();
    this.#all.push({ ...told, fromMs: this.#options.nowMs(), toMs: undefined });
    this.#course.begin(flow);
  }

  async kill(): Promise<void> {
    await this.#mostlyAtWork();
    await this.#killNow();
  }

  /** As soon as something is so. @param isSo begins when the worker is at work */
  async killWhen(isSo: () => Promise<void>): Promise<void> {
    await this.#course.isAtWork();
    await isSo();
    await this.#killNow();
  }

  /** Now and then the next run begins before this one has ended. */
  async stop(): Promise<void> {
    const { workers, chance } = this.#course;
    await this.#mostlyAtWork();
    const overlaps = chance.random() < 0.3;
    const ending = this.#all.length;
    if (overlaps) this.#next();
    await this.#course.stop(workers, !overlaps);
    this.#noteEnds(ending);
    if (!overlaps) this.#next();
  }

  /** No run follows by itself. */
  async end(): Promise<void> {
    await this.#course.stop(this.#course.workers, true);
    this.#noteEnds(this.#all.length);
  }

  async #mostlyAtWork(): Promise<void> {
    if (this.#course.chance.random() < 0.8) await this.#course.isAtWork();
  }

  async #killNow(): Promise<void> {
    await this.#course.workers.kill();
    this.#noteEnds(this.#all.length);
    this.#next();
  }

  #next(): void {
    this.#options.change();
    this.begin();
  }

  #noteEnds(count: number): void {
    for (const run of this.#all.slice(0, count)) run.toMs ??= this.#options.nowMs();
  }
}
