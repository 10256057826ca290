/** A worker as a process. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { LastWords, WorkerStatus } from "../../src/api/worker-contract.ts";
import type { WorkerOptions } from "../../src/worker/process/run.ts";

/** It answers at once, or it is held up by what the storm does. */
const answersWithinMs = 3000;

export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #lastWordsPath: string;
  readonly exit: Promise<number | string>;
  #output = "";
  #isPaused = false;
  #isToEnd = false;

  constructor(options: WorkerOptions) {
    this.#lastWordsPath = options.lastWordsPath;
    const args = [fileURLToPath(import.meta.resolve("./child.ts")), JSON.stringify(options)];
    this.#child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.#output += chunk.toString("utf8");
      });
    }
    this.exit = once(this.#child, "close").then(([code, signal]) => code ?? signal);
  }

  get log(): string {
    return this.#output;
  }

  /** Whether it got as far as its first log line. */
  get hasBegun(): boolean {
    return this.#output.includes('"worker.started"');
  }

  /** Whether its queue was open: then it asks both services for leave. */
  get hasOpened(): boolean {
    return this.#output.includes('"token.issued"');
  }

  /** The mappings whose definitions it has read. */
  get fittedMappings(): ReadonlySet<string> {
    // Whoever takes over a reading had fitted the mapping before, as one that follows.
    const isFitted = (line: string) => line.includes('"mapping.fitted"') || line.includes('"mapping.followed-by"');
    const lines = this.#output.split("\n").filter(isFitted);
    return new Set(lines.map((line) => /"mapping":"([^"]+)"/.exec(line)?.[1] ?? ""));
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Whether it has ended though nobody asked for it. */
  get hasEndedByItself(): boolean {
    return this.hasEnded && !this.#isToEnd;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** undefined while it has none: it does not listen yet, or its queue is not open. */
  async status(): Promise<WorkerStatus | undefined> {
    const url = /"url":"(http:[^"]+)"/.exec(this.#output)?.[1];
    if (url === undefined || this.hasEnded || this.#isPaused) return undefined;
    try {
      const response = await fetch(`${url}/status`, { signal: AbortSignal.timeout(answersWithinMs) });
      return response.status === 200 ? ((await response.json()) as WorkerStatus) : undefined; // What the contract says.
    } catch {
      return undefined;
    }
  }

  lastWords(): LastWords {
    return JSON.parse(readFileSync(this.#lastWordsPath, "utf8")) as LastWords;
  }

  /** From now on it stands still, and does not know. */
  pause(): void {
    this.#isPaused = true;
    if (!this.hasEnded) this.#child.kill("SIGSTOP");
  }

  resume(): void {
    this.#isPaused = false;
    if (!this.hasEnded) this.#child.kill("SIGCONT");
  }

  /** @returns its exit code; `late` when it did not end in time */
  async stop(withinMs: number): Promise<number | string> {
    this.#isToEnd ||= !this.hasEnded;
    this.#child.kill("SIGTERM");
    this.resume();
    return Promise.race([this.exit, sleep(withinMs, "late" as const, { ref: false })]);
  }

  async kill(): Promise<void> {
    this.#isToEnd ||= !this.hasEnded;
    if (!this.hasEnded) this.#child.kill("SIGKILL");
    await this.exit;
  }
}
