import type { Chance } from "./chance.ts";

/** What may happen in a storm. Each happening uses the storm's own random numbers alone. */
export interface Happening<S> {
  readonly name: string;
  /** Of the weights of all, how often. */
  readonly weight: number;
  readonly happen: (storm: S) => Promise<unknown> | unknown;
}

/** Lets one thing happen. @returns its name */
export async function happenOne<S extends { readonly chance: Chance }>(
  happenings: readonly Happening<S>[],
  storm: S,
): Promise<string> {
  const total = happenings.reduce((sum, { weight }) => sum + weight, 0);
  let ticket = storm.chance.random() * total;
  for (const { name, weight, happen } of happenings) {
    ticket -= weight;
    if (ticket >= 0) continue;
    await happen(storm);
    return name;
  }
  return "nothing";
}
