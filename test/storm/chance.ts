import { randomSequence } from "../../src/sandbox/random.ts";

/** A storm's random numbers, all from its seed. */
export class Chance {
  /** In [0, 1). */
  readonly random: () => number;

  constructor(seed: number) {
    this.random = randomSequence(seed);
  }

  oneOf<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.random() * choices.length)] as T; // Random numbers are below 1.
  }

  /** A whole number from 1 on. */
  count(most: number): number {
    return 1 + Math.floor(this.random() * most);
  }
}
