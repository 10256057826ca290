/** A sandbox and workers, each a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { IngressMapping } from "../../src/api/integration-workflow.ts";
import type { SandboxControl } from "../../src/sandbox/control/interface.ts";
import type { RunningSandbox } from "../../src/sandbox/sandbox.ts";
import { controlClient } from "../sandbox/control-client.ts";
import { configurationText } from "./mapping.ts";
import type { Exchange } from "./observed-worker.ts";
import type { SandboxProcessOptions } from "./sandbox-process.ts";

/** Nobody asks for its status. */
const noServer: readonly string[] = ["--address", "0"];

type Addresses = Omit<RunningSandbox, "control" | "close">;

/** A page of rows that a worker has read and stored. */
export interface StoredPage {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly records: number;
}

/** A sandbox for one bench, and the place where its workers keep their queue. */
export class BenchWorld {
  readonly control: SandboxControl;
  readonly addresses: Addresses;
  readonly #sandbox: ChildProcess;
  readonly #directory = mkdtempSync(join(tmpdir(), "bench-"));
  readonly #workers: BenchWorker[] = [];

  private constructor(sandbox: ChildProcess, addresses: Addresses) {
    this.#sandbox = sandbox;
    this.addresses = addresses;
    this.control = controlClient(addresses.controlUrl ?? "");
    const { credentials, dataverseTokenUrl, campaignTokenUrl } = addresses;
    this.secret("dynamics", { ...credentials, tokenUrl: dataverseTokenUrl });
    this.secret("campaign", { ...credentials, scopes: "campaign", tokenUrl: campaignTokenUrl });
  }

  static async make(options: SandboxProcessOptions): Promise<BenchWorld> {
    const sandbox = spawn(
      process.execPath,
      [
        "--max-old-space-size=8192",
        fileURLToPath(import.meta.resolve("./sandbox-process.ts")),
        JSON.stringify(options),
      ],
      { stdio: ["ignore", "inherit", "inherit", "ipc"] },
    );
    const [addresses] = await once(sandbox, "message");
    return new BenchWorld(sandbox, addresses as Addresses); // Sent by sandbox-process.ts.
  }

  start(mappings: readonly IngressMapping[], engineCallsPerSecond: number, flags = noServer): BenchWorker {
    const { dataverseUrl, campaignUrl } = this.addresses;
    return this.startConfigured(configurationText(dataverseUrl, campaignUrl, mappings, engineCallsPerSecond), flags);
  }

  /** @param text of workflow.json */
  startConfigured(text: string, flags: readonly string[]): BenchWorker {
    const configuration = join(this.#directory, "workflow.json");
    writeFileSync(configuration, text);
    const worker = new BenchWorker([
      ...["--config", configuration, "--credentials", this.#directory, "--state", join(this.#directory, "state")],
      ...["--termination-log", join(this.#directory, "last-words"), ...flags],
    ]);
    this.#workers.push(worker);
    return worker;
  }

  isCampaign(origin: string): boolean {
    return this.addresses.campaignUrl.startsWith(`${origin}/`);
  }

  async end(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.kill()));
    this.#sandbox.kill("SIGKILL");
    rmSync(this.#directory, { recursive: true });
  }

  secret(system: string, values: Readonly<Record<string, string>>): void {
    mkdirSync(join(this.#directory, system));
    for (const [key, value] of Object.entries(values)) writeFileSync(join(this.#directory, system, key), value);
  }
}

export class BenchWorker {
  readonly exchanges: Exchange[] = [];
  readonly pages: StoredPage[] = [];
  /** Events of its log that are above `info`, and how many of each. */
  readonly complaints = new Map<string, number>();
  /** Where it tells its status, once it does. */
  url: string | undefined;
  readonly #process: ChildProcess;
  readonly #closed: Promise<unknown>;

  constructor(args: readonly string[]) {
    this.#process = spawn(process.execPath, [fileURLToPath(import.meta.resolve("./observed-worker.ts")), ...args], {
      stdio: ["ignore", "pipe", "inherit", "ipc"],
    });
    this.#closed = once(this.#process, "close");
    this.#process.on("message", (message) => this.exchanges.push(message as Exchange)); // Sent by observed-worker.ts.
    const { stdout } = this.#process;
    if (stdout !== null) createInterface({ input: stdout }).on("line", (line) => this.#read(line));
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null;
  }

  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#closed;
  }

  #read(line: string): void {
    const entry = JSON.parse(line) as Readonly<Record<string, unknown>>; // The log is one JSON object a line.
    if (entry["message"] === "page.read") {
      this.pages.push({ at: Date.parse(String(entry["timestamp"])), records: Number(entry["records"]) });
    } else if (entry["message"] === "worker.started") {
      if (typeof entry["url"] === "string") this.url = entry["url"];
    } else if (entry["level"] !== "info") {
      const event = String(entry["message"]);
      this.complaints.set(event, (this.complaints.get(event) ?? 0) + 1);
    }
  }
}
