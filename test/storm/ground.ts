/** A sandbox in this process and one worker after the other as processes, on one store. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { IngressMapping } from "../../src/api/integration-workflow.ts";
import type { LastWords, WorkerStatus } from "../../src/api/worker-contract.ts";
import { type RunningSandbox, startSandbox } from "../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import type { WorkerOptions } from "../../src/worker/process/run.ts";
import { noVolumes, SmallVolume } from "../unit/worker/queue/small-volume.ts";
import { accountKey, customResources, customTables } from "./workflow.ts";

/**
 * Short figures, so that much happens in little time. Always: a call's time, and the longest that the storm holds a
 * request back on top of it, are less than a lease, with room for a slow machine; with one more call's time they are more.
 */
const callTimeoutSeconds = 2.5;
export const longestHoldMs = 2500;
export const leaseMs = 6000;
const settings: WorkerOptions["settings"] = {
  pollIntervalMs: 400,
  pageSize: 20,
  highWaterRecords: 60,
  lowWaterRecords: 30,
  leaseMs,
  readyWindowMs: 3000,
  lookAgainMs: 1000,
  fullStorePauseMs: 500,
  checkIntervalMs: 1000,
  freshCheckMs: 300,
};
/** Room for the store of the largest storm. */
const volumeSize = "16m";

/** What the store says when no process has it. */
export interface StoreFigures {
  readonly pending: number;
  readonly deadIds: readonly string[];
}

export class Ground {
  readonly sandbox: RunningSandbox;
  /** Where the store is; undefined where none can be mounted. */
  readonly volume: SmallVolume | undefined;
  /** Why there is no volume to fill. */
  readonly noVolume: string | undefined;
  readonly #directory: string;
  readonly #workers: WorkerProcess[] = [];

  private constructor(sandbox: RunningSandbox, directory: string) {
    this.sandbox = sandbox;
    this.#directory = directory;
    process.once("SIGTERM", this.#abandon);
    const volume = mounted(join(directory, "state"));
    if (typeof volume === "string") this.noVolume = volume;
    else this.volume = volume;
    const { credentials, dataverseTokenUrl, campaignTokenUrl } = sandbox;
    const { clientId, clientSecret } = credentials;
    this.#secret("dynamics", { ...credentials, tokenUrl: dataverseTokenUrl });
    this.#secret("campaign", { clientId, clientSecret, scopes: "campaign", tokenUrl: campaignTokenUrl });
  }

  static async make(contacts: number, seed: number): Promise<Ground> {
    const sandbox = await startSandbox({ contacts, seed }, silentLogger);
    const { control } = sandbox;
    for (const resource of customResources) await control.addResource({ resource });
    for (const table of customTables) await control.addTable({ table });
    await control.setColumn({ table: "account", column: { name: accountKey, label: "Number", type: "String" } });
    // The sandbox makes a few for many contacts.
    const more = Array.from({ length: Math.ceil(contacts / 4) }, () => ({ cells: { name: "More", statecode: 0 } }));
    await control.insertRows({ table: "account", rows: more });
    return new Ground(sandbox, mkdtempSync(join(tmpdir(), "storm-")));
  }

  /** Starts a worker on this ground's store; the one before it may still be ending. */
  start(mappings: readonly IngressMapping[]): WorkerProcess {
    const { dataverseUrl, campaignUrl } = this.sandbox;
    const n = this.#workers.length;
    const at = (name: string) => join(this.#directory, name);
    const spec = {
      type: "Ingress",
      dynamics: { url: dataverseUrl, credentialsSecretRef: { name: "dynamics" } },
      campaign: { url: campaignUrl, credentialsSecretRef: { name: "campaign" }, engineCallsPerSecond: 1000 },
      ingress: { mappings },
      worker: { terminationGracePeriodSeconds: 10 },
    };
    const workflow = { name: "storm", namespace: "crm", uid: "b9e7" };
    const configurationPath = at(`workflow-${n}.json`);
    writeFileSync(configurationPath, JSON.stringify({ workflow, spec }));
    const worker = new WorkerProcess({
      configurationPath,
      credentialsDirectory: at("credentials"),
      stateDirectory: at("state"),
      lastWordsPath: at(`last-words-${n}`),
      caBundlePath: at("none"),
      address: { host: "127.0.0.1", port: 0 },
      callTimeoutSeconds,
      settings,
    });
    this.#workers.push(worker);
    return worker;
  }

  /** To be asked only while no worker lives. */
  figures(): StoreFigures {
    const store = new DatabaseSync(join(this.#directory, "state", "queue.db"));
    try {
      const pending = Number(store.prepare("SELECT count(*) AS n FROM pending").get()?.["n"]);
      const deadIds = store
        .prepare("SELECT id FROM dead")
        .all()
        .map((row) => String(row["id"]));
      return { pending, deadIds };
    } finally {
      store.close();
    }
  }

  log(): string {
    return this.#workers.map((worker, n) => `--- worker ${n}\n${worker.log}`).join("\n");
  }

  async end(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.kill()));
    await this.sandbox.close();
    process.off("SIGTERM", this.#abandon);
    this.#leave();
  }

  /** A volume outlives the process that mounted it. */
  readonly #abandon = (): void => {
    for (const worker of this.#workers) void worker.kill();
    this.#leave();
    process.kill(process.pid, "SIGTERM"); // With nobody else to hear it, as the end.
  };

  #leave(): void {
    this.volume?.unmount();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #secret(system: string, values: Readonly<Record<string, string>>): void {
    const directory = join(this.#directory, "credentials", system);
    mkdirSync(directory, { recursive: true });
    for (const [name, value] of Object.entries(values)) writeFileSync(join(directory, name), value);
  }
}

/** @returns why there can be none here */
function mounted(directory: string): SmallVolume | string {
  if (noVolumes !== undefined) return noVolumes;
  try {
    return new SmallVolume(directory, volumeSize);
  } catch (error) {
    return error instanceof Error ? error.message.trim() : String(error);
  }
}

export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #lastWordsPath: string;
  readonly exit: Promise<number | string>;
  #output = "";

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

  /** How many mappings it has begun to read. */
  get fittedMappings(): number {
    return this.#output.split('"mapping.fitted"').length - 1;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** undefined while it has none: it does not listen yet, or its queue is not open. */
  async status(): Promise<WorkerStatus | undefined> {
    const url = /"url":"(http:[^"]+)"/.exec(this.#output)?.[1];
    if (url === undefined || this.hasEnded) return undefined;
    const response = await fetch(`${url}/status`).catch(() => undefined);
    if (response?.status !== 200) return undefined;
    return response.json().then(
      (status) => status as WorkerStatus, // What the worker's contract says.
      () => undefined,
    );
  }

  lastWords(): LastWords {
    return JSON.parse(readFileSync(this.#lastWordsPath, "utf8")) as LastWords;
  }

  /** @returns its exit code; `late` when it did not end in time */
  async stop(withinMs: number): Promise<number | string> {
    this.#child.kill("SIGTERM");
    return Promise.race([this.exit, sleep(withinMs, "late", { ref: false })]);
  }

  async kill(): Promise<void> {
    if (!this.hasEnded) this.#child.kill("SIGKILL");
    await this.exit;
  }
}
