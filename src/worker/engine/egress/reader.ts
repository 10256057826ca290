import { sleep } from "../../../telemetry/clock.ts";
import { ExportsReader, type Header } from "../../exports/reader.ts";
import type { Portion } from "../../exports/store.ts";
import { type ReadTime, readerOfTimes } from "../../flows/egress/date-format.ts";
import { type EventKind, type EventOutcome, eventId, eventOf, exportKind } from "../../flows/egress/events.ts";
import type { FileProgress } from "../../flows/egress/files.ts";
import { StoreOutage } from "../../queue/errors.ts";
import type { Checkpoint, Incoming, PageCommit, Reading } from "../../queue/interface.ts";
import { SftpError } from "../../sftp/errors.ts";
import type { Sftp } from "../../sftp/interface.ts";
import { FatalError, fatalOf } from "../fatal.ts";
import { type EgressContext, exportsMapping } from "./context.ts";

/** While the store has all that it is to have. */
const lookForRoomEveryMs = 1000;

/**
 * Reads the exported files into the queue, by one process of the workflow at a time. A part of a file, its events and the
 * place behind it are one transaction, so whenever it dies nothing is lost; the events' ids make repetitions harmless.
 */
export class EgressReader {
  readonly #context: EgressContext;
  readonly #kinds: ReadonlySet<EventKind>;
  readonly #readTime: ReadTime;
  /** Why the server does not answer, until it does. */
  #trouble: { readonly reason: string; readonly message: string } | undefined = {
    reason: "Starting",
    message: "the folder of exported files was not listed yet",
  };
  #reading: Reading | undefined;

  /** @throws FatalError `DateFormatInvalid` */
  constructor(context: EgressContext, kinds: ReadonlySet<EventKind>) {
    this.#context = context;
    this.#kinds = kinds;
    const { dateFormat, timeZone } = context.exports.format;
    const readTime = readerOfTimes(dateFormat, timeZone);
    if (typeof readTime === "string") {
      throw new FatalError("DateFormatInvalid", `campaign.sftp.format cannot be used: ${readTime}`);
    }
    this.#readTime = readTime;
  }

  get trouble(): { readonly reason: string; readonly message: string } | undefined {
    return this.#trouble;
  }

  /**
   * Reads what is ready again and again, until `end` aborts.
   * @throws FatalError
   */
  async run(end: AbortSignal): Promise<void> {
    const { clock, settings, logger } = this.#context;
    let exports: ExportsReader | undefined;
    while (!end.aborted) {
      let pauseMs = settings.pollIntervalMs;
      try {
        exports = await this.#whileReading(exports, end);
      } catch (error) {
        if (end.aborted) break;
        const fatal = fatalOf(error);
        if (fatal !== undefined) throw fatal;
        if (error instanceof SftpError) this.#trouble = { reason: `Sftp${error.code}`, message: error.message };
        if (error instanceof StoreOutage) pauseMs = settings.fullStorePauseMs;
        else logger.warn("exports.not-read", { tryAgainMs: pauseMs, error });
      }
      await sleep(clock, pauseMs, end);
    }
    await this.#reading?.end();
  }

  /** One round, if this process is the one that reads. */
  async #whileReading(before: ExportsReader | undefined, end: AbortSignal): Promise<ExportsReader | undefined> {
    const { queue } = this.#context;
    if (this.#reading?.lost.aborted) this.#reading = undefined;
    const isMine = this.#reading !== undefined;
    this.#reading ??= await queue.read(exportsMapping);
    if (this.#reading === undefined) {
      await queue.checkpoints(); // What the other process reads is written by this one too.
      this.#trouble = undefined;
      return undefined;
    }
    const signal = AbortSignal.any([end, this.#reading.lost]);
    const exports = (isMine ? before : undefined) ?? (await this.#begin(signal));
    await exports.round(signal);
    return exports;
  }

  async #begin(signal: AbortSignal): Promise<ExportsReader> {
    const { queue, sftp, exports, clock, stillSeconds, logger } = this.#context;
    const { egress } = this.#context;
    const checkpoints = await this.#prepare();
    const begun = checkpoints.get(exportsMapping)?.delta?.issuedAt ?? 0;
    const since = egress.since === undefined ? new Date(begun) : new Date(egress.since);
    logger.info("exports.reading", { folder: exports.path, since: since.toISOString(), kinds: [...this.#kinds] });
    return new ExportsReader({
      sftp: this.#observed(sftp),
      folder: exports.path,
      format: exports.format,
      headerOf,
      ...(stillSeconds === undefined ? {} : { stillSeconds }),
      store: {
        // Written by keep() alone.
        progress: async () => (await queue.files()).map(({ progress }) => JSON.parse(progress) as FileProgress),
        keep: async (portion) => {
          const { name } = portion.file;
          const pages = this.#pages(portion, checkpoints, since);
          await queue.commitFile({ name, progress: JSON.stringify(portion.file) }, pages);
          await this.#room(signal);
        },
      },
      nowMs: () => clock.now(),
      logger,
    });
  }

  /** What earlier runs had and this one does not is dropped; what is new begins. */
  async #prepare(): Promise<ReadonlyMap<string, Checkpoint>> {
    const { queue, now, logger } = this.#context;
    const wanted = new Set<string>([exportsMapping, ...this.#kinds]);
    const checkpoints = new Map<string, Checkpoint>();
    for (const checkpoint of await queue.checkpoints()) {
      const { mapping, mappingHash } = checkpoint;
      if (wanted.has(mapping) && mappingHash !== "") checkpoints.set(mapping, checkpoint);
      else {
        logger.info("mapping.removed", { mapping });
        await queue.dropMapping(mapping);
      }
    }
    for (const mapping of wanted) {
      if (checkpoints.has(mapping)) continue;
      // What came about before the first start is not written unless `since` says so.
      const delta = { link: exportsMapping, issuedAt: now() };
      const checkpoint: Checkpoint = { mapping, mappingHash: exportsMapping, generation: 1, delta };
      await queue.saveCheckpoint(checkpoint);
      checkpoints.set(mapping, checkpoint);
    }
    return checkpoints;
  }

  #pages({ file, rows }: Portion, checkpoints: ReadonlyMap<string, Checkpoint>, since: Date) {
    const { kind } = exportKind(file.position.columns ?? []);
    // An event that is exported again is tried again, if it was refused.
    const version = BigInt(Math.max(0, Math.trunc(file.modifiedSeconds)));
    const records = new Map<string, Map<string, Incoming>>();
    const put = (mapping: string, incoming: Incoming) => {
      const those = records.get(mapping) ?? new Map<string, Incoming>();
      records.set(mapping, those.set(incoming.id, incoming));
    };
    const rules = { kinds: this.#kinds, since, readTime: this.#readTime };
    for (const { line, content } of kind === "DeliveryLogs" || kind === "TrackingLogs" ? rows : []) {
      const outcome = eventOf(content, kind === "DeliveryLogs" ? kind : "TrackingLogs", rules);
      if (outcome.is === "Refused") put(exportsMapping, refusedLine(file.name, line, version, outcome));
      if (outcome.is !== "Event") continue;
      const { event } = outcome;
      const id = eventId(this.#context.configuration.spec.campaign.url, event.kind, event.logId);
      put(event.kind, { kind: "Upsert", id, version, content: { targetKey: id, payload: JSON.stringify(event) } });
    }
    const page = (mapping: string): PageCommit => ({
      checkpoint: checkpointOf(checkpoints, mapping),
      records: [...(records.get(mapping)?.values() ?? [])],
      stage: "Round",
      replay: false,
      listed: false,
    });
    const mappings = [...records.keys()].filter((mapping) => mapping !== exportsMapping).toSorted();
    return [page(exportsMapping), ...mappings.map(page)] as const;
  }

  /** Waits while more is queued than is to be: the disk is bounded. */
  async #room(signal: AbortSignal): Promise<void> {
    const { clock, settings, queue } = this.#context;
    for (let limit = settings.highWaterRecords; ; limit = settings.lowWaterRecords) {
      const counts = [...(await queue.counts()).values()];
      if (counts.reduce((sum, { pending }) => sum + pending, 0) <= limit) return;
      await sleep(clock, lookForRoomEveryMs, signal);
      signal.throwIfAborted();
    }
  }

  /** The same server, whose answers tell that it is there. */
  #observed(sftp: Sftp): Sftp {
    const answered = () => {
      this.#trouble = undefined;
    };
    return {
      list: async (folder, signal) => {
        const files = await sftp.list(folder, signal);
        answered();
        return files;
      },
      stat: (path, signal) => sftp.stat(path, signal),
      read: (path, fromByte, signal) => sftp.read(path, fromByte, signal),
    };
  }
}

function headerOf(columns: readonly string[]): Header {
  const { kind } = exportKind(columns);
  return kind === "ColumnsMissing" ? "Incomplete" : kind === "Other" ? "Other" : "Export";
}

function checkpointOf(checkpoints: ReadonlyMap<string, Checkpoint>, mapping: string): Checkpoint {
  const checkpoint = checkpoints.get(mapping);
  if (checkpoint === undefined) throw new Error(`nothing was prepared for ${mapping}`);
  return checkpoint;
}

function refusedLine(
  file: string,
  line: number,
  version: bigint,
  { why, column }: Extract<EventOutcome, { is: "Refused" }>,
): Incoming {
  const where = column === undefined ? "" : `, column ${column}`;
  const message = `line ${line} of the file ${file}${where} is not understood (${why})`;
  return { kind: "Refused", id: `${file}:${line}`, version, refusal: { reason: `Line${why}`, message } };
}
