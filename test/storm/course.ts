/** The course of a storm over one workflow: its runs, what happens later, what went wrong. What it moves is not known here. */
import { setTimeout as sleep } from "node:timers/promises";
import type { SandboxControl } from "../../src/sandbox/control/interface.ts";
import { Chance } from "./chance.ts";
import { type Flow, type Ground, type MakeStore, onlyWorkflow, type StartOptions } from "./ground.ts";
import { Rest, type RestOptions } from "./rest.ts";
import type { UnderWeather } from "./service-weather.ts";
import type { Store, StoreFigures } from "./store.ts";
import type { StoreStage } from "./store-weather.ts";
import type { WorkerProcess } from "./worker-process.ts";
import type { Workers } from "./workers.ts";

/** A worker gives up what it waits for within its grace period of 10 s; on a busy machine the rest of its way takes time. */
const stopWithinMs = 30_000;
/** Whatever keeps a process from its queue is over by then, mostly. */
const atWorkWithinMs = 5000;

export interface StormOptions {
  readonly seed: number;
  readonly contacts: number;
  /** How many things happen. */
  readonly happenings: number;
  /** How long everything may take to come a step nearer to rest once nothing happens any more. */
  readonly calmSeconds: number;
  readonly makeStore: MakeStore;
}

export interface StormResult {
  /** One sentence each; empty: the worker kept its promise. */
  readonly faults: readonly string[];
  /** What happened, in order. */
  readonly diary: readonly string[];
  /** What could not happen here, and why. */
  readonly leftOut: readonly string[];
  /** Until all was as it must be. */
  readonly secondsToCalm: number;
  readonly workerLog: string;
}

export interface CourseOptions extends StartOptions {
  /** Calls until now that are to come to an end: those that write. */
  readonly calls: () => Promise<number>;
}

export class Course implements UnderWeather, StoreStage {
  readonly control: SandboxControl;
  readonly chance: Chance;
  readonly spells = new Set<unknown>();
  readonly #ground: Ground;
  readonly #calls: () => Promise<number>;
  readonly #startOptions: StartOptions;
  readonly #startedAt = performance.now();
  readonly #later: Promise<unknown>[] = [];
  readonly #diary: string[] = [];
  readonly #faults: string[] = [];
  #workers: Workers | undefined;
  #isFull = false;

  constructor(ground: Ground, seed: number, { calls, ...startOptions }: CourseOptions) {
    this.#ground = ground;
    this.#calls = calls;
    this.#startOptions = startOptions;
    this.control = ground.sandbox.control;
    this.chance = new Chance(seed);
  }

  get store(): Store {
    return this.#ground.store;
  }

  get workers(): Workers {
    if (this.#workers === undefined) throw new Error("no run has begun");
    return this.#workers;
  }

  get faults(): readonly string[] {
    return this.#faults;
  }

  get diary(): readonly string[] {
    return this.#diary;
  }

  get nowMs(): number {
    return Math.round(performance.now() - this.#startedAt);
  }

  get log(): string {
    return this.#ground.log();
  }

  note(what: string): void {
    this.#diary.push(`${this.nowMs} ms: ${what}`);
  }

  noteFault(...faults: readonly string[]): void {
    this.#faults.push(...faults);
  }

  /** @param calmMs until all was as it must be */
  resultOf(calmMs: number): StormResult {
    const { noVolume } = this.store;
    const leftOut = noVolume === undefined ? [] : [`a full volume: ${noVolume}`];
    const { faults, diary, log } = this;
    return { faults, diary, leftOut, secondsToCalm: calmMs / 1000, workerLog: log };
  }

  later(afterMs: number, work: () => Promise<unknown>): void {
    const done = sleep(afterMs).then(work);
    done.catch(() => undefined); // Whoever waits for it hears of it.
    this.#later.push(done);
  }

  /** Until all that was to come later has come. */
  async isOver(): Promise<void> {
    for (let n = 0; n < this.#later.length; n++) await this.#later[n];
  }

  /** The next run; those before may still be ending. */
  begin(flow: Flow): void {
    this.#workers = this.#ground.start(flow, this.#startOptions);
  }

  /** Until all that do not stand still do what they are for, or soon: a storm over those who sleep finds nothing. */
  async isAtWork(): Promise<void> {
    for (const until = performance.now() + atWorkWithinMs; performance.now() < until; await sleep(50)) {
      const members = this.workers.members.filter(({ isPaused, hasEnded }) => !isPaused && !hasEnded);
      const statuses = await Promise.all(members.map((member) => member.status()));
      if (!statuses.includes(undefined)) return;
    }
  }

  async lookForEnds(): Promise<void> {
    const ended = this.workers.endedByItself;
    if (ended !== undefined) this.noteFault(`the worker ended by itself: ${await ended.exit}`);
  }

  /** Until a call that writes arrives, or soon. */
  async writing(withinMs = 500): Promise<void> {
    const before = await this.#calls();
    const until = performance.now() + withinMs;
    while (performance.now() < until && (await this.#calls()) === before) await sleep(1);
  }

  /** Checks how one of several ended, and begins another in its place. */
  async stopOne(worker: WorkerProcess): Promise<void> {
    if (worker.hasEnded) return; // It was killed, and its successor has yet to come.
    const { hasBegun } = worker;
    const { workers } = this;
    await this.#checkEnd(worker, await worker.stop(stopWithinMs), hasBegun);
    workers.replace(worker);
  }

  /** @param checkStore whether nobody else has the store then */
  async stop(workers: Workers, checkStore: boolean): Promise<void> {
    const begun = new Set(workers.members.filter(({ hasBegun }) => hasBegun));
    for (const [worker, code] of await workers.stop(stopWithinMs)) {
      if (!(await this.#checkEnd(worker, code, begun.has(worker)))) continue;
      if (!checkStore || workers.members.length > 1) continue;
      // It may have been stopped before its queue was open, or while nobody could count.
      const { backlog } = worker.lastWords();
      const figures = backlog === undefined ? undefined : await this.figures();
      if (figures === undefined || figures.pending === backlog) continue;
      this.noteFault(`the last words say ${backlog}, the store has ${figures.pending}`);
    }
  }

  figures(): Promise<StoreFigures | undefined> {
    return this.store.figures(onlyWorkflow);
  }

  /** Not a page is left on the store's volume, for a while. */
  fillVolume(): void {
    if (this.store.noVolume !== undefined || this.#isFull) return;
    this.#isFull = true;
    this.store.fill();
    this.later(300 + this.chance.random() * 1500, async () => {
      await this.store.makeRoom();
      this.#isFull = false;
    });
  }

  /** Nothing is in the services' or their ways' hands any more. */
  async calm(): Promise<void> {
    await this.isOver();
    await this.control.clearFaults();
    for (const side of ["dataverse", "campaign"] as const) await this.control.setGate({ side, state: "open" });
  }

  async rest(options: Omit<RestOptions, "workers" | "calls">, withinSeconds: number): Promise<void> {
    if (this.#faults.length > 0) return;
    const rest = new Rest({ workers: this.workers, calls: this.#calls, ...options });
    this.noteFault(...(await rest.faults(withinSeconds)));
  }

  /** @returns whether it ended as it should, with last words */
  async #checkEnd(worker: WorkerProcess, code: number | string, hadBegun: boolean): Promise<boolean> {
    if (code === "SIGTERM" && !hadBegun) return false; // Before its first line of code.
    if (code === 0) return true;
    if (code === "late" && !worker.hasOpened) {
      await worker.kill(); // While others keep it out of the store it does not hear: so does the kubelet end it.
      return false;
    }
    this.noteFault(`SIGTERM ended with ${code}: ${worker.log.split("\n").slice(-4).join(" ").slice(-1500)}`);
    await worker.kill();
    return false;
  }
}
