/** Egress in virtual time: files and Dataverse in memory, the real store, faults by seed, kills at any instant. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type SchemaNode, withDefaults } from "../../../../src/api/defaults.ts";
import type { WorkflowSpec } from "../../../../src/api/integration-workflow.ts";
import { egress as schema } from "../../../../src/api/schema/egress.ts";
import { silentLogger } from "../../../../src/telemetry/log.ts";
import type { Dataverse } from "../../../../src/worker/dataverse/interface.ts";
import type { Creation, NewRow } from "../../../../src/worker/dataverse/row-creation.ts";
import { EgressEngine } from "../../../../src/worker/engine/egress/engine.ts";
import { type EngineSettings, engineSettings } from "../../../../src/worker/engine/settings.ts";
import { DataverseError } from "../../../../src/worker/http/service-error.ts";
import type { Queue } from "../../../../src/worker/queue/interface.ts";
import { openSqliteQueue } from "../../../../src/worker/queue/sqlite/sqlite-queue.ts";
import { SftpError } from "../../../../src/worker/sftp/errors.ts";
import { Life } from "./engine-lives.ts";
import { TestClock } from "./test-clock.ts";

// A schema's defaults are what its type says.
const defaults = withDefaults(schema as SchemaNode, {}) as NonNullable<WorkflowSpec["egress"]>;
const contact = "00000000-0000-4000-8000-000000000001";
const header = "deliveryLogId,contactId,eventDate,status,failureType,deliveryId\n";
const startedAt = Date.parse("2026-07-01T00:00:00Z");
const line = (n: number, key = contact) => `${n},${key},2026-07-15 10:00:00,Sent,,DM1\n`;
const lines = (count: number, from = 0) => Array.from({ length: count }, (_, n) => line(from + n)).join("");

type Fault = "None" | "Outage" | "LostAfter" | "Throttled";

/** Files on a server and rows of Dataverse, which outlive the workers. */
class World {
  readonly clock = new TestClock();
  readonly directory = mkdtempSync(join(tmpdir(), "egress-"));
  readonly files = new Map<string, Buffer>();
  /** Ids of the activities that were made. */
  readonly made = new Set<string>();
  faults: () => Fault = () => "None";
  /** What Dataverse says of a row's content. */
  refusal: (row: NewRow) => DataverseError | undefined = () => undefined;
  isServerThere = true;
  settings: Partial<EngineSettings> = {};
  egress = defaults;
  #running: { life: Life; engine: EgressEngine; queue: Queue; stop: AbortController; ended: Promise<void> } | undefined;
  failure: unknown;
  /** It dies with this many files' parts, or events' ends, given to the store; what the last became, it never hears. */
  diesAfter = { commitFile: Number.POSITIVE_INFINITY, settle: Number.POSITIVE_INFINITY };

  async start(): Promise<void> {
    const life = new Life();
    const now = () => startedAt + Math.floor(this.clock.now());
    const open = { directory: this.directory, now, logger: silentLogger };
    const queue = await openSqliteQueue(open, new AbortController().signal);
    const engine = new EgressEngine({
      configuration: {
        workflow: { name: "events", namespace: "crm", uid: "u" },
        // The engine asks these alone of the spec.
        spec: { campaign: { url: "https://c.example/campaign" }, queue: { deadLetterRetentionDays: 30 } } as never,
      },
      egress: this.egress,
      exports: {
        path: "exports",
        format: { timeZone: "UTC", delimiter: ",", encoding: "utf-8", dateFormat: "yyyy-MM-dd HH:mm:ss" },
      } as never, // The rest is the client's.
      queue: life.of(this.#dying(queue, life)),
      dataverse: life.of(this.#dataverse()),
      rows: life.of({
        createNew: (_: unknown, rows: readonly NewRow[]) => this.#create(rows),
        createEach: (_: unknown, rows: readonly NewRow[]) => this.#create(rows),
      }),
      sftp: this.#sftp(life),
      settings: {
        ...engineSettings({ engineCallsPerSecond: 20, sharePercent: 100, mappings: 4, callTimeoutSeconds: 10 }),
        pollIntervalMs: 30_000,
        ...this.settings,
      },
      clock: this.clock,
      now,
      random: () => 0.5,
      logger: silentLogger,
    });
    const stop = new AbortController();
    const ended = engine.run(stop.signal, stop.signal).catch((error: unknown) => {
      if (!life.isOver) this.failure = error;
    });
    this.#running = { life, engine, queue, stop, ended };
  }

  get isDead(): boolean {
    return this.#running?.life.isOver === true;
  }

  #dying(queue: Queue, life: Life): Queue {
    const left: Record<string, number> = { ...this.diesAfter };
    return new Proxy(queue, {
      get: (object, name) => {
        const member: unknown = Reflect.get(object, name, object);
        if (typeof member !== "function") return member;
        return (...args: unknown[]) => {
          const result: unknown = Reflect.apply(member, object, args);
          const calls = left[String(name)];
          if (calls !== undefined) left[String(name)] = calls - 1;
          if (calls !== undefined && calls <= 1) life.isOver = true;
          return result;
        };
      },
    });
  }

  async kill(): Promise<void> {
    if (this.#running === undefined) return;
    this.#running.life.isOver = true;
    await this.#running.queue.close();
    this.#running = undefined;
  }

  async end(): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }

  get engine(): EgressEngine {
    if (this.#running === undefined) throw new Error("no engine runs");
    return this.#running.engine;
  }

  async kind(name: string) {
    return (await this.engine.status()).mappings.find((mapping) => mapping.name === name);
  }

  put(name: string, text: string): void {
    this.files.set(name, Buffer.from(text));
  }

  #dataverse(): Dataverse {
    const columns = { ...defaults.activities.columns };
    const types = {
      subject: "String",
      regardingobjectid: "Lookup",
      actualstart: "DateTime",
      actualend: "DateTime",
      [columns.occurredAt]: "DateTime",
    } as const;
    const dataverse: Pick<Dataverse, "whoAmI" | "tableMetadata"> = {
      whoAmI: async () => ({ organizationId: "o", userId: contact }),
      tableMetadata: async (table, names) => ({
        table,
        entitySet: `${table}s`,
        primaryId: "activityid",
        changeTracking: false,
        columns: new Map(
          names.map((name) => [name, { name, property: name, type: types[name as keyof typeof types] ?? "String" }]),
        ),
      }),
    };
    return dataverse as Dataverse; // Egress asks nothing else.
  }

  async #create(rows: readonly NewRow[]): Promise<readonly Creation[]> {
    const fault = this.faults();
    const failed = (code: "Outage" | "Throttled", outcome: "Unknown" | "Refused") =>
      rows.map(() => new DataverseError(code, { code, outcome }));
    if (fault === "Outage") return failed("Outage", "Unknown");
    if (fault === "Throttled") return failed("Throttled", "Refused");
    const creations = rows.map((row): Creation => {
      const refusal = this.refusal(row);
      if (refusal !== undefined) return refusal;
      if (this.made.has(row.id)) return "There";
      this.made.add(row.id);
      return "Created";
    });
    return fault === "LostAfter" ? failed("Outage", "Unknown") : creations;
  }

  #sftp(life: Life) {
    const { files, clock } = this;
    const there = () => {
      if (!this.isServerThere) throw new SftpError("Unreachable", "the SFTP server cannot be reached");
    };
    const client = {
      list: async () => {
        there();
        return [...files].map(([name, bytes]) => ({ name, sizeBytes: bytes.length, modifiedSeconds: 1_783_000_000 }));
      },
      stat: async (path: string) => ({
        sizeBytes: files.get(path.replace("exports/", ""))?.length ?? 0,
        modifiedSeconds: 1_783_000_000,
      }),
      close: async () => {},
    };
    return {
      ...life.of(client),
      async *read(path: string, fromByte: number) {
        there();
        const bytes = files.get(path.replace("exports/", "")) ?? Buffer.alloc(0);
        for (let at = fromByte; at < bytes.length; at += 2000) {
          await life.during(() => new Promise<void>((resolve) => void clock.schedule(5, resolve)));
          yield bytes.subarray(at, at + 2000);
        }
      },
    };
  }
}

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world.end());

describe("Egress", () => {
  it("makes every event's activity whatever fails and whenever it is killed, and none twice", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ commitFile: fc.integer({ min: 1, max: 25 }), settle: fc.integer({ min: 1, max: 600 }) }), {
          maxLength: 5,
        }),
        fc.infiniteStream(fc.constantFrom<Fault>("None", "None", "None", "Outage", "LostAfter", "Throttled")),
        async (lives, faults) => {
          const one = new World();
          one.faults = () => faults.next().value ?? "None";
          one.put("delivery_logs_20260715.txt", header + lines(600));
          one.put("delivery_logs_20260716.txt", header + lines(100, 550));
          try {
            for (const diesAfter of lives) {
              one.diesAfter = diesAfter;
              await one.start();
              for (let step = 0; step < 600 && !one.isDead; step++) await one.clock.step();
              await one.kill();
            }
            one.diesAfter = { commitFile: Number.POSITIVE_INFINITY, settle: Number.POSITIVE_INFINITY };
            await one.start();
            await one.clock.until(
              async () => one.made.size === 650 && (await one.engine.status()).backlog === 0,
              3_600_000,
            );
            expect(await one.kind("send")).toMatchObject({ deadLettered: 0 });
          } finally {
            await one.end();
          }
        },
      ),
      { numRuns: 12 },
    );
  }, 120_000);

  it("stops reading while more is queued than is to be, and goes on", async () => {
    world.settings = { highWaterRecords: 200, lowWaterRecords: 100 };
    world.faults = () => "Outage";
    world.put("delivery_logs_20260715.txt", header + lines(3000));
    await world.start();
    await world.clock.until(async () => (await world.engine.status()).backlog > 200, 300_000);
    const queued = (await world.engine.status()).backlog;
    const later = world.clock.now() + 60_000;
    await world.clock.until(() => world.clock.now() > later, 120_000);
    expect((await world.engine.status()).backlog).toBe(queued);
    expect(queued).toBeLessThan(300);
    world.faults = () => "None";
    await world.clock.until(() => world.made.size === 3000, 3_600_000);
  }, 60_000);

  it("buries events of missing contacts one by one, and holds a wave of another refusal", async () => {
    world.put("delivery_logs_20260715.txt", header + lines(50));
    const details = { code: "Refused", outcome: "Refused" } as const;
    world.refusal = () => new DataverseError("no contact", { ...details, serviceCode: "0x80040217" });
    await world.start();
    await world.clock.until(async () => (await world.kind("send"))?.deadLettered === 50, 300_000);
    world.refusal = () => new DataverseError("mandatory column", { ...details, serviceCode: "0x80040203" });
    world.put("delivery_logs_20260717.txt", header + lines(50, 100));
    await world.clock.until(async () => (await world.kind("send"))?.phase === "Paused", 300_000);
    expect((await world.kind("send"))?.deadLettered).toBeLessThan(50 + 20);
    world.refusal = () => undefined;
    await world.clock.until(async () => (await world.engine.status()).backlog === 0, 600_000);
    expect(world.made.size).toBeGreaterThan(30);
  }, 60_000);

  it("drops what is queued of a kind that is switched off, and keeps the first start over restarts", async () => {
    world.faults = () => "Outage";
    world.put("delivery_logs_20260715.txt", `${header}${lines(3)}9,${contact},2026-06-30 10:00:00,Sent,,DM1\n`);
    await world.start();
    await world.clock.until(async () => (await world.engine.status()).backlog === 3, 300_000);
    await world.kill();
    world.egress = { ...defaults, events: { ...defaults.events, send: false } };
    await world.start();
    await world.clock.until(async () => (await world.engine.status()).backlog === 0, 300_000);
    await world.kill();
    world.egress = defaults;
    world.faults = () => "None";
    world.put("delivery_logs_20260718.txt", header + lines(2, 20));
    await world.start();
    await world.clock.until(() => world.made.size === 2, 300_000);
  }, 60_000);

  it("is not ready while the server does not answer, and reads when it is back", async () => {
    world.isServerThere = false;
    world.put("delivery_logs_20260715.txt", header + lines(3));
    await world.start();
    await world.clock.until(() => world.engine.notReady()?.reason === "SftpUnreachable", 60_000);
    world.isServerThere = true;
    await world.clock.until(() => world.made.size === 3, 300_000);
    expect(world.engine.notReady()).toBeUndefined();
    expect(world.failure).toBeUndefined();
  });
});
