/**
 * One record's turn: from a lease to its settlement.
 *
 * Always: `begin` is on disk before each write leaves, with a lease of that call's own; only a definite answer changes what
 * is known as written; a write whose outcome is not known is settled as such, and the store keeps the key out until it can
 * no longer land.
 */
import type { IngressMapping } from "../../api/integration-workflow.ts";
import type { CampaignFields, CampaignKey } from "../campaign/interface.ts";
import type { LinkedFields, MappedFields } from "../flows/ingress/links.ts";
import type { Plan } from "../flows/ingress/plan.ts";
import { adoptionBody, insertBody, mapRow, updateBody } from "../flows/ingress/record.ts";
import { isRefused, ServiceError } from "../http/service-error.ts";
import { parentMissing, removedInCampaign, stillLinked } from "../queue/reasons.ts";
import type { LeasedRecord, Leave, Settlement, WrittenRecord } from "../queue/turn.ts";
import type { EngineContext } from "./context.ts";
import type { HashTrust } from "./hash-trust.ts";
import { RecordLinks } from "./record-links.ts";
import type { Content, ReadContent } from "./turn-content.ts";

/** Tries of a deletion while records that have mandatory links to the record may still go. */
const triesWhileLinked = 12;

/** A lease is longer than a call by more than this part of it. */
const leaseForLeave = 4;

/** How a turn ended; `cause` when it was not as wished. No settlement: the record was changed, and its turn comes again. */
export interface TurnEnd {
  readonly settlement: Settlement | undefined;
  readonly cause?: unknown;
}

/** The store gives no leave for a call, which ends the turn. */
class NoLeave extends Error {
  override readonly name = "NoLeave";
  readonly settlement: Settlement | undefined;

  constructor(settlement: Settlement | undefined) {
    super("the store gives no leave for a call");
    this.settlement = settlement;
  }
}

export class Turn {
  readonly #record: LeasedRecord;
  readonly #plan: Plan;
  readonly #mappingHash: string;
  readonly #trust: HashTrust;
  readonly #context: EngineContext;
  readonly #signal: AbortSignal;
  /** What is surely in Campaign if the write under way is not done. */
  #before: WrittenRecord | undefined;
  #isWriting = false;
  #version: bigint | undefined;

  constructor(
    record: LeasedRecord,
    plan: Plan,
    { mappingHash, trust }: { readonly mappingHash: string; readonly trust: HashTrust },
    context: EngineContext,
    signal: AbortSignal,
  ) {
    this.#record = record;
    this.#plan = plan;
    this.#mappingHash = mappingHash;
    this.#trust = trust;
    this.#context = context;
    this.#signal = signal;
    this.#before = record.written;
    this.#version = record.version;
  }

  async take(): Promise<TurnEnd> {
    try {
      return { settlement: await this.#settlement() };
    } catch (cause) {
      if (cause instanceof NoLeave) return { settlement: cause.settlement };
      return { settlement: this.#failed(cause), cause };
    }
  }

  get #mapping(): IngressMapping {
    return this.#plan.mapping;
  }

  async #settlement(): Promise<Settlement> {
    const { operation, content, version } = this.#record;
    if (operation === "Delete" && version !== undefined) {
      return this.#mapping.filter?.deleteUnmatched ? this.#remove(true) : { kind: "Left", version };
    }
    if (content !== undefined && version !== undefined) {
      const fields = JSON.parse(content.payload) as MappedFields; // Written by the reader, of this same mapping.
      return this.#link({ targetKey: content.targetKey, fields, version });
    }
    return this.#readAgain();
  }

  async #readAgain(): Promise<Settlement> {
    const { table, columns, labels } = this.#plan;
    const row = await this.#context.dataverse.readRecord(table, this.#record.id, columns, labels, this.#signal);
    if (row === undefined) return this.#remove(this.#mapping.applyDeletes);
    this.#version = row.version;
    const mapped = mapRow(this.#plan, row.row);
    switch (mapped.kind) {
      case "Mapped":
        return this.#link({ ...mapped, version: row.version });
      case "Refused":
        return this.#dead(mapped.refusal.reason, mapped.refusal.message);
      case "FilteredOut": {
        const remove = this.#mapping.filter?.deleteUnmatched === true && this.#before !== undefined;
        return { kind: remove ? "RemoveLater" : "Left", version: row.version };
      }
    }
  }

  /** Only what this workflow wrote, or may have written, is removed, and nothing that is another row's too. */
  async #remove(wanted: boolean, isReplaced = false): Promise<Settlement> {
    const before = this.#before;
    if (before === undefined || !wanted) return { kind: "Removed", sent: false };
    const leave = await this.#begin({ ...before, certainty: "Removing" }, isReplaced);
    if (leave !== "Begun" && leave !== "BegunBeside") return { kind: "Removed", sent: false };
    await this.#writing(() => this.#context.campaign.deleteByKey(this.#key(before.targetKey), this.#signal));
    return { kind: "Removed", sent: true };
  }

  /** Writes the record once its parents are there, those that it can do without apart. */
  async #link(content: ReadContent): Promise<Settlement> {
    const links = new RecordLinks(this.#record, this.#plan, content.fields, this.#context);
    for (;;) {
      const answer = await links.resolve();
      if (answer.kind === "Wait") return { kind: "Park" };
      if (answer.kind === "Missing") return this.#dead(parentMissing, answer.message);
      try {
        return await this.#write({ ...content, ...answer });
      } catch (error) {
        const isMissing = error instanceof ServiceError && error.code === "LinkTargetMissing";
        if (!isMissing || !(await links.lookForParents(this.#signal))) throw error;
      }
    }
  }

  async #write(content: Content): Promise<Settlement> {
    if (this.#before !== undefined && this.#before.targetKey !== content.targetKey) {
      // The key's value changed in Dataverse: to Campaign that is another record.
      await this.#remove(this.#mapping.applyDeletes, true);
      this.#before = undefined;
    }
    const before = this.#before;
    if (before === undefined) return this.#insertOrAdopt(content);
    // What may have been made or removed by a call without an answer is there, or not.
    if (before.certainty === "Inserting" || before.certainty === "Removing") return this.#adoptOrInsert(content);
    return this.#update(content, before);
  }

  async #insertOrAdopt(content: Content): Promise<Settlement> {
    const { listedThere } = this.#record;
    const looks = listedThere === undefined && !(await this.#refusesDuplicates(content));
    if (listedThere ?? (looks && (await this.#isThere(content)))) return this.#adoptOrInsert(content);
    const leave = await this.#beginWrite(content, "Inserting");
    if (leave === "BegunBeside") return this.#adoptOrInsert(content);
    try {
      await this.#send(content);
    } catch (error) {
      // Nobody looked, or the list is out of date: somebody else may have made a record with this key.
      if (looks || !isRefused(error) || !(await this.#isThere(content))) throw error;
      return this.#adoptOrInsert(content);
    }
    return this.#written(content);
  }

  /** The record is, or may be, there, and every field is to be written. */
  async #adoptOrInsert(content: Content): Promise<Settlement> {
    await this.#beginWrite(content, "Inserting");
    const result = await this.#patch(content, adoptionBody(this.#plan, content.fields));
    return result === "Missing" ? this.#insert(content) : this.#written(content);
  }

  async #update(content: Content, before: WrittenRecord): Promise<Settlement> {
    const { replay } = this.#record;
    const { fields, owed } = content;
    const isOwed = Object.keys(owed).length > 0;
    const isSame =
      before.certainty === "Known" &&
      before.hash === this.#hash(content) &&
      this.#trust.believes(before.checked ?? 0) &&
      !before.left;
    const isUnchanged = isSame && !isOwed;
    const lost = this.#lost(fields, before);
    const update = { ...updateBody(this.#plan, fields), ...lost, ...owed };
    const isEmpty = !before.left && Object.keys(update).length === 0;
    if (!replay && (isUnchanged || isEmpty)) return this.#written(content, false);
    await this.#beginWrite(content, "Unknown", before.left);
    const body = before.left ? adoptionBody(this.#plan, fields) : replay ? { ...fields, ...lost } : update;
    // What a replay makes has its constants; what is there keeps those that people gave it.
    const lookFirst = replay && !before.left ? "LookFirst" : undefined;
    if ((await this.#patch(content, body, lookFirst)) === "Updated") return this.#written(content);
    if (replay) return this.#insert(content);
    return this.#dead(
      removedInCampaign,
      "this workflow wrote the record, and Campaign no longer has it: it is not made again unless it is re-driven or its mapping replayed",
    );
  }

  /** What Campaign lost of what is written on insert only. */
  #lost(fields: LinkedFields, before: WrittenRecord): CampaignFields {
    const once: CampaignFields = { ...fields, ...this.#plan.constants };
    const names = this.#trust.lostSince(before.checked ?? 0).filter((name) => name in once);
    return Object.fromEntries(names.map((name) => [name, once[name]]));
  }

  async #insert(content: Content): Promise<Settlement> {
    await this.#beginWrite(content, "Inserting");
    await this.#send(content);
    return this.#written(content);
  }

  async #isThere({ targetKey }: Content): Promise<boolean> {
    return (await this.#context.campaign.findByKey(this.#key(targetKey), this.#signal)).length > 0;
  }

  #refusesDuplicates({ targetKey }: Content): Promise<boolean> {
    return this.#context.campaign.refusesDuplicates(this.#key(targetKey), this.#signal);
  }

  #send({ targetKey, fields }: Content): Promise<void> {
    const { resource } = this.#mapping;
    const body = insertBody(this.#plan, targetKey, fields);
    return this.#writing(() => this.#context.campaign.insert(resource, body, this.#signal));
  }

  #patch({ targetKey }: Content, body: CampaignFields, lookFirst?: "LookFirst"): Promise<"Updated" | "Missing"> {
    return this.#writing(() => this.#context.campaign.updateByKey(this.#key(targetKey), body, this.#signal, lookFirst));
  }

  async #writing<T>(call: () => Promise<T>): Promise<T> {
    this.#isWriting = true;
    try {
      const result = await call();
      this.#isWriting = false;
      return result;
    } catch (error) {
      if (error instanceof ServiceError && error.outcome !== "Unknown") this.#isWriting = false;
      throw error;
    }
  }

  /**
   * @param isReplaced another record is to be there for the one that goes; what has links to it moves only then
   * @throws NoLeave
   */
  async #begin(written: WrittenRecord, isReplaced = false): Promise<Leave> {
    const { queue, settings, logger, clock } = this.#context;
    const askedAt = clock.now();
    const leave = await queue.begin(this.#record, written, settings.leaseMs);
    // This process stood still: the call may land when the lease is over and another process has the record.
    if (clock.now() - askedAt > settings.leaseMs / leaseForLeave) throw new NoLeave(this.#retry(0));
    if (leave === "Superseded") throw new NoLeave(undefined);
    if (leave === "KeyBusy") throw new NoLeave(this.#retry(0));
    if (isReplaced && (leave === "LinkedForNow" || leave === "StillLinked")) {
      const { mapping, id } = this.#record;
      logger.warn("record.left-behind", {
        mapping,
        id,
        why: "its key changed, and mandatory links lead to the old one",
      });
      return leave;
    }
    const isPatient = this.#record.attempts < triesWhileLinked;
    if (leave === "LinkedForNow" && isPatient) throw new NoLeave(this.#retry(0));
    if (leave === "LinkedForNow" || leave === "StillLinked") {
      throw new NoLeave(
        this.#dead(
          stillLinked,
          "it is to be deleted, and records with mandatory links to it are in Campaign, which would hide them for good: it is deleted when they are gone or point elsewhere",
        ),
      );
    }
    return leave;
  }

  /** @throws NoLeave, also when a newer row has the key: then there is nothing to write */
  async #beginWrite(
    content: Content,
    certainty: "Inserting" | "Unknown",
    left: WrittenRecord["left"] = false,
  ): Promise<Leave> {
    const { targetKey, version } = content;
    const written = { targetKey, certainty, version, generation: this.#record.generation, left };
    const leave = await this.#begin(written);
    if (leave !== "KeyTaken") return leave;
    throw new NoLeave({ kind: "Written", written: { ...written, certainty: "Known", left: "Key" }, sent: false });
  }

  #key(value: string): CampaignKey {
    return { resource: this.#mapping.resource, field: this.#mapping.key.field, value };
  }

  /** Of what an update would send, under this mapping: an edited one matches nothing. */
  #hash({ fields }: Content): string {
    const body = JSON.stringify(updateBody(this.#plan, fields));
    return this.#context.queue.fingerprint(`${this.#mappingHash}\n${body}`);
  }

  #written(content: Content, sent = true): Settlement {
    const { targetKey, version } = content;
    const { generation } = this.#record;
    // Of what was not sent, nothing new is known.
    const checked = sent ? this.#trust.stamp() : (this.#before?.checked ?? 0);
    const hash = checked === undefined ? {} : { hash: this.#hash(content), checked };
    const written = { targetKey, version, generation, certainty: "Known", ...hash, left: false } as const;
    return { kind: "Written", written, sent, ...(content.linked === undefined ? {} : { linked: content.linked }) };
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
    // Not a service's answer: what became of a write that was under way is not known.
    const isUnknown = !(error instanceof ServiceError) || error.outcome === "Unknown";
    if (this.#isWriting && isUnknown) return { kind: "Unknown" };
    if (!(error instanceof ServiceError)) return { kind: "Retry", before: this.#before, afterMs: 5000, counts: true };
    if (error.scope === "Record") return this.#dead(error.code, error.message);
    return this.#retry(error.code === "Aborted" ? undefined : (error.retryAfterSeconds ?? 0));
  }

  /** @param leastSeconds undefined: at once */
  #retry(leastSeconds: number | undefined): Settlement {
    const { attempts } = this.#record;
    const { random } = this.#context;
    const full = Math.min(60_000, 500 * 2 ** Math.min(attempts, 10));
    const afterMs = leastSeconds === undefined ? 0 : Math.max(leastSeconds * 1000, full / 2 + (full / 2) * random());
    return { kind: "Retry", before: this.#before, afterMs, counts: true };
  }
}
