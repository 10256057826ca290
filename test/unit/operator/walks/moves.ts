import fc from "fast-check";
import { clusterMoves, operatorMoves } from "./cluster-moves.ts";
import { userMoves } from "./user-moves.ts";
import type { Walk } from "./walk.ts";

/** What happens to a workflow; which of several ways, a number says. */
export type Move = (walk: Walk, name: string, number: number) => unknown;

/** How often each happens, and what. */
export type MoveTable = Readonly<Record<string, readonly [weight: number, move: Move]>>;

export const moves: MoveTable = { ...userMoves, ...clusterMoves, ...operatorMoves };

/** A move by its name, the number that says which way, and the number of the workflow that it happens to. */
export type Step = readonly [move: string, number: number, who: number];

/** A walk as it is written down. */
export interface Course {
  readonly workflows: number;
  readonly steps: readonly Step[];
}

const step: fc.Arbitrary<Step> = fc.tuple(
  fc.oneof(...Object.entries(moves).map(([name, [weight]]) => ({ weight, arbitrary: fc.constant(name) }))),
  fc.nat(11),
  fc.nat(2),
);

export const courses: fc.Arbitrary<Course> = fc.record({
  workflows: fc.constantFrom(1, 1, 2, 3),
  steps: fc.array(step, { minLength: 10, maxLength: 250, size: "max" }),
});
