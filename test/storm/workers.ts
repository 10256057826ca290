/** The processes of one run of a workflow: one, or replicas on a store that they share. */
import type { WorkerStatus } from "../../src/api/worker-contract.ts";
import type { WorkerProcess } from "./worker-process.ts";

export class Workers {
  readonly #begin: () => WorkerProcess;
  /** Those of now; one that ended has a successor in its place. */
  readonly #members: WorkerProcess[];
  #isOver = false;

  constructor(replicas: number, begin: () => WorkerProcess) {
    this.#begin = begin;
    this.#members = Array.from({ length: replicas }, begin);
  }

  get members(): readonly WorkerProcess[] {
    return this.#members;
  }

  /** One of them that ended though nobody asked for it. */
  get endedByItself(): WorkerProcess | undefined {
    return this.#members.find(({ hasEndedByItself }) => hasEndedByItself);
  }

  /** How many mappings one of them or another has begun to read. */
  get fittedMappings(): number {
    return new Set(this.#members.flatMap(({ fittedMappings }) => [...fittedMappings])).size;
  }

  /** Of those that have one. */
  async statuses(): Promise<readonly WorkerStatus[]> {
    const statuses = await Promise.all(this.#members.map((member) => member.status()));
    return statuses.filter((status) => status !== undefined);
  }

  /** Another one in the place of one that has ended, unless they all were ended meanwhile. */
  replace(member: WorkerProcess): void {
    const place = this.#members.indexOf(member);
    if (place >= 0 && !this.#isOver) this.#members[place] = this.#begin();
  }

  /** Stops all. @returns each with its exit code; `late` when it did not end in time */
  stop(withinMs: number): Promise<readonly (readonly [WorkerProcess, number | string])[]> {
    this.#isOver = true;
    const living = this.#members.filter((member) => !member.hasEnded || member.hasEndedByItself);
    return Promise.all(living.map(async (member) => [member, await member.stop(withinMs)] as const));
  }

  async kill(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#members.map((member) => member.kill()));
  }
}
