/** A rule that was broken on a walk. */
class Broken extends Error {
  override readonly name = "Broken";
  readonly code = "Broken";
}

/** @throws Broken when the rule does not hold */
export function must(holds: boolean, rule: string, facts?: () => unknown): asserts holds {
  if (!holds) throw new Broken(facts === undefined ? rule : `${rule}: ${JSON.stringify(facts())}`);
}
