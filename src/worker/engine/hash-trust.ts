import type { SchemaChecks } from "../queue/checkpoint.ts";
import { isDoubted } from "./schema-checks.ts";

/**
 * Which hashes of a mapping tell what Campaign holds. One lives as long as a plan does: what is written under a plan that
 * is over by the time of the answer leaves no hash.
 */
export class HashTrust {
  #checks: SchemaChecks;
  #isOver = false;

  constructor(checks: SchemaChecks = { epoch: 0, good: 0, doubted: [] }) {
    this.#checks = checks;
  }

  /** Another check began. */
  advance(checks: SchemaChecks): void {
    this.#checks = checks;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The plan is over. */
  end(): void {
    this.#isOver = true;
  }

  /** What a hash carries that is stored now; undefined: none is to be stored. */
  stamp(): number | undefined {
    return this.#isOver ? undefined : this.#checks.epoch;
  }

  /** Of what was stored with this stamp, which fields have lost their values since. */
  lostSince(stamp: number): readonly string[] {
    return Object.entries(this.#checks.lost ?? {}).flatMap(([field, last]) => (stamp <= last ? field : []));
  }

  believes(stamp: number): boolean {
    return !this.#isOver && !isDoubted(this.#checks, stamp);
  }
}
