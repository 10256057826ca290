/** Egress in virtual time: files and Dataverse in memory, the real store, lives that end at any instant. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type SchemaNode, withDefaults } from "../../../../../src/api/defaults.ts";
import type { WorkflowSpec } from "../../../../../src/api/integration-workflow.ts";
import { egress as schema } from "../../../../../src/api/schema/egress.ts";
import { silentLogger } from "../../../../../src/telemetry/log.ts";
import type { Dataverse } from "../../../../../src/worker/dataverse/interface.ts";
import type { Creation, NewRow } from "../../../../../src/worker/dataverse/row-creation.ts";
import { EgressEngine } from "../../../../../src/worker/engine/egress/engine.ts";
import { type EngineSettings, engineSettings } from "../../../../../src/worker/engine/settings.ts";
import { DataverseError } from "../../../../../src/worker/http/service-error.ts";
import type { Queue } from "../../../../../src/worker/queue/interface.ts";
import { openSqliteQueue } from "../../../../../src/worker/queue/sqlite/sqlite-queue.ts";
import { SftpError } from "../../../../../src/worker/sftp/errors.ts";
import { Life } from "../engine-lives.ts";
import { TestClock } from "../test-clock.ts";

// A schema's defaults are what its type says.
export const defaults = withDefaults(schema as SchemaNode, {}) as NonNullable<WorkflowSpec["egress"]>;
export const contact = "00000000-0000-4000-8000-000000000001";
export const header = "deliveryLogId,contactId,eventDate,status,failureType,deliveryId\n";
const startedAt = Date.parse("2026-07-01T00:00:00Z");
export const line = (n: number, key = contact) => `${n},${key},2026-07-15 10:00:00,Sent,,DM1\n`;
export const lines = (count: number, from = 0) => Array.from({ length: count }, (_, n) => line(from + n)).join("");

export type Fault = "None" | "Outage" | "LostAfter" | "Throttled";

/** Files on a server and rows of Dataverse, which outlive the workers. */
export class World {
  readonly clock = new TestClock();
  readonly directory = mkdtempSync(join(tmpdir(), "egress-"));
  readonly files = new Map<string, Buffer>();
  /** Ids of the activities that were made. */
  readonly made = new Set<string>();
  faults: () => Fault = () => "None";
  /** What Dataverse says of a row's content. */
  refusal: (row: NewRow) => DataverseError | undefined = () => undefined;
  isServerThere = true;
  isDataverseThere = true;
  /** The server lists it, and does not answer when it is read. */
  stuckFile: string | undefined;
  hasRegarding = true;
  /** Ids that a bulk was tried with. */
  readonly inBulk: string[] = [];
  /** Who has a key; by their ids. */
  contacts: (key: string, column: string) => readonly string[] = () => [contact];
  /** The keys of each question for contacts. */
  readonly asked: (readonly string[])[] = [];
  settings: Partial<EngineSettings> = {};
  egress = defaults;
  dateFormat = "yyyy-MM-dd HH:mm:ss";
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
        format: { timeZone: "UTC", delimiter: ",", encoding: "utf-8", dateFormat: this.dateFormat },
      } as never, // The rest is the client's.
      queue: life.of(this.#dying(queue, life)),
      dataverse: life.of(this.#dataverse()),
      rows: life.of({
        createNew: (_: unknown, rows: readonly NewRow[]) => {
          this.inBulk.push(...rows.map(({ id }) => id));
          return this.#create(rows);
        },
        createEach: (_: unknown, rows: readonly NewRow[]) => this.#create(rows),
      }),
      lookups: life.of({
        navigationProperty: async (table: string) =>
          this.hasRegarding ? `regardingobjectid_contact_${table}` : undefined,
        idsByKey: async (_: unknown, column: { name: string }, keys: readonly string[]) => {
          this.asked.push(keys);
          const fault = this.faults();
          if (fault === "Outage" || fault === "Throttled")
            throw new DataverseError(fault, { code: fault, outcome: "Refused" });
          if (column.name === "activityid") return new Map(keys.map((key) => [key, this.made.has(key) ? [key] : []]));
          if (column.name === "_regardingobjectid_value") return new Map(keys.map((key) => [key, [...this.made]]));
          return new Map(keys.map((key) => [key, this.contacts(key, column.name)]));
        },
      }),
      batchesAtOnce: 3,
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
    const there = () => {
      if (!this.isDataverseThere) throw new DataverseError("gone", { code: "Unreachable", outcome: "NotSent" });
    };
    const dataverse: Pick<Dataverse, "whoAmI" | "tableMetadata"> = {
      whoAmI: async () => {
        there();
        return { organizationId: "o", userId: contact };
      },
      tableMetadata: async (table, names) => {
        there();
        return {
          table,
          entitySet: `${table}s`,
          primaryId: "activityid",
          changeTracking: false,
          columns: new Map(
            names.map((name) => [name, { name, property: name, type: types[name as keyof typeof types] ?? "String" }]),
          ),
        };
      },
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
    const isStuck = (path: string) => path === `exports/${this.stuckFile}`;
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
        if (isStuck(path)) {
          await life.during(() => new Promise<void>((resolve) => void clock.schedule(30_000, resolve)));
          throw new SftpError("TimedOut", "it does not answer");
        }
        const bytes = files.get(path.replace("exports/", "")) ?? Buffer.alloc(0);
        for (let at = fromByte; at < bytes.length; at += 2000) {
          await life.during(() => new Promise<void>((resolve) => void clock.schedule(5, resolve)));
          yield bytes.subarray(at, at + 2000);
        }
      },
    };
  }
}
