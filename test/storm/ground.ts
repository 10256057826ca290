/** A sandbox in this process, workers as processes, and the store of their queues. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WorkflowSpec } from "../../src/api/integration-workflow.ts";
import type { SandboxOptions } from "../../src/sandbox/options.ts";
import { type RunningSandbox, startSandbox } from "../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import type { WorkerOptions } from "../../src/worker/process/run.ts";
import type { Store } from "./store.ts";
import { WorkerProcess } from "./worker-process.ts";
import { Workers } from "./workers.ts";

/**
 * Short figures, so that much happens in little time. Always: a call's time, and the longest that the storm holds a
 * request back on top of it, are less than the part of a lease that a call is begun with; with one more call's time they
 * are more than all of it. What is held back for long lands when nobody waits for it any more.
 */
export const callTimeoutMs = 2500;
export const longestHoldMs = 3200;
export const leaseMs = 7700;
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
/** Longer than most of what keeps a process from saying that it still reads. */
const readingLeaseMs = 3000;

/** What a workflow does: of its spec what its type asks for, and what this adds to `campaign`. */
export type Flow = Pick<WorkflowSpec, "type"> &
  Partial<Pick<WorkflowSpec, "ingress" | "egress" | "optInOut">> & {
    readonly campaign?: Partial<WorkflowSpec["campaign"]>;
  };

export interface StartOptions {
  /** The workflow's name; each has a queue of its own. */
  readonly workflow?: string;
  readonly stillSeconds?: number;
}

export const onlyWorkflow = "storm";

/** Makes the store of a ground; one that is in the workers' state directory is to be there. */
export type MakeStore = (stateDirectory: string) => Promise<Store>;

export class Ground {
  readonly sandbox: RunningSandbox;
  readonly store: Store;
  readonly #directory: string;
  readonly #workers: WorkerProcess[] = [];

  private constructor(sandbox: RunningSandbox, directory: string, store: Store) {
    this.sandbox = sandbox;
    this.store = store;
    this.#directory = directory;
    process.once("SIGTERM", this.#abandon);
    const { credentials, dataverseTokenUrl, campaignTokenUrl } = sandbox;
    const { clientId, clientSecret } = credentials;
    this.secret("dynamics", { ...credentials, tokenUrl: dataverseTokenUrl });
    this.secret("campaign", { clientId, clientSecret, scopes: "campaign", tokenUrl: campaignTokenUrl });
    if (store.postgresUrl !== undefined) this.secret("postgres", { url: store.postgresUrl });
  }

  static async make(options: Partial<SandboxOptions>, makeStore: MakeStore): Promise<Ground> {
    const sandbox = await startSandbox(options, silentLogger);
    const directory = mkdtempSync(join(tmpdir(), "storm-"));
    return new Ground(sandbox, directory, await makeStore(join(directory, "state")));
  }

  /** What is mounted for a system that the worker signs in to. */
  secret(system: string, values: Readonly<Record<string, string>>): void {
    const directory = join(this.#directory, "credentials", system);
    mkdirSync(directory, { recursive: true });
    for (const [name, value] of Object.entries(values)) writeFileSync(join(directory, name), value);
  }

  /** Starts the processes of a run on this ground's store; those before may still be ending. */
  start(flow: Flow, options: StartOptions = {}): Workers {
    const { workflow = onlyWorkflow, ...more } = options;
    const configurationPath = join(this.#directory, `workflow-${this.#workers.length}.json`);
    const configuration = { workflow: { name: workflow, namespace: "crm", uid: "b9e7" }, spec: this.#spec(flow) };
    writeFileSync(configurationPath, JSON.stringify(configuration));
    const stateDirectory = join(this.#directory, "state", workflow);
    mkdirSync(stateDirectory, { recursive: true });
    return new Workers(this.store.replicas, () => {
      const worker = new WorkerProcess({
        configurationPath,
        credentialsDirectory: join(this.#directory, "credentials"),
        stateDirectory,
        lastWordsPath: join(this.#directory, `last-words-${this.#workers.length}`),
        caBundlePath: join(this.#directory, "none"),
        address: { host: "127.0.0.1", port: 0 },
        callTimeoutSeconds: callTimeoutMs / 1000,
        settings,
        readingLeaseMs,
        ...more,
      });
      this.#workers.push(worker);
      return worker;
    });
  }

  log(): string {
    return this.#workers.map((worker, n) => `--- worker ${n}\n${worker.log}`).join("\n");
  }

  async end(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.kill()));
    await this.sandbox.close();
    process.off("SIGTERM", this.#abandon);
    await this.store.end();
    this.#leave();
  }

  #spec({ campaign, ...flow }: Flow): object {
    const { dataverseUrl, campaignUrl } = this.sandbox;
    const inPostgres = this.store.postgresUrl !== undefined;
    return {
      ...flow,
      dynamics: { url: dataverseUrl, credentialsSecretRef: { name: "dynamics" } },
      campaign: {
        url: campaignUrl,
        credentialsSecretRef: { name: "campaign" },
        engineCallsPerSecond: 1000,
        ...campaign,
      },
      // Each replica believes that it is alone: what is left of the limits to one of several is too little for a storm's pace.
      worker: { terminationGracePeriodSeconds: 10, replicas: 1 },
      ...(inPostgres ? { queue: { postgres: { credentialsSecretRef: { name: "postgres" } } } } : {}),
    };
  }

  /** A volume outlives the process that mounted it. */
  readonly #abandon = (): void => {
    for (const worker of this.#workers) void worker.kill();
    this.store.abandon();
    this.#leave();
    process.kill(process.pid, "SIGTERM"); // With nobody else to hear it, as the end.
  };

  #leave(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
