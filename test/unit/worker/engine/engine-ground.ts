/** One engine between the two systems in memory, on a store of its own, with time that the test lets pass. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { IngressMapping } from "../../../../src/api/integration-workflow.ts";
import { type Logger, silentLogger } from "../../../../src/telemetry/log.ts";
import type { Campaign } from "../../../../src/worker/campaign/interface.ts";
import type { Dataverse } from "../../../../src/worker/dataverse/interface.ts";
import { IngressEngine } from "../../../../src/worker/engine/engine.ts";
import { type EngineSettings, engineSettings } from "../../../../src/worker/engine/settings.ts";
import type { Queue } from "../../../../src/worker/queue/interface.ts";
import { openSqliteQueue } from "../../../../src/worker/queue/sqlite/sqlite-queue.ts";
import { TestClock } from "./test-clock.ts";
import { SourceWorld, TargetWorld } from "./worlds.ts";

const mapping: IngressMapping = {
  table: "contact",
  resource: "profile",
  key: { column: "contactid", field: "externalId" },
  fields: [
    { column: "fullname", field: "name", applyUpdates: true },
    { column: "revision", field: "revision", applyUpdates: true },
  ],
  applyDeletes: true,
  picklistValues: "Label",
};

export interface EngineGroundOptions {
  readonly settings?: Partial<EngineSettings>;
  readonly logger?: Logger;
  /** Stands between the engine and Dataverse. */
  readonly dataverse?: (dataverse: Dataverse) => Dataverse;
  /** Stands between the engine and Campaign. */
  readonly campaign?: (campaign: Campaign) => Campaign;
}

export class EngineGround {
  readonly clock: TestClock;
  readonly source: SourceWorld;
  readonly target: TargetWorld;
  readonly engine: IngressEngine;
  readonly #directory: string;
  readonly #queue: Queue;
  readonly #stop = new AbortController();
  readonly #run: Promise<void>;

  private constructor(directory: string, clock: TestClock, queue: Queue, options: EngineGroundOptions) {
    this.clock = clock;
    this.source = new SourceWorld(() => ({ fate: "Done", delayMs: 0 }), clock);
    this.target = new TargetWorld(() => ({ fate: "Done", delayMs: 10 }), clock, 0);
    this.#directory = directory;
    this.#queue = queue;
    const { campaign = (client) => client, dataverse = (client) => client, settings, logger = silentLogger } = options;
    this.engine = new IngressEngine({
      configuration: {
        workflow: { name: "contacts", namespace: "crm", uid: "u" },
        // The engine asks these alone of the spec.
        spec: { campaign: { url: "https://c.example" }, queue: { deadLetterRetentionDays: 30 } } as never,
      },
      mappings: [mapping],
      queue,
      dataverse: dataverse(this.source.client()),
      campaign: campaign(this.target.client()),
      settings: {
        ...engineSettings({ engineCallsPerSecond: 20, sharePercent: 100, mappings: 1, callTimeoutSeconds: 10 }),
        ...settings,
      },
      clock,
      now: wallOf(clock),
      random: () => 0.5,
      logger,
    });
    this.#run = this.engine.run(this.#stop.signal, this.#stop.signal);
  }

  static async make(contacts: number, options: EngineGroundOptions = {}): Promise<EngineGround> {
    const directory = mkdtempSync(join(tmpdir(), "engine-"));
    const never = new AbortController().signal;
    const clock = new TestClock();
    const queue = await openSqliteQueue({ directory, now: wallOf(clock), logger: silentLogger }, never);
    const ground = new EngineGround(directory, clock, queue, options);
    for (let n = 0; n < contacts; n++) ground.source.put(idOf(n), `Contact ${n}`);
    return ground;
  }

  async counts(): Promise<{ pending: number; dead: number }> {
    return (await this.#queue.counts()).get("contact") ?? { pending: 0, dead: 0 };
  }

  /** Everything is written or refused. */
  async settled(deadlineMs = 600_000): Promise<void> {
    const isIdle = async () => {
      const [mappingStatus] = (await this.engine.status()).mappings;
      return mappingStatus?.phase === "Incremental" && (await this.counts()).pending === 0;
    };
    await this.clock.until(isIdle, deadlineMs);
  }

  /** What Campaign has. */
  nameOf(n: number): unknown {
    return this.target.with(idOf(n))[0]?.["name"];
  }

  async end(): Promise<void> {
    this.#stop.abort(new Error("the test is over"));
    let isOver = false;
    const over = this.#run.finally(() => {
      isOver = true;
    });
    await this.clock.until(() => isOver, 600_000);
    await over;
    await this.#queue.close();
    rmSync(this.#directory, { recursive: true });
  }
}

function wallOf(clock: TestClock): () => number {
  return () => 1_800_000_000_000 + Math.floor(clock.now());
}

export function idOf(n: number): string {
  return `00000000-0000-0000-0000-${String(n).padStart(12, "0")}`;
}
