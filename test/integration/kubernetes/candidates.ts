/** Starts candidates as processes, and keeps what they report. */
import { type ChildProcess, fork } from "node:child_process";

export type CandidateOrder =
  | { do: "stop" }
  /** While it leads, or as soon as it does: block the event loop until the file `until` is there. */
  | { do: "block"; until: string };

/** Times are of the machine's monotonic clock, in milliseconds. */
export type CandidateReport =
  | { type: "began" | "held" | "ended"; atMs: number }
  | { type: "blocks" }
  | { type: "woke"; held: boolean; aborted: boolean };

/** From when to when a candidate knew that it led. */
export interface Tenure {
  identity: string;
  fromMs: number;
  untilMs: number;
}

export class Candidate {
  readonly identity: string;
  readonly tenures: Tenure[] = [];
  readonly woke: { held: boolean; aborted: boolean }[] = [];
  readonly #process: ChildProcess;
  readonly #exited: Promise<void>;
  leads = false;
  isBlocked = false;

  /** @param server a kubeconfig, or the URL of a fault proxy */
  constructor(server: string, namespace: string, lease: string, identity: string, durationSeconds = 1) {
    this.identity = identity;
    const args = [server, namespace, lease, identity, String(durationSeconds)];
    this.#process = fork(new URL("candidate.ts", import.meta.url), args, { execArgv: [] });
    this.#process.on("message", (message: CandidateReport) => this.#take(message));
    this.#exited = new Promise((resolve) => this.#process.once("exit", () => resolve()));
  }

  order(order: CandidateOrder): void {
    this.#process.send(order);
  }

  /** Asks it to stop, and waits until it has. */
  async stop(): Promise<void> {
    if (this.#process.connected) this.order({ do: "stop" });
    await this.#exited;
  }

  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#exited;
    this.leads = false;
  }

  /** It stands still until it is thawed, for however long the others need to notice. */
  freeze(): void {
    this.#process.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process.kill("SIGCONT");
  }

  #take(message: CandidateReport): void {
    this.isBlocked = message.type === "blocks";
    if (message.type === "blocks") return;
    if (message.type === "woke") {
      this.woke.push(message);
      return;
    }
    this.leads = message.type !== "ended";
    if (message.type === "began") {
      this.tenures.push({ identity: this.identity, fromMs: message.atMs, untilMs: message.atMs });
    }
    const tenure = this.tenures.at(-1);
    if (message.type === "held" && tenure !== undefined) tenure.untilMs = message.atMs;
  }
}

/** Pairs of tenures of different candidates that overlap: there must be none. */
export function overlaps(candidates: readonly Candidate[]): [Tenure, Tenure][] {
  const tenures = candidates.flatMap(({ tenures: own }) => own).sort((a, b) => a.fromMs - b.fromMs);
  const found: [Tenure, Tenure][] = [];
  for (const [index, first] of tenures.entries()) {
    for (const second of tenures.slice(index + 1)) {
      if (first.identity !== second.identity && second.fromMs < first.untilMs) found.push([first, second]);
    }
  }
  return found;
}
