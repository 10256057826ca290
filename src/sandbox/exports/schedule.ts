import type { Logger } from "../../telemetry/log.ts";

/** Something that is done again and again, one at a time, until it is stopped or its pace is changed. */
export class Schedule {
  readonly #work: (everySeconds: number) => Promise<unknown>;
  readonly #name: string;
  readonly #logger: Logger;
  #everySeconds = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param work is told its pace */
  constructor(name: string, work: (everySeconds: number) => Promise<unknown>, logger: Logger) {
    this.#name = name;
    this.#work = work;
    this.#logger = logger;
  }

  get everySeconds(): number {
    return this.#everySeconds;
  }

  /** @param everySeconds 0: never */
  set(everySeconds: number): void {
    this.#everySeconds = everySeconds;
    clearTimeout(this.#timer);
    if (everySeconds > 0) this.#timer = setTimeout(() => void this.#turn(), everySeconds * 1000);
  }

  async #turn(): Promise<void> {
    const timer = this.#timer;
    try {
      await this.#work(this.#everySeconds);
    } catch (error) {
      this.#logger.error(`${this.#name} failed`, { error });
    }
    // Nobody set another pace meanwhile.
    if (this.#timer === timer) this.set(this.#everySeconds);
  }
}
