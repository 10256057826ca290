/** The engine on its real store, one life after the other, between systems in memory, on a clock that goes when told to. */
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

const never = new Promise<never>(() => {});

/** Ends everything at once, as kill -9 does: nobody hears of anything any more. */
export class Life {
  isOver = false;

  async during<T>(work: () => Promise<T>): Promise<T> {
    if (this.isOver) return never;
    const result = await work().catch((error: unknown) => {
      if (this.isOver) return never;
      throw error;
    });
    return this.isOver ? never : result;
  }

  /** The same object, of which nothing is heard after the end. */
  of<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (object, name) => {
        const member: unknown = Reflect.get(object, name, object);
        if (typeof member !== "function") return member;
        const call = (...args: unknown[]): unknown => Reflect.apply(member, object, args);
        if (name === "fingerprint") return call;
        return (...args: unknown[]) => this.during(async () => call(...args));
      },
    });
  }
}

interface EngineParts {
  readonly mappings: readonly IngressMapping[];
  readonly dataverse: Dataverse;
  readonly campaign: Campaign;
  readonly settings?: Partial<EngineSettings>;
  readonly logger?: Logger;
}

interface Running {
  readonly life: Life;
  readonly engine: IngressEngine;
  readonly queue: Queue;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

export class EngineLives {
  readonly clock = new TestClock();
  /** What an engine ended with by itself. */
  failure: unknown;
  readonly directory = mkdtempSync(join(tmpdir(), "engine-"));
  #running: Running | undefined;

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  get engine(): IngressEngine {
    return this.#now().engine;
  }

  get queue(): Queue {
    return this.#now().queue;
  }

  async start({ mappings, dataverse, campaign, settings, logger = silentLogger }: EngineParts): Promise<void> {
    const life = new Life();
    const now = () => 1_800_000_000_000 + Math.floor(this.clock.now());
    const open = { directory: this.directory, now, logger: silentLogger };
    const queue = await openSqliteQueue(open, new AbortController().signal);
    const engine = new IngressEngine({
      configuration: {
        workflow: { name: "contacts", namespace: "crm", uid: "u" },
        // The engine asks these alone of the spec.
        spec: { campaign: { url: "https://c.example" }, queue: { deadLetterRetentionDays: 30 } } as never,
      },
      mappings,
      queue: life.of(queue),
      dataverse: life.of(dataverse),
      campaign: life.of(campaign),
      settings: {
        ...engineSettings({ engineCallsPerSecond: 20, sharePercent: 100, mappings: 1, callTimeoutSeconds: 10 }),
        ...settings,
      },
      clock: this.clock,
      now,
      random: () => 0.5,
      logger,
    });
    const stop = new AbortController();
    const ended = engine.run(stop.signal, stop.signal).catch((error: unknown) => {
      if (!life.isOver) this.failure = error;
    });
    this.#running = { life, engine, queue, stop, ended };
  }

  /** As kill -9 does. */
  async kill(): Promise<void> {
    if (this.#running === undefined) return;
    this.#running.life.isOver = true;
    await this.#running.queue.close();
    this.#running = undefined;
  }

  /** As SIGTERM does. @throws what the engine ended with */
  async stop(): Promise<void> {
    if (this.#running === undefined) return;
    const { stop, ended } = this.#running;
    stop.abort(new Error("the test is over"));
    let isOver = false;
    void ended.then(() => {
      isOver = true;
    });
    await this.clock.until(() => isOver, 600_000);
    await this.kill();
    if (this.failure !== undefined) throw this.failure;
  }

  async pass(durationMs: number): Promise<void> {
    const end = this.clock.now() + durationMs;
    await this.clock.until(() => this.clock.now() >= end, 2 * durationMs + 2000);
  }

  async end(): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #now(): Running {
    if (this.#running === undefined) throw new Error("no engine runs");
    return this.#running;
  }
}
