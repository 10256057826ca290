import type { SandboxAnswer } from "../answer.ts";
import { DataverseRefusal } from "./errors.ts";

/** The three limits for one user on one web server, and what a call is taken to cost. Source: api-limits.md */
export interface ProtectionSettings {
  readonly enabled: boolean;
  readonly windowSeconds: number;
  readonly requests: number;
  readonly executionSeconds: number;
  readonly concurrentRequests: number;
  /** Server time of a call beside what it really takes: the answer is held back for so long. */
  readonly requestCostMilliseconds: number;
  readonly rowCostMilliseconds: number;
  /** `x-ms-dop-hint`: the parallelism that the server recommends. */
  readonly recommendedParallelism: number;
}

export const defaultProtection: ProtectionSettings = {
  enabled: false,
  windowSeconds: 300,
  requests: 6000,
  executionSeconds: 1200,
  concurrentRequests: 52,
  requestCostMilliseconds: 0,
  rowCostMilliseconds: 0,
  recommendedParallelism: 4,
};

interface Spent {
  /** Start of the second, in seconds since 1970. */
  readonly second: number;
  requests: number;
  milliseconds: number;
}

interface Usage {
  spent: Spent[];
  inFlight: number;
  /** Milliseconds since 1970; requests before it are refused. */
  blockedUntil: number;
  /** How often the caller pushed on while it was blocked. */
  pushes: number;
}

/** Time that may run faster than the machine's. Windows and costs are counted in it. */
export interface ProtectionClock {
  /** Milliseconds. */
  now(): number;
  sleep(milliseconds: number): Promise<void>;
  /** How many of its seconds pass in one real second. */
  readonly factor: number;
}

/** Counts each user's calls in a sliding window and refuses what goes beyond. */
export class ServiceProtection {
  settings: ProtectionSettings;
  readonly #clock: ProtectionClock;
  readonly #users = new Map<string, Usage>();

  constructor(settings: ProtectionSettings, clock: ProtectionClock) {
    this.settings = settings;
    this.#clock = clock;
  }

  /** Forgets what was spent. */
  reset(): void {
    this.#users.clear();
  }

  /** @throws DataverseRefusal 429 */
  async run(user: string, call: () => Promise<SandboxAnswer>): Promise<SandboxAnswer> {
    const usage = this.#usage(user);
    if (this.settings.enabled) this.#admit(usage);
    const started = performance.now();
    usage.inFlight += 1;
    const spent = this.#current(usage);
    spent.requests += 1;
    try {
      const answer = await call();
      spent.milliseconds += performance.now() - started;
      const { requestCostMilliseconds, rowCostMilliseconds } = this.settings;
      const cost = requestCostMilliseconds + rowCostMilliseconds * (answer.operations ?? answer.rows ?? 1);
      if (cost > 0) await this.#clock.sleep(cost);
      spent.milliseconds += cost;
      return { ...answer, headers: { ...answer.headers, ...this.#hints(usage) } };
    } finally {
      usage.inFlight -= 1;
    }
  }

  #admit(usage: Usage): void {
    const { requests, executionSeconds, concurrentRequests, windowSeconds } = this.settings;
    const now = this.#clock.now();
    if (usage.inFlight >= concurrentRequests) {
      throw refusal(
        "0x80072326",
        `Number of concurrent requests exceeded the limit of ${concurrentRequests}.`,
        this.#realSeconds(1),
      );
    }
    const total = this.#total(usage);
    const overRequests = total.requests >= requests;
    const overTime = total.milliseconds >= executionSeconds * 1000;
    if (now >= usage.blockedUntil && !overRequests && !overTime) {
      usage.pushes = 0;
      return;
    }
    const seconds = this.#extend(usage, now);
    if (overTime && !overRequests) {
      const limit = (executionSeconds * 1000).toLocaleString("en-US");
      throw refusal(
        "0x80072321",
        `Combined execution time of incoming requests exceeded limit of ${limit} milliseconds over time window of ` +
          `${windowSeconds} seconds. Decrease number of concurrent requests or reduce the duration of requests and try again later.`,
        seconds,
      );
    }
    const message = `Number of requests exceeded the limit of ${requests} over time window of ${windowSeconds} seconds.`;
    throw refusal("0x80072322", message, seconds);
  }

  /** "If the application continues to send such demanding requests, the duration will be extended": by how much is not said. */
  #extend(usage: Usage, now: number): number {
    const { windowSeconds } = this.settings;
    const wasBlocked = now < usage.blockedUntil;
    usage.pushes = wasBlocked ? usage.pushes + 1 : 0;
    const oldest = usage.spent[0]?.second ?? Math.floor(now / 1000);
    const untilRoom = Math.max(1, oldest + windowSeconds - Math.floor(now / 1000));
    const fresh = now + Math.min(untilRoom, 30) * 1000;
    const pushed = usage.blockedUntil + Math.min(usage.pushes, 10) * 100;
    usage.blockedUntil = Math.min(now + windowSeconds * 1000, wasBlocked ? pushed : fresh);
    return this.#realSeconds((usage.blockedUntil - now) / 1000);
  }

  /** What a caller has to wait, in whole seconds of the machine: Retry-After knows no others. */
  #realSeconds(seconds: number): number {
    return Math.max(1, Math.ceil(seconds / this.#clock.factor));
  }

  #hints(usage: Usage): Record<string, string> {
    const { requests, executionSeconds, recommendedParallelism } = this.settings;
    const total = this.#total(usage);
    const seconds = Math.max(0, executionSeconds - total.milliseconds / 1000);
    return {
      "x-ms-ratelimit-burst-remaining-xrm-requests": String(Math.max(0, requests - total.requests)),
      "x-ms-ratelimit-time-remaining-xrm-requests": seconds.toFixed(2),
      "x-ms-dop-hint": String(recommendedParallelism),
    };
  }

  #total(usage: Usage): { requests: number; milliseconds: number } {
    const first = Math.floor(this.#clock.now() / 1000) - this.settings.windowSeconds;
    while ((usage.spent[0]?.second ?? Number.POSITIVE_INFINITY) <= first) usage.spent.shift();
    let requests = 0;
    let milliseconds = 0;
    for (const spent of usage.spent) {
      requests += spent.requests;
      milliseconds += spent.milliseconds;
    }
    return { requests, milliseconds };
  }

  #current(usage: Usage): Spent {
    const second = Math.floor(this.#clock.now() / 1000);
    const last = usage.spent.at(-1);
    if (last?.second === second) return last;
    const fresh = { second, requests: 0, milliseconds: 0 };
    usage.spent.push(fresh);
    return fresh;
  }

  #usage(user: string): Usage {
    const known = this.#users.get(user);
    if (known !== undefined) return known;
    const fresh: Usage = { spent: [], inFlight: 0, blockedUntil: 0, pushes: 0 };
    this.#users.set(user, fresh);
    return fresh;
  }
}

function refusal(code: string, message: string, seconds: number): DataverseRefusal {
  return new DataverseRefusal(429, code, message, { "retry-after": String(seconds) });
}
