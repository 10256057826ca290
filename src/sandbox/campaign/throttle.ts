import type { SandboxAnswer } from "../answer.ts";

/** A limit that Adobe does not document: callers must bear whatever a gateway says. */
export interface ThrottleSettings {
  /** Requests in any one second; more are refused. */
  readonly callsPerSecond: number;
  /** `gateway`: as Adobe I/O writes its errors; `html`: a page of something in between; `empty`: no body. */
  readonly body: "gateway" | "html" | "empty";
  /** No Retry-After when left out. */
  readonly retryAfterSeconds?: number;
}

const bodies: Readonly<Record<ThrottleSettings["body"], { readonly type: string; readonly text: string }>> = {
  gateway: { type: "application/json", text: '{"error_code":"429050","message":"Too many requests"}' },
  html: { type: "text/html", text: "<html><body><h1>429 Too Many Requests</h1></body></html>" },
  empty: { type: "text/plain", text: "" },
};

/** Counts the requests of the last second. */
export class Throttle {
  readonly #now: () => number;
  #passed: number[] = [];

  /** @param now milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** The refusal of a request, or undefined when it may pass. */
  refuse(settings: ThrottleSettings | null): SandboxAnswer | undefined {
    if (settings === null) return undefined;
    const now = this.#now();
    this.#passed = this.#passed.filter((at) => at > now - 1000);
    if (this.#passed.length < settings.callsPerSecond) {
      this.#passed.push(now);
      return undefined;
    }
    const { type, text } = bodies[settings.body];
    const retry = settings.retryAfterSeconds;
    const wait: Record<string, string> = retry === undefined ? {} : { "retry-after": String(retry) };
    return { endpoint: "throttled", status: 429, headers: { "content-type": type, ...wait }, body: text };
  }
}
