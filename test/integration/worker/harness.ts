/** A sandbox in this process, and workers as processes beside it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { WorkflowSpec } from "../../../src/api/integration-workflow.ts";
import type { LastWords, WorkerStatus } from "../../../src/api/worker-contract.ts";
import type { SandboxOptions } from "../../../src/sandbox/options.ts";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";

type Mapping = NonNullable<WorkflowSpec["ingress"]>["mappings"][number];

export const contactMapping: Mapping = {
  table: "contact",
  resource: "profile",
  key: { column: "contactid", field: "externalId" },
  fields: [
    { column: "firstname", field: "firstName", applyUpdates: true },
    { column: "lastname", field: "lastName", applyUpdates: true },
    { column: "emailaddress1", field: "email", applyUpdates: true },
    {
      column: "gendercode",
      field: "gender",
      applyUpdates: true,
      replacements: [
        { from: "1", to: "male" },
        { from: "2", to: "female" },
      ],
    },
  ],
  applyDeletes: true,
  picklistValues: "Label",
};

/** For tests that count calls: one that is not answered in time, and a lease that ends before, have it made again. */
export const patient = ["--call-timeout-seconds", "60", "--lease-seconds", "120"];

/** Figures that make a worker quick to notice; the rest is as in production. */
const quick = [
  "--poll-seconds",
  "0.3",
  "--ready-seconds",
  "3",
  "--page-size",
  "500",
  "--call-timeout-seconds",
  "3",
  "--lease-seconds",
  "4",
];

export class Ground {
  readonly sandbox: RunningSandbox;
  readonly directory: string;
  readonly #workers: WorkerProcess[] = [];

  private constructor(sandbox: RunningSandbox, directory: string) {
    this.sandbox = sandbox;
    this.directory = directory;
  }

  static async make(options: Partial<SandboxOptions>): Promise<Ground> {
    const sandbox = await startSandbox(options, silentLogger);
    const ground = new Ground(sandbox, mkdtempSync(join(tmpdir(), "worker-test-")));
    ground.writeCredentials();
    return ground;
  }

  get state(): string {
    return join(this.directory, "state");
  }

  writeCredentials(changes: Partial<Record<"clientId" | "clientSecret", string>> = {}): void {
    const { credentials, dataverseTokenUrl, campaignTokenUrl } = this.sandbox;
    this.#secret("dynamics", { ...credentials, tokenUrl: dataverseTokenUrl, ...changes });
    const { clientId, clientSecret } = credentials;
    this.#secret("campaign", { clientId, clientSecret, scopes: "campaign", tokenUrl: campaignTokenUrl, ...changes });
  }

  removeCredentials(): void {
    rmSync(join(this.directory, "credentials"), { recursive: true });
  }

  /** Starts a worker on this ground's store. */
  start(mappings: readonly Mapping[] = [contactMapping], options: StartOptions = {}): WorkerProcess {
    return this.#start({ type: "Ingress", ingress: { mappings } }, options);
  }

  /** Starts a worker of type Egress on this ground's store. */
  startEgress(
    sftp: NonNullable<WorkflowSpec["campaign"]["sftp"]>,
    privateKey: string,
    egress: object,
    options: StartOptions = {},
  ): WorkerProcess {
    this.#secret("sftp", { privateKey });
    return this.#start({ type: "Egress", egress, sftp }, options);
  }

  /** Starts a worker of type OptInOut on this ground's store; with an SFTP server if it reads exports. */
  startOptInOut(
    optInOut: object,
    options: StartOptions = {},
    exports?: { readonly sftp: NonNullable<WorkflowSpec["campaign"]["sftp"]>; readonly privateKey: string },
  ): WorkerProcess {
    if (exports !== undefined) this.#secret("sftp", { privateKey: exports.privateKey });
    const sftp = exports === undefined ? {} : { sftp: exports.sftp };
    return this.#start({ type: "OptInOut", optInOut, ...sftp }, options);
  }

  #start({ sftp, ...flow }: Record<string, unknown>, options: StartOptions): WorkerProcess {
    const { dataverseUrl, campaignUrl } = this.sandbox;
    const configuration = join(this.directory, "workflow.json");
    const spec = {
      ...flow,
      dynamics: { url: dataverseUrl, credentialsSecretRef: { name: "dynamics" } },
      campaign: {
        url: campaignUrl,
        credentialsSecretRef: { name: "campaign" },
        engineCallsPerSecond: options.callsPerSecond ?? 1000,
        dialect: options.dialect ?? "Standard",
        ...(sftp === undefined ? {} : { sftp }),
      },
      worker: { terminationGracePeriodSeconds: options.graceSeconds ?? 60, replicas: options.postgres?.replicas ?? 1 },
      ...(options.postgres === undefined ? {} : { queue: { postgres: { credentialsSecretRef: { name: "queue" } } } }),
    };
    if (options.postgres !== undefined) this.#secret("postgres", { url: options.postgres.url });
    const workflow = { name: options.workflow ?? "contacts", namespace: "crm", uid: "b9e7" };
    writeFileSync(configuration, JSON.stringify({ workflow, spec }));
    const worker = new WorkerProcess(this.directory, configuration, [...quick, ...(options.flags ?? [])]);
    this.#workers.push(worker);
    return worker;
  }

  async end(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.kill()));
    await this.sandbox.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #secret(system: string, values: Readonly<Record<string, string>>): void {
    const directory = join(this.directory, "credentials", system);
    mkdirSync(directory, { recursive: true });
    for (const [name, value] of Object.entries(values)) writeFileSync(join(directory, name), value);
  }
}

export interface StartOptions {
  readonly workflow?: string;
  readonly callsPerSecond?: number;
  readonly dialect?: "Standard" | "V8";
  readonly graceSeconds?: number;
  readonly flags?: readonly string[];
  /** The queue's database, with as many workers as are started at once; absent: the queue is on the ground. */
  readonly postgres?: { readonly url: string; readonly replicas: number };
}

export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #lastWordsPath: string;
  readonly #exit: Promise<number | string>;
  #output = "";

  constructor(directory: string, configuration: string, flags: readonly string[]) {
    this.#lastWordsPath = join(directory, "termination-log");
    rmSync(this.#lastWordsPath, { force: true });
    const args = [
      fileURLToPath(new URL("./worker-process.ts", import.meta.url)),
      ...["--config", configuration],
      ...["--credentials", join(directory, "credentials")],
      ...["--state", join(directory, "state")],
      ...["--termination-log", this.#lastWordsPath],
      ...["--address", "127.0.0.1:0", "--log-level", "debug"],
      ...flags,
    ];
    this.#child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output += text;
      });
    }
    this.#exit = once(this.#child, "close").then(([code, signal]) => code ?? signal);
  }

  get log(): string {
    return this.#output;
  }

  /** Events of one name that the log has so far. */
  logged(event: string): readonly Record<string, unknown>[] {
    // Of the last one, its end may be yet to come.
    const whole = this.#output.split("\n").slice(0, -1);
    const lines = whole.filter((line) => line.startsWith("{") && line.endsWith("}"));
    return lines.map((line) => JSON.parse(line)).filter(({ message }) => message === event);
  }

  async url(): Promise<string> {
    return await expect
      .poll(() => this.logged("worker.started")[0]?.["url"], { timeout: 20_000 })
      .toBeTypeOf("string")
      .then(() => String(this.logged("worker.started")[0]?.["url"]));
  }

  async get(path: string): Promise<{ status: number; body: string }> {
    const response = await fetch(`${await this.url()}${path}`);
    return { status: response.status, body: await response.text() };
  }

  async status(): Promise<WorkerStatus> {
    return JSON.parse((await this.get("/status")).body) as WorkerStatus;
  }

  /** @returns the exit code, or the signal that ended it */
  exit(): Promise<number | string> {
    return this.#exit;
  }

  lastWords(): LastWords {
    return JSON.parse(readFileSync(this.#lastWordsPath, "utf8")) as LastWords;
  }

  /** `SIGSTOP`: it stands still; `SIGCONT`: it goes on. */
  send(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#child.kill(signal);
  }

  stop(): Promise<number | string> {
    this.#child.kill("SIGTERM");
    return this.#exit;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGKILL");
    await this.#exit;
  }
}
