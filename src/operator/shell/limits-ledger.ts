import { sameJson } from "../../api/json.ts";
import { type LimitsUse, type SharedLimits, sharedLimitsOf } from "../sight/shared-limits.ts";

/**
 * Which workflows share an application user, and what they take of its limits together. A change costs a look at those that
 * share the user, and nothing at all when it changes nothing of what is counted.
 */
export class LimitsLedger {
  /** By user, then by the workflow's key. */
  readonly #uses = new Map<string, Map<string, LimitsUse>>();
  readonly #userOf = new Map<string, string>();
  readonly #exceeded = new Map<string, SharedLimits>();

  /** What the workflow takes now. @returns keys of the workflows of which something else must be told than before */
  note(key: string, use: LimitsUse | undefined): readonly string[] {
    const userBefore = this.#userOf.get(key);
    const before = userBefore === undefined ? undefined : this.#uses.get(userBefore)?.get(key);
    if (sameJson(before, use)) return [];
    const changed = new Set<string>();
    if (userBefore !== undefined) {
      this.#uses.get(userBefore)?.delete(key);
      this.#userOf.delete(key);
      changed.add(userBefore);
    }
    if (use !== undefined) {
      const uses = this.#uses.get(use.user) ?? new Map<string, LimitsUse>();
      this.#uses.set(use.user, uses.set(key, use));
      this.#userOf.set(key, use.user);
      changed.add(use.user);
    }
    // The workflow itself is looked at for its own change.
    return [...changed].flatMap((user) => this.#count(user));
  }

  /** What is to be told of this workflow; undefined: its user's shares fit. */
  of(key: string): SharedLimits | undefined {
    const user = this.#userOf.get(key);
    return user === undefined ? undefined : this.#exceeded.get(user);
  }

  #count(user: string): readonly string[] {
    const uses = this.#uses.get(user);
    if (uses?.size === 0) this.#uses.delete(user);
    const now = uses === undefined ? undefined : sharedLimitsOf(uses);
    if (sameJson(this.#exceeded.get(user), now)) return [];
    if (now === undefined) this.#exceeded.delete(user);
    else this.#exceeded.set(user, now);
    return [...(uses?.keys() ?? [])];
  }
}
