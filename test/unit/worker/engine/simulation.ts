import type { IngressMapping } from "../../../../src/api/integration-workflow.ts";
import type { IngressEngine } from "../../../../src/worker/engine/engine.ts";
import { done, type Lots } from "./calls.ts";
import { EngineLives } from "./engine-lives.ts";
import { SourceWorld, TargetWorld } from "./worlds.ts";

export const mapping: IngressMapping = {
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

/** A key that is not the row's id. */
export const byNumber: IngressMapping = { ...mapping, key: { column: "number", field: "externalId" } };

export const leaseMs = 30_000;
/** A lost call may land until shortly before its lease ends; two calls may take longer than one lease. */
const latestMs = leaseMs - 2000;
export const longestAnswerMs = 12_000;
const settings = {
  pageSize: 3,
  parallelism: 4,
  leaseMs,
  highWaterRecords: 12,
  lowWaterRecords: 6,
};

/** The engine on its real store, between two systems in memory, on a clock that goes when it is told to. */
export class Simulation {
  readonly #lives = new EngineLives();
  readonly clock = this.#lives.clock;
  readonly source: SourceWorld;
  readonly target: TargetWorld;
  readonly #mapping: IngressMapping;
  /** The names of all calls so far. */
  readonly calls: string[] = [];

  /** What becomes of the next call. */
  lots: Lots;

  constructor(asked: IngressMapping, lots: Lots) {
    this.#mapping = asked;
    this.lots = lots;
    const next: Lots = (call) => {
      this.calls.push(call);
      return this.lots(call);
    };
    this.source = new SourceWorld(next, this.clock);
    this.target = new TargetWorld(next, this.clock, latestMs);
  }

  get failure(): unknown {
    return this.#lives.failure;
  }

  async start(): Promise<void> {
    const [dataverse, campaign] = [this.source.client(), this.target.client()];
    await this.#lives.start({ mappings: [this.#mapping], dataverse, campaign, settings });
  }

  async kill(): Promise<void> {
    await this.#lives.kill();
  }

  async pass(durationMs: number): Promise<void> {
    await this.#lives.pass(durationMs);
  }

  notReady(): ReturnType<IngressEngine["notReady"]> {
    return this.#lives.engine.notReady();
  }

  /** Until everything has arrived, with no more faults. */
  async settle(): Promise<void> {
    this.lots = () => done;
    // What was lost may still land.
    const lastLanding = this.clock.now() + leaseMs;
    await this.clock.until(() => this.clock.now() > lastLanding, 2 * leaseMs);
    await this.clock.until(() => this.failure !== undefined || this.isSame(), 1_000_000);
    if (this.failure !== undefined) throw this.failure;
    await this.clock.until(async () => {
      const counts = (await this.#lives.queue.counts()).get("contact");
      return counts?.pending === 0 && counts.written === this.source.rows.size;
    }, 1_000_000);
  }

  /** Not while the first load goes on: what Campaign has is listed once for it. */
  async makeByHand(id: string): Promise<void> {
    const [checkpoint] = this.#lives.isRunning ? await this.#lives.queue.checkpoints() : [];
    if (checkpoint === undefined || checkpoint.snapshot?.purpose === "FirstLoad" || this.source.rows.has(id)) return;
    const key = this.#keyOf(id, `of ${id}`);
    if (!this.target.history.has(key)) this.target.makeByHand(key);
  }

  #keyOf(id: string, number: string): string {
    return this.#mapping.key.column === "contactid" ? id : number;
  }

  /** Every key once, with what the newest of its rows says. */
  isSame(): boolean {
    const newest = new Map<string, { readonly version: number; readonly name: string }>();
    for (const [id, row] of this.source.rows) {
      const key = this.#keyOf(id, row.number);
      if (row.version > (newest.get(key)?.version ?? 0)) newest.set(key, row);
    }
    const written = this.target.records.filter(({ revision }) => revision !== undefined);
    if (written.length !== newest.size) return false;
    return [...newest].every(([key, { version, name }]) => {
      const [found, second] = this.target.with(key);
      return second === undefined && found?.["name"] === name && found["revision"] === version;
    });
  }

  /** Of a key, what one contact's versions were, in the order of writing. */
  histories(): readonly (readonly number[])[] {
    return [...this.target.history.values()].flatMap((history) => {
      const versions = history.filter((what) => what !== "gone");
      return [...Map.groupBy(versions, (version) => this.source.idOf.get(version)).values()];
    });
  }

  async end(): Promise<void> {
    await this.#lives.end();
  }
}
