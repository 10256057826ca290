import type { IngressMapping } from "../../../../src/api/integration-workflow.ts";
import type { IngressEngine } from "../../../../src/worker/engine/engine.ts";
import type { Queue } from "../../../../src/worker/queue/interface.ts";
import type { StoredRefusal } from "../../../../src/worker/queue/stored-records.ts";
import { done, type Lots } from "./calls.ts";
import { EngineLives } from "./engine-lives.ts";
import { badName, FamilySource, FamilyTarget } from "./family-worlds.ts";

/** A table whose rows point at another's, or its own. */
export interface Relation {
  readonly table: string;
  readonly parent?: string;
  readonly mandatory?: boolean;
  readonly applyUpdates?: boolean;
  readonly deleteUnmatched?: boolean;
}

export function mappingOf({ table, parent, mandatory = false, ...rest }: Relation): IngressMapping {
  const { applyUpdates = true, deleteUnmatched = true } = rest;
  const link = { resource: resourceOf(parent ?? ""), key: "key", mandatory };
  return {
    table,
    resource: resourceOf(table),
    key: { column: `${table}id`, field: "key" },
    fields: [
      { column: "fullname", field: "name", applyUpdates: true },
      { column: "revision", field: "revision", applyUpdates: true },
      ...(parent === undefined ? [] : [{ column: "parentid", field: "parent", applyUpdates, link }]),
    ],
    filter: { match: "All", conditions: [{ column: "active", operator: "Equals", value: "1" }], deleteUnmatched },
    applyDeletes: true,
    picklistValues: "Label",
  };
}

function resourceOf(table: string): string {
  return `cus${table}`;
}

const leaseMs = 30_000;
const settings = {
  pageSize: 3,
  parallelism: 4,
  leaseMs,
  highWaterRecords: 6,
  lowWaterRecords: 3,
  mostParkedRecords: 4,
  waveRefusals: 10_000,
};

/** The engine on its real store, between tables that point at each other and Campaign in memory. */
export class Family {
  readonly #lives = new EngineLives();
  readonly clock = this.#lives.clock;
  readonly source: FamilySource;
  readonly target: FamilyTarget;
  readonly #relations: readonly Relation[];
  #mappings: readonly IngressMapping[];
  /** Writing calls so far, by method. */
  writes = 0;
  lots: Lots;

  constructor(relations: readonly Relation[], lots: Lots = () => done) {
    this.#relations = relations;
    this.#mappings = relations.map(mappingOf);
    this.lots = lots;
    const next: Lots = (call) => {
      if (call === "insert" || call === "updateByKey" || call === "deleteByKey") this.writes += 1;
      return this.lots(call);
    };
    const tables = relations.map(({ table }) => table);
    this.source = new FamilySource(tables, next, this.clock);
    this.target = new FamilyTarget(this.#mappings, next, this.clock, leaseMs - 2000);
  }

  get queue(): Queue {
    return this.#lives.queue;
  }

  get mappings(): readonly IngressMapping[] {
    return this.#mappings;
  }

  get engine(): IngressEngine {
    return this.#lives.engine;
  }

  get failure(): unknown {
    return this.#lives.failure;
  }

  async start(mappings: readonly IngressMapping[] = this.#mappings): Promise<void> {
    this.#mappings = mappings;
    const [dataverse, campaign] = [this.source.client(), this.target.client()];
    await this.#lives.start({ mappings, dataverse, campaign, settings });
  }

  async kill(): Promise<void> {
    await this.#lives.kill();
  }

  async pass(durationMs: number): Promise<void> {
    const end = this.clock.now() + durationMs;
    await this.clock.until(() => this.failure !== undefined || this.clock.now() >= end, 2 * durationMs);
    if (this.failure !== undefined) throw this.failure;
  }

  /** With no more faults, until everything was read and nothing waits. */
  async settle(): Promise<void> {
    this.lots = () => done;
    await this.pass(2 * leaseMs + 10_000);
    await this.clock.until(async () => this.failure !== undefined || (await this.isQuiet()), 1_000_000);
    if (this.failure !== undefined) throw this.failure;
  }

  async isQuiet(): Promise<boolean> {
    const { mappings } = await this.engine.status();
    const counts = [...(await this.queue.counts()).values()];
    return mappings.every(({ phase }) => phase === "Incremental") && counts.every(({ pending }) => pending === 0);
  }

  /** What is not in Campaign as it should be, in words. */
  async faults(): Promise<readonly string[]> {
    const faults: string[] = [];
    for (const relation of this.#relations) {
      const { table } = relation;
      const dead = new Map((await this.refusals(table)).map((refusal) => [refusal.id, refusal]));
      for (const [id, row] of this.source.rows(table)) {
        const fault = row.isActive ? this.#faultOf(relation, id, dead.get(id)) : undefined;
        if (fault !== undefined) faults.push(`${table} ${id}: ${fault}`);
      }
      for (const id of this.target.keys(resourceOf(table))) {
        const row = this.source.rows(table).get(id);
        const isToGo = row === undefined || (!row.isActive && relation.deleteUnmatched !== false);
        const isKept = dead.get(id)?.reason === "StillLinked" && this.#isNeeded(table, id);
        if (isToGo && !isKept) faults.push(`${table} ${id}: is still in Campaign`);
      }
    }
    for (const [place, versions] of this.target.history) {
      if (versions.some((version, index) => version < (versions[index - 1] ?? 0))) faults.push(`${place}: backwards`);
    }
    for (const place of this.target.hidden()) faults.push(`${place}: is hidden`);
    return faults;
  }

  /** Campaign has a record with a mandatory link to it. */
  #isNeeded(table: string, id: string): boolean {
    const serial = this.target.record(resourceOf(table), id)?.serial;
    return this.#relations.some(({ table: child, parent, mandatory }) => {
      const resource = resourceOf(child);
      const links = this.target.keys(resource).map((key) => this.target.record(resource, key)?.fields["parent"]);
      return mandatory === true && parent === table && links.includes(serial);
    });
  }

  async refusals(table: string): Promise<readonly StoredRefusal[]> {
    return await this.queue.records.refusals({ mapping: table }, 1000);
  }

  #faultOf(relation: Relation, id: string, dead: StoredRefusal | undefined): string | undefined {
    const { table, parent: parentTable, mandatory = false } = relation;
    const row = this.source.rows(table).get(id);
    const record = this.target.record(resourceOf(table), id);
    const parent =
      row?.parent === undefined || row.parent.table !== parentTable
        ? undefined
        : this.target.record(resourceOf(parentTable), row.parent.id);
    if (mandatory && parentTable !== undefined && parent === undefined) {
      // What Campaign refused already is not asked again because its target went.
      const isRefused = row?.name === badName && dead?.reason === "Refused";
      if (isRefused || dead?.reason === "ParentMissing") return undefined;
      return `is ${dead?.reason ?? "not dead"}, not ParentMissing`;
    }
    if (row?.name === badName) return dead?.reason === "Refused" ? undefined : "is not refused";
    if (dead !== undefined) return `is dead: ${dead.message}`;
    if (record === undefined) return "is not in Campaign";
    if (record.fields["revision"] !== row?.version) return "is old";
    const link = record.fields["parent"];
    const { serial } = parent ?? {};
    // A link to a record that went leads to nothing.
    const leadsTo = this.target
      .keys(resourceOf(parentTable ?? table))
      .some((key) => this.target.record(resourceOf(parentTable ?? table), key)?.serial === link);
    return serial === (leadsTo ? link : undefined) ? undefined : `its link is ${link}, not ${serial}`;
  }

  async end(): Promise<void> {
    await this.#lives.end();
  }
}
