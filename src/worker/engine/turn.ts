/**
 * One record's turn: from a lease to its settlement.
 *
 * Always: `begin` is on disk before a write leaves; only a definite answer changes what is known as written; a write whose
 * outcome is not known is settled as such, and the store keeps the key out until it can no longer land.
 */
import type { IngressMapping } from "../../api/integration-workflow.ts";
import type { CampaignFields, CampaignKey } from "../campaign/interface.ts";
import type { Plan } from "../flows/ingress/plan.ts";
import { adoptionBody, insertBody, type MappedFields, mapRow, updateBody } from "../flows/ingress/record.ts";
import { ServiceError } from "../http/service-error.ts";
import type { LeasedRecord, Settlement, WrittenRecord } from "../queue/interface.ts";
import type { EngineContext } from "./context.ts";

/** The record was changed while it waited: its turn comes again. */
export const superseded = Symbol("superseded");

/** How a turn ended; `cause` when it was not as wished. */
export interface TurnEnd {
  readonly settlement: Settlement | typeof superseded;
  readonly cause?: unknown;
}

interface Content {
  readonly targetKey: string;
  readonly fields: MappedFields;
  readonly version: bigint;
}

export class Turn {
  readonly #record: LeasedRecord;
  readonly #plan: Plan;
  readonly #mappingHash: string;
  readonly #context: EngineContext;
  readonly #signal: AbortSignal;
  /** What is surely in Campaign if the write under way is not done. */
  #before: WrittenRecord | undefined;
  #isWriting = false;
  #version: bigint | undefined;

  constructor(record: LeasedRecord, plan: Plan, mappingHash: string, context: EngineContext, signal: AbortSignal) {
    this.#record = record;
    this.#plan = plan;
    this.#mappingHash = mappingHash;
    this.#context = context;
    this.#signal = signal;
    this.#before = record.written;
    this.#version = record.version;
  }

  async take(): Promise<TurnEnd> {
    try {
      return { settlement: await this.#settlement() };
    } catch (cause) {
      return { settlement: this.#failed(cause), cause };
    }
  }

  get #mapping(): IngressMapping {
    return this.#plan.mapping;
  }

  async #settlement(): Promise<Settlement | typeof superseded> {
    const { operation, content, inferred, version } = this.#record;
    if (operation === "Delete") {
      // A deletion by the filter has the version of the row that left it.
      const isFiltered = inferred && version !== undefined;
      const wanted = isFiltered ? (this.#mapping.filter?.deleteUnmatched ?? false) : this.#mapping.applyDeletes;
      if (isFiltered && !wanted) return { kind: "Left", version };
      return this.#remove(wanted);
    }
    if (content !== undefined && version !== undefined) {
      const fields = JSON.parse(content.payload) as MappedFields; // Written by the reader, of this same mapping.
      return this.#write({ targetKey: content.targetKey, fields, version });
    }
    return this.#readAgain();
  }

  async #readAgain(): Promise<Settlement | typeof superseded> {
    const { table, columns, labels } = this.#plan;
    const row = await this.#context.dataverse.readRecord(table, this.#record.id, columns, labels, this.#signal);
    if (row === undefined) return this.#remove(this.#mapping.applyDeletes);
    this.#version = row.version;
    const mapped = mapRow(this.#plan, row.row);
    switch (mapped.kind) {
      case "Mapped":
        return this.#write({ ...mapped, version: row.version });
      case "Refused":
        return this.#dead(mapped.refusal.reason, mapped.refusal.message);
      case "FilteredOut": {
        const remove = this.#mapping.filter?.deleteUnmatched === true && this.#before !== undefined;
        return { kind: remove ? "RemoveLater" : "Left", version: row.version };
      }
    }
  }

  /** Only what this workflow wrote, or may have written, is removed. */
  async #remove(wanted: boolean): Promise<Settlement | typeof superseded> {
    const before = this.#before;
    if (before === undefined || !wanted) return { kind: "Removed", sent: false };
    if (!(await this.#begin({ ...before, certainty: "Unknown" }))) return superseded;
    await this.#writing(() => this.#context.campaign.deleteByKey(this.#key(before.targetKey), this.#signal));
    return { kind: "Removed", sent: true };
  }

  async #write(content: Content): Promise<Settlement | typeof superseded> {
    if (this.#before !== undefined && this.#before.targetKey !== content.targetKey) {
      // The key's value changed in Dataverse: to Campaign that is another record.
      if ((await this.#remove(this.#mapping.applyDeletes)) === superseded) return superseded;
      this.#before = undefined;
    }
    const before = this.#before;
    if (before === undefined) return this.#insertOrAdopt(content);
    if (before.certainty === "Inserting") return this.#adoptOrInsert(content);
    return this.#update(content, before);
  }

  async #insertOrAdopt(content: Content): Promise<Settlement | typeof superseded> {
    const { listedThere } = this.#record;
    const isThere = listedThere ?? (await this.#isThere(content));
    if (isThere) return this.#adoptOrInsert(content);
    if (!(await this.#begin(this.#unconfirmed(content, "Inserting")))) return superseded;
    try {
      await this.#insert(content);
    } catch (error) {
      // The list may be out of date: somebody else may have made a record with this key since.
      const isRefused = error instanceof ServiceError && error.scope === "Record" && error.outcome === "Refused";
      if (listedThere === undefined || !isRefused || !(await this.#isThere(content))) throw error;
      return this.#adoptOrInsert(content);
    }
    return this.#written(content);
  }

  /** The record is, or may be, there, and every field is to be written. */
  async #adoptOrInsert(content: Content): Promise<Settlement | typeof superseded> {
    if (!(await this.#begin(this.#unconfirmed(content, "Inserting")))) return superseded;
    const result = await this.#patch(content, adoptionBody(this.#plan, content.fields));
    if (result === "Missing") await this.#insert(content);
    return this.#written(content);
  }

  async #update(content: Content, before: WrittenRecord): Promise<Settlement | typeof superseded> {
    const { replay } = this.#record;
    const body = before.left ? adoptionBody(this.#plan, content.fields) : updateBody(this.#plan, content.fields);
    const hash = this.#hash(content);
    const isUnchanged = before.certainty === "Known" && before.hash === hash && !before.left;
    if (!replay && (isUnchanged || Object.keys(body).length === 0)) return this.#written(content, false);
    if (!(await this.#begin(this.#unconfirmed(content, "Unknown", before.left)))) return superseded;
    const result = await this.#patch(content, replay ? content.fields : body);
    if (result === "Updated") return this.#written(content);
    if (!replay) {
      return this.#dead(
        "RemovedInCampaign",
        "this workflow wrote the record, and Campaign no longer has it: it is not made again unless it is replayed",
      );
    }
    if (!(await this.#begin(this.#unconfirmed(content, "Inserting")))) return superseded;
    await this.#insert(content);
    return this.#written(content);
  }

  async #isThere({ targetKey }: Content): Promise<boolean> {
    return (await this.#context.campaign.findByKey(this.#key(targetKey), this.#signal)).length > 0;
  }

  #insert({ targetKey, fields }: Content): Promise<void> {
    const { resource } = this.#mapping;
    const body = insertBody(this.#plan, targetKey, fields);
    return this.#writing(() => this.#context.campaign.insert(resource, body, this.#signal));
  }

  #patch({ targetKey }: Content, body: CampaignFields): Promise<"Updated" | "Missing"> {
    return this.#writing(() => this.#context.campaign.updateByKey(this.#key(targetKey), body, this.#signal));
  }

  async #writing<T>(call: () => Promise<T>): Promise<T> {
    this.#isWriting = true;
    const result = await call();
    this.#isWriting = false;
    return result;
  }

  #begin(written: WrittenRecord): Promise<boolean> {
    return this.#context.queue.begin(this.#record, written, this.#context.settings.leaseMs);
  }

  #key(value: string): CampaignKey {
    return { resource: this.#mapping.resource, field: this.#mapping.key.field, value };
  }

  /** Of what an update would send, under this mapping: an edited one matches nothing. */
  #hash({ fields }: Content): string {
    const body = JSON.stringify(updateBody(this.#plan, fields));
    return this.#context.queue.fingerprint(`${this.#mappingHash}\n${body}`);
  }

  #unconfirmed(content: Content, certainty: "Inserting" | "Unknown", left = false): WrittenRecord {
    const { targetKey, version } = content;
    return { targetKey, certainty, version, generation: this.#record.generation, left };
  }

  #written(content: Content, sent = true): Settlement {
    const { targetKey, version } = content;
    const { generation } = this.#record;
    const written = {
      targetKey,
      version,
      generation,
      certainty: "Known",
      hash: this.#hash(content),
      left: false,
    } as const;
    return { kind: "Written", written, sent };
  }

  #dead(reason: string, message: string): Settlement {
    return {
      kind: "Dead",
      before: this.#before,
      refusal: { reason, message },
      ...(this.#version === undefined ? {} : { version: this.#version }),
    };
  }

  #failed(error: unknown): Settlement {
    if (!(error instanceof ServiceError)) {
      // Not a service's answer: what became of a write that was under way is not known.
      return this.#isWriting
        ? { kind: "Unknown" }
        : { kind: "Retry", before: this.#before, afterMs: 5000, counts: true };
    }
    if (this.#isWriting && error.outcome === "Unknown") return { kind: "Unknown" };
    if (error.scope === "Record") return this.#dead(error.code, error.message);
    return { kind: "Retry", before: this.#before, afterMs: this.#retryAfterMs(error), counts: true };
  }

  #retryAfterMs(error: ServiceError): number {
    if (error.code === "Aborted") return 0;
    const { attempts } = this.#record;
    const { random } = this.#context;
    const full = Math.min(60_000, 500 * 2 ** Math.min(attempts, 10));
    return Math.max((error.retryAfterSeconds ?? 0) * 1000, full / 2 + (full / 2) * random());
  }
}
