import { randomSequence } from "./random.ts";

export type Side = "dataverse" | "campaign";

/** What happens to a request that a rule meets. */
export type FaultAction =
  /** Answered at once with this; the service never sees the request. */
  | {
      readonly kind: "status";
      readonly status: number;
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** The connection is reset before the service sees the request. */
  | { readonly kind: "reset" }
  /** Never answered, never seen by the service. */
  | { readonly kind: "blackHole" }
  /** Served after so many milliseconds, even if the caller has gone by then: a write can land late. */
  | { readonly kind: "slow"; readonly milliseconds: number }
  /** Served, but the connection breaks in the middle of the answer's body. */
  | { readonly kind: "truncate" }
  /** Served, and the connection is reset instead of an answer: the caller cannot know whether it was done. */
  | { readonly kind: "loseAnswerAfterWrite" }
  /** Answered as if the access token had expired. */
  | { readonly kind: "tokenExpired" };

export interface FaultRule {
  readonly side: Side;
  /** Any method when left out. */
  readonly method?: string;
  /** A regular expression that the undecoded path and query must contain; everything when left out. */
  readonly pathPattern?: string;
  /** How many requests it meets; for ever when left out. */
  readonly times?: number;
  /** Chance for each matching request, 0 to 1; 1 when left out. */
  readonly probability?: number;
  /** Makes the chances repeatable. */
  readonly seed?: number;
  readonly action: FaultAction;
}

interface ActiveRule {
  readonly id: string;
  readonly rule: FaultRule;
  readonly pattern: RegExp | undefined;
  readonly random: () => number;
  met: number;
}

/** The rules in force, oldest first; the first that meets a request decides. */
export class Faults {
  readonly #rules = new Map<string, ActiveRule>();
  #added = 0;

  /** @throws SyntaxError when the pattern is no regular expression */
  add(rule: FaultRule): string {
    const pattern = rule.pathPattern === undefined ? undefined : new RegExp(rule.pathPattern);
    this.#added += 1;
    const id = `fault-${this.#added}`;
    this.#rules.set(id, { id, rule, pattern, random: randomSequence(rule.seed ?? this.#added), met: 0 });
    return id;
  }

  remove(id: string): void {
    this.#rules.delete(id);
  }

  clear(): void {
    this.#rules.clear();
  }

  list(): readonly { readonly id: string; readonly met: number; readonly rule: FaultRule }[] {
    return [...this.#rules.values()].map(({ id, met, rule }) => ({ id, met, rule }));
  }

  /** The fault for this request, if any; counts it against the rule. */
  take(side: Side, method: string, target: string): FaultAction | undefined {
    for (const active of this.#rules.values()) {
      const { rule } = active;
      if (rule.side !== side || (rule.method !== undefined && rule.method !== method)) continue;
      if (active.pattern?.test(target) === false) continue;
      if (rule.times !== undefined && active.met >= rule.times) continue;
      if (rule.probability !== undefined && active.random() >= rule.probability) continue;
      active.met += 1;
      return rule.action;
    }
    return undefined;
  }
}

/** Whether a side lets requests in. */
export type GateState =
  | "open"
  /** Requests wait until the gate opens. */
  | "paused"
  /** Every request is answered 503. */
  | "unavailable"
  /** Every connection is reset. */
  | "unreachable";

export class Gate {
  #state: GateState = "open";
  #waiting: (() => void)[] = [];

  get state(): GateState {
    return this.#state;
  }

  set(state: GateState): void {
    this.#state = state;
    if (state === "paused") return;
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Resolves with the state that holds once the gate is not paused. */
  async pass(): Promise<Exclude<GateState, "paused">> {
    while (this.#state === "paused") await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.#state;
  }
}
