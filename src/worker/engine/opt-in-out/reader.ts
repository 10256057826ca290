import { sleep } from "../../../telemetry/clock.ts";
import { ServiceError } from "../../http/service-error.ts";
import type { Checkpoint } from "../../queue/checkpoint.ts";
import { StoreOutage } from "../../queue/errors.ts";
import type { Reading } from "../../queue/interface.ts";
import { fatalOf } from "../fatal.ts";
import { backoffMs } from "../health.ts";
import { contactsMapping, exportsMapping, type OptInOutContext, profilesMapping } from "./context.ts";

/** One system's changes, read a part at a time. */
export interface Source {
  /** Before anything is read: where it begins. */
  begin?(signal: AbortSignal): Promise<void>;
  /** Does one thing. @returns how long to wait before the next */
  step(signal: AbortSignal): Promise<number>;
  /** Of a step that failed. @returns whether it is dealt with */
  failed?(error: unknown): boolean;
}

/** Something is gone, or another: what comes back has values that nobody chose, and makes void what was agreed. */
const voiding: ReadonlySet<string> = new Set([
  "TableMissing",
  "ColumnMissing",
  "ColumnNotYesNo",
  "ResourceMissing",
  "FieldMissing",
  "FieldNotYesNo",
]);

/** Between two looks at what another process does. */
const followEveryMs = 1000;

/**
 * Reads what changes in both systems into the queue, by one process of the workflow at a time. The others learn here for
 * which metadata the store was prepared.
 */
export class OptInOutReader {
  readonly #context: OptInOutContext;
  readonly #sources: readonly Source[];

  constructor(context: OptInOutContext, sources: readonly Source[]) {
    this.#context = context;
    this.#sources = sources;
  }

  /** Runs until `end` aborts. @throws FatalError */
  async run(end: AbortSignal): Promise<void> {
    const { clock, queue } = this.#context;
    let reading: Reading | undefined;
    while (!end.aborted) {
      try {
        if (reading === undefined || reading.lost.aborted) reading = await queue.read(contactsMapping);
        if (reading === undefined) await this.#follow();
        else await this.#read(AbortSignal.any([end, reading.lost]));
      } catch (error) {
        await this.#wait(error, end);
      }
      await sleep(clock, followEveryMs, end);
    }
    await reading?.end();
  }

  async #wait(error: unknown, end: AbortSignal): Promise<void> {
    const fatal = fatalOf(error);
    if (fatal !== undefined) throw fatal;
    const { clock, settings, logger } = this.#context;
    if (end.aborted) return;
    if (!(error instanceof StoreOutage)) logger.warn("read.failed", { mapping: contactsMapping, error });
    await sleep(clock, settings.fullStorePauseMs, end);
  }

  async #follow(): Promise<void> {
    const { state, queue } = this.#context;
    const stored = (await queue.checkpoints()).find(({ mapping }) => mapping === contactsMapping);
    state.checkpoint = stored;
    state.sourceTrouble = undefined;
    state.folder = undefined;
    this.#isPrepared(stored?.mappingHash);
  }

  #isPrepared(identity: string | undefined): void {
    const { state, wake } = this.#context;
    if (state.prepared === identity) return;
    state.prepared = identity;
    // Another process found other metadata.
    if (identity !== state.identity) state.isLookAsked = true;
    wake();
  }

  /** As long as the metadata is what it was at its beginning. */
  async #read(signal: AbortSignal): Promise<void> {
    const { state } = this.#context;
    const { identity } = state;
    if (identity === undefined) return this.#forgetIfBlocked();
    await this.#prepare(identity);
    for (const source of this.#sources) await source.begin?.(signal);
    const changed = new AbortController();
    const end = AbortSignal.any([signal, changed.signal]);
    const parts = this.#sources.map((source) => this.#readSource(source, identity, end).finally(() => changed.abort()));
    const ended = await Promise.allSettled([
      ...parts,
      this.#untilChanged(identity, end).finally(() => changed.abort()),
    ]);
    for (const one of ended) if (one.status === "rejected") throw one.reason;
  }

  async #untilChanged(identity: string, end: AbortSignal): Promise<void> {
    const { clock, state } = this.#context;
    while (!end.aborted && state.identity === identity) await sleep(clock, followEveryMs, end);
  }

  async #readSource(source: Source, identity: string, end: AbortSignal): Promise<void> {
    const { clock, state, random, logger, settings } = this.#context;
    for (let failures = 0; !end.aborted && state.identity === identity; ) {
      let waitMs: number;
      try {
        waitMs = await source.step(end);
        failures = 0;
      } catch (error) {
        if (end.aborted) return;
        const fatal = fatalOf(error);
        if (fatal !== undefined) throw fatal;
        failures += 1;
        const retryAfterMs = error instanceof ServiceError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
        waitMs = Math.max(backoffMs(failures, random()), retryAfterMs);
        if (error instanceof ServiceError && error.scope === "Mapping") state.isLookAsked = true;
        if (error instanceof StoreOutage) waitMs = settings.fullStorePauseMs;
        else if (source.failed?.(error) !== true) {
          logger.warn("read.failed", { mapping: contactsMapping, failures, tryAgainMs: Math.round(waitMs), error });
        }
      }
      await sleep(clock, waitMs, end);
    }
  }

  async #forgetIfBlocked(): Promise<void> {
    const { state, queue } = this.#context;
    if (!voiding.has(state.block?.reason ?? "")) return;
    const stored = (await queue.checkpoints()).find(({ mapping }) => mapping === contactsMapping);
    if (stored === undefined || stored.mappingHash === "") return;
    await queue.saveCheckpoint({ ...stored, mappingHash: "" });
    state.prepared = "";
  }

  /** What this run's configuration and both systems' metadata mean for what earlier runs left. */
  async #prepare(identity: string): Promise<void> {
    const { queue, state, logger, optInOut } = this.#context;
    const stored = await queue.checkpoints();
    const found = stored.find(({ mapping }) => mapping === contactsMapping);
    if (found?.mappingHash === identity) state.checkpoint = found;
    else {
      if (found !== undefined) logger.info("mapping.replaced", { mapping: contactsMapping });
      state.prepared = "";
      for (const { mapping } of stored) await queue.dropMapping(mapping);
      await queue.contacts.forgetFiles(contactsMapping);
      const generation = (found?.generation ?? 0) + 1;
      const readsDynamics = optInOut.direction !== "CampaignToDynamics";
      const checkpoint: Checkpoint = {
        mapping: contactsMapping,
        mappingHash: identity,
        generation,
        ...(readsDynamics ? { snapshot: { purpose: "FirstLoad", sweeping: false } } : {}),
      };
      await queue.saveCheckpoint(checkpoint);
      state.checkpoint = checkpoint;
    }
    for (const { mapping } of stored) {
      if (![contactsMapping, profilesMapping, exportsMapping].includes(mapping)) await queue.dropMapping(mapping);
    }
    this.#isPrepared(identity);
  }
}
