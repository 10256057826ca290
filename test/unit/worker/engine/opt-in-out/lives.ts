/** Opt-In/Out in virtual time: the engine on its real store, one life after the other, between two systems in memory. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../../../../src/telemetry/clock.ts";
import { type Logger, silentLogger } from "../../../../../src/telemetry/log.ts";
import type { AuditSink, OptInOutOptions } from "../../../../../src/worker/engine/opt-in-out/context.ts";
import { OptInOutEngine } from "../../../../../src/worker/engine/opt-in-out/engine.ts";
import { engineSettings } from "../../../../../src/worker/engine/settings.ts";
import { keptOf } from "../../../../../src/worker/flows/opt-in-out/kept.ts";
import { DataverseError } from "../../../../../src/worker/http/service-error.ts";
import type { StoredContacts } from "../../../../../src/worker/queue/contacts.ts";
import type { Queue } from "../../../../../src/worker/queue/interface.ts";
import { openSqliteQueue } from "../../../../../src/worker/queue/sqlite/sqlite-queue.ts";
import { bothWays } from "../../flows/opt-in-out/plans.ts";
import { Life } from "../engine-lives.ts";
import { TestClock } from "../test-clock.ts";
import { Judge } from "./judge.ts";
import { outage, Systems, startedAt } from "./systems.ts";

/** What becomes of a call. `Late`: no answer, and it lands while its lease still lasts. */
export type Fault = "None" | "Lost" | "LostAfter" | "Late" | "Throttled" | "Slow" | "Slowest";

const callTimeoutSeconds = 10;
const settings = engineSettings({
  engineCallsPerSecond: 20,
  sharePercent: 100,
  mappings: 1,
  callTimeoutSeconds,
});

/** Reads, two calls under a lease each, and what was waited in between. */
const turnMs = 3 * settings.leaseMs;

export interface Workflow {
  readonly direction: Judge["direction"];
  readonly source: "Poll" | "Export";
}

interface Running {
  readonly life: Life;
  readonly engine: OptInOutEngine;
  readonly queue: Queue;
  readonly ended: Promise<void>;
}

export class Lives {
  readonly clock = new TestClock();
  readonly judge: Judge;
  readonly systems: Systems;
  readonly directory = mkdtempSync(join(tmpdir(), "opt-in-out-"));
  workflow: Workflow;
  optInOut: Partial<OptInOutOptions["optInOut"]> = {};
  faults: (call: string) => Fault = () => "None";
  /** Of calls to either system, the store and the audit: after so many it dies; of the last, it never hears. */
  diesAfterCalls = Number.POSITIVE_INFINITY;
  /** Only these count, if any are named. */
  countedCalls: readonly string[] = [];
  /** Whether that last one is done. */
  doesLast = true;
  isAuditBroken = false;
  failure: unknown;
  logger: Logger = silentLogger;
  #running: Running | undefined;

  constructor(workflow: Workflow, contacts = 2) {
    this.workflow = workflow;
    this.judge = new Judge(workflow.direction, turnMs);
    this.systems = new Systems(this.clock, this.judge, contacts);
  }

  async start(): Promise<void> {
    const life = new Life();
    const now = () => startedAt + Math.floor(this.clock.now());
    const queue = await openSqliteQueue(
      { directory: this.directory, now, logger: silentLogger },
      new AbortController().signal,
    );
    const { systems } = this;
    const calls = { left: this.diesAfterCalls };
    const mortal = <T extends object>(target: T) => this.#mortal(target, life, calls);
    const engine = new OptInOutEngine({
      configuration: {
        workflow: { name: "opt-outs", namespace: "crm", uid: "u" },
        // The engine asks these alone of the spec.
        spec: { campaign: { url: "https://c.example/campaign" }, queue: { deadLetterRetentionDays: 30 } } as never,
      },
      optInOut: { ...bothWays, ...this.workflow, ...this.optInOut },
      queue: this.#queue(queue, mortal),
      dataverse: mortal(this.#faulty(systems.dataverse())),
      updates: mortal(this.#faulty(systems.updates())),
      campaign: mortal(this.#faulty(systems.campaign())),
      modified: mortal(this.#faulty(systems.modified())),
      exports: {
        place: {
          path: "exports",
          format: { timeZone: "UTC", delimiter: ",", encoding: "utf-8", dateFormat: "yyyy-MM-dd HH:mm:ss" },
        } as never, // The rest is the client's.
        sftp: this.#sftp(life),
        listEveryMs: 30_000,
      },
      askProfilesEveryMs: 10_000,
      profileLooksPerSecond: 1,
      audit: mortal(this.#audit),
      settings,
      clock: this.#coarse,
      now,
      random: () => 0.5,
      logger: this.logger,
    });
    const stop = new AbortController();
    const ended = engine.run(stop.signal, stop.signal).catch((error: unknown) => {
      if (!life.isOver) this.failure = error;
    });
    this.#running = { life, engine, queue, ended };
  }

  get engine(): OptInOutEngine {
    if (this.#running === undefined) throw new Error("no engine runs");
    return this.#running.engine;
  }

  get queue(): Queue {
    if (this.#running === undefined) throw new Error("no engine runs");
    return this.#running.queue;
  }

  get isDead(): boolean {
    return this.#running?.life.isOver !== false;
  }

  /** As kill -9 does. What is on its way may land. */
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

  /** Until nothing waits, and everything that changed was seen. */
  async rest(): Promise<void> {
    for (let quiet = 0; quiet < 2; ) {
      this.systems.export();
      await this.pass(200_000);
      if (this.failure !== undefined) throw this.failure;
      quiet = (await this.queue.counts()).get("contact")?.pending === 0 ? quiet + 1 : 0;
      if (this.clock.now() > 40 * 86_400_000) throw new Error("it does not come to rest");
    }
  }

  async pass(milliseconds: number): Promise<void> {
    const until = this.clock.now() + milliseconds;
    while (this.clock.now() < until && !this.isDead) await this.clock.step(until - this.clock.now());
  }

  /** Whoever looks now and again whether there is something to do looks less often: time then passes in larger steps. */
  get #coarse(): Clock {
    const { clock } = this;
    return {
      now: () => clock.now(),
      schedule: (delayMs, callback) => clock.schedule(delayMs >= 400 && delayMs <= 1000 ? 5000 : delayMs, callback),
    };
  }

  #mortal<T extends object>(target: T, life: Life, calls: { left: number }): T {
    const counted = new Proxy(target, {
      get: (object, name) => {
        const member: unknown = Reflect.get(object, name, object);
        if (typeof member !== "function") return member;
        const call = (...args: unknown[]): unknown => Reflect.apply(member, object, args);
        if (name === "fingerprint") return call;
        return async (...args: unknown[]) => {
          if (life.isOver) return new Promise<never>(() => {});
          if (this.countedCalls.length > 0 && !this.countedCalls.includes(String(name))) return call(...args);
          calls.left -= 1;
          if (calls.left > 0) return call(...args);
          life.isOver = true;
          return this.doesLast ? call(...args) : undefined;
        };
      },
    });
    return life.of(counted);
  }

  /** The store, of which the judge hears what was agreed. */
  #queue(queue: Queue, mortal: <T extends object>(target: T) => T): Queue {
    const { judge } = this;
    const contacts: StoredContacts = new Proxy(queue.contacts, {
      get: (object, name) => {
        const member: unknown = Reflect.get(object, name, object);
        if (name !== "end") return typeof member === "function" ? member.bind(object) : member;
        return async (...[record, agreement, end]: Parameters<StoredContacts["end"]>) => {
          const isKept = await object.end(record, agreement, end);
          const { values, unanswered } = (agreement === undefined ? undefined : keptOf(agreement))?.agreement ?? {};
          for (const [field, value] of (isKept && values) || []) {
            if (unanswered?.has(field) !== true) judge.settled(record.id, field, value);
          }
          return isKept;
        };
      },
    });
    const [mortalQueue, mortalContacts] = [mortal(queue), mortal(contacts)];
    return new Proxy(mortalQueue, {
      get: (object, name) => (name === "contacts" ? mortalContacts : Reflect.get(object, name, object)),
    });
  }

  /** What is appended, the judge has seen. */
  get #audit(): AuditSink {
    return {
      append: async (records) => {
        if (this.isAuditBroken) throw new Error("no space left on device");
        this.judge.audited(records);
      },
      forgetOld: async () => {},
      close: async () => {},
    };
  }

  #faulty<T extends object>(target: T): T {
    const wait = (milliseconds: number) => new Promise<void>((done) => void this.clock.schedule(milliseconds, done));
    return new Proxy(target, {
      get: (object, name) => {
        const member: unknown = Reflect.get(object, name, object);
        if (typeof member !== "function") return member;
        const isWrite = name === "update" || name === "updateByKey";
        return async (...args: unknown[]): Promise<unknown> => {
          const call = () => Reflect.apply(member, object, args) as Promise<unknown>;
          const fault = this.faults(String(name));
          await wait(fault === "Slow" ? 7000 : 20);
          if (fault === "Slowest") {
            const answer = await call();
            await wait(settings.leaseMs - 1000);
            return answer;
          }
          switch (fault) {
            case "Lost":
              throw outage();
            case "LostAfter":
              await call();
              throw outage();
            case "Late":
              if (isWrite) this.clock.schedule(settings.leaseMs - callTimeoutSeconds * 1000 - 1000, () => void call());
              throw outage();
            case "Throttled":
              throw new DataverseError("slower", { code: "Throttled", outcome: "Refused", retryAfterSeconds: 3 });
            default: {
              const answer = await call();
              await wait(20);
              return answer;
            }
          }
        };
      },
    });
  }

  #sftp(life: Life) {
    const { files } = this.systems;
    const client = {
      list: async () =>
        [...files].map(([name, text]) => ({ name, sizeBytes: text.length, modifiedSeconds: 1_783_000_000 })),
      stat: async (path: string) => ({
        sizeBytes: files.get(path.replace("exports/", ""))?.length ?? 0,
        modifiedSeconds: 1_783_000_000,
      }),
      close: async () => {},
    };
    return {
      ...life.of(client),
      async *read(path: string, fromByte: number) {
        yield await life.during(async () =>
          Buffer.from(files.get(path.replace("exports/", "")) ?? "").subarray(fromByte),
        );
      },
    };
  }
}
