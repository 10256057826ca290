/**
 * The two systems in memory, whose tables, columns, resources and fields people change while the engine runs. As in the
 * real ones, what is dropped loses its values, no row counts as changed by it, and Campaign may ignore a field that it does
 * not know without a word.
 */
import type { Campaign, CampaignFields } from "../../../../src/worker/campaign/interface.ts";
import type {
  Dataverse,
  TableMetadata,
  TrackedRead,
  TrackedRecord,
} from "../../../../src/worker/dataverse/interface.ts";
import type { EngineSettings } from "../../../../src/worker/engine/settings.ts";
import { CampaignError, DataverseError, type ServiceErrorCode } from "../../../../src/worker/http/service-error.ts";
import type { Lots } from "./calls.ts";
import { EngineLives } from "./engine-lives.ts";
import { leaseMs, mapping } from "./simulation.ts";
import { SourceWorld, TargetWorld } from "./worlds.ts";

/** What people do to the schema that the mapping uses; `Mend` puts everything back. */
export type Publication =
  | "DropColumn"
  | "RetypeColumn"
  | "DropTable"
  | "TurnTrackingOff"
  | "DropField"
  | "DropResource"
  | "PublishOther"
  | "Mend";

const settings: Partial<EngineSettings> = { pageSize: 3, parallelism: 4, leaseMs };

export class Publishing {
  readonly #lives = new EngineLives();
  readonly clock = this.#lives.clock;
  readonly source: SourceWorld;
  readonly target: TargetWorld;
  /** Whether Campaign takes a field that it does not have without a word, or refuses the record. */
  ignoresUnknownFields = true;
  /** Whether Dataverse says on each page by which version of its metadata it was read. */
  tellsVersion = true;
  lots: Lots = () => ({ fate: "Done", delayMs: 0 });
  /** As it is from the next start on. */
  mapping = mapping;
  #broken = new Set<Publication>();
  #version = 1;
  /** Changes that were made while nothing was tracked, by row version. */
  readonly #untracked = new Set<bigint>();

  constructor() {
    this.source = new SourceWorld((call) => this.lots(call), this.clock);
    this.target = new TargetWorld((call) => this.lots(call), this.clock, leaseMs - 2000);
  }

  /** Where the store is. */
  get directory(): string {
    return this.#lives.directory;
  }

  get isWhole(): boolean {
    return this.#broken.size === 0;
  }

  publish(what: Publication): void {
    // Of Campaign's side Dataverse knows nothing.
    if (what !== "DropField" && what !== "DropResource") this.#version += 1;
    if (what === "PublishOther") return;
    if (what === "Mend") {
      this.#broken = new Set();
      return;
    }
    this.#broken.add(what);
    if (what === "DropColumn" || what === "RetypeColumn") {
      // Its values are lost, and no row counts as changed.
      for (const [id, row] of this.source.rows) this.source.rows.set(id, { ...row, name: "" });
      this.source.expireTokens();
    }
    if (what === "DropField") for (const record of this.target.records) delete record["name"];
    if (what === "DropTable") this.source.expireTokens();
  }

  put(id: string, name: string): void {
    this.source.put(id, this.#broken.has("DropColumn") || this.#broken.has("RetypeColumn") ? "" : name);
    const version = this.source.rows.get(id)?.version ?? 0;
    if (this.#broken.has("TurnTrackingOff")) this.#untracked.add(BigInt(version));
  }

  /** At the start, a worker whose only mapping does not fit ends: the next one is started then. */
  get failure(): unknown {
    return this.#lives.failure;
  }

  async start(): Promise<void> {
    const [dataverse, campaign] = [this.#dataverse(), this.#campaign()];
    await this.#lives.start({ mappings: [this.mapping], dataverse, campaign, settings });
  }

  async kill(): Promise<void> {
    await this.#lives.kill();
  }

  async restart(): Promise<void> {
    await this.kill();
    this.#lives.failure = undefined;
    await this.start();
  }

  async counts(): Promise<{ pending: number; dead: number }> {
    return (await this.#lives.queue.counts()).get("contact") ?? { pending: 0, dead: 0 };
  }

  async drifts(): Promise<readonly string[]> {
    const { schemaDrift } = await this.#lives.engine.status();
    return schemaDrift.map(({ message }) => message);
  }

  async pass(durationMs: number): Promise<void> {
    await this.#lives.pass(durationMs);
  }

  /** Everything has arrived, and nothing waits. */
  async settled(): Promise<void> {
    await this.clock.until(async () => {
      if (this.failure !== undefined) await this.restart();
      const { pending, dead } = await this.counts();
      return pending === 0 && dead === 0 && this.isSame();
    }, 2_000_000);
  }

  isSame(): boolean {
    if (this.target.records.length !== this.source.rows.size) return false;
    return [...this.source.rows].every(([id, { name, version }]) => {
      const [found] = this.target.with(id);
      return (found?.["name"] ?? "") === name && found?.["revision"] === version;
    });
  }

  async end(): Promise<void> {
    await this.#lives.end();
  }

  #dataverse(): Dataverse {
    const client = this.source.client();
    const has = (what: Publication) => this.#broken.has(what);
    const refuse = (code: ServiceErrorCode) => {
      throw new DataverseError(`Dataverse refused it: ${code}`, { code, outcome: "Refused", status: 400 });
    };
    const asked = (metadata: TableMetadata, columns: readonly string[]) => {
      if (has("DropTable")) refuse("TableMissing");
      if (has("DropColumn") && columns.includes("fullname") && metadata.columns.has("fullname"))
        refuse("ColumnMissing");
    };
    const shown = (record: TrackedRecord): TrackedRecord => {
      if (!has("RetypeColumn")) return record;
      return { ...record, row: { ...record.row, fullname: Number(record.version) } };
    };
    return {
      ...client,
      tableMetadata: async (table, columns, signal) => {
        const metadata = await client.tableMetadata(table, columns, signal);
        if (has("DropTable")) refuse("TableMissing");
        const found = new Map(metadata.columns);
        if (has("DropColumn")) found.delete("fullname");
        else if (has("RetypeColumn"))
          found.set("fullname", { name: "fullname", type: "Integer", property: "fullname" });
        return { ...metadata, columns: found, changeTracking: !has("TurnTrackingOff") };
      },
      readTracked: async (read: TrackedRead, signal) => {
        asked(read.metadata, read.columns);
        if (has("TurnTrackingOff")) refuse("ChangeTrackingOff");
        const page = await client.readTracked(read, signal);
        const isDelta = read.cursor.kind === "delta" || (read.cursor.kind === "next" && /delta/.test(read.cursor.link));
        const records = isDelta ? page.records.filter(({ version }) => !this.#untracked.has(version)) : page.records;
        const version = this.tellsVersion ? { schemaVersion: String(this.#version) } : {};
        return { ...page, ...version, records: records.map(shown) };
      },
      readRecord: async (metadata, id, columns, labels, signal) => {
        asked(metadata, columns);
        const record = await client.readRecord(metadata, id, columns, labels, signal);
        return record === undefined ? undefined : shown(record);
      },
    };
  }

  #campaign(): Campaign {
    const client = this.target.client();
    const has = (what: Publication) => this.#broken.has(what);
    const taken = (fields: CampaignFields): CampaignFields => {
      if (has("DropResource")) {
        throw new CampaignError("no such resource", { code: "ResourceMissing", outcome: "Refused", status: 404 });
      }
      if (!has("DropField") || !("name" in fields)) return fields;
      const { name: _, ...known } = fields;
      if (this.ignoresUnknownFields) return known;
      throw new CampaignError("the property 'name' is not known", { code: "Refused", outcome: "Refused", status: 400 });
    };
    return {
      ...client,
      resourceMetadata: async (resource, signal) => {
        const metadata = await client.resourceMetadata(resource, signal);
        taken({});
        const fields = new Map(metadata.fields);
        if (has("DropField")) fields.delete("name");
        return { ...metadata, fields };
      },
      insert: async (resource, fields, signal) => client.insert(resource, taken(fields), signal),
      updateByKey: async (key, fields, ...rest) => client.updateByKey(key, taken(fields), ...rest),
      deleteByKey: async (key, signal) => {
        taken({});
        return client.deleteByKey(key, signal);
      },
    };
  }
}
