import { sleep } from "../../../telemetry/clock.ts";
import type { FolderState } from "../../exports/folder.ts";
import { ExportsReader, type Header } from "../../exports/reader.ts";
import { type ReadTime, readerOfTimes } from "../../flows/egress/date-format.ts";
import { type EventKind, exportKind } from "../../flows/egress/events.ts";
import { StoreOutage } from "../../queue/errors.ts";
import type { Reading } from "../../queue/interface.ts";
import { SftpError } from "../../sftp/errors.ts";
import type { Sftp } from "../../sftp/interface.ts";
import { FatalError, fatalOf } from "../fatal.ts";
import { type EgressContext, exportsMapping } from "./context.ts";
import { EventIntake, storedFolder } from "./intake.ts";
import { redriveLines } from "./line-redrive.ts";

interface Trouble {
  readonly told: { readonly reason: string; readonly message: string };
  /** It is about reading files: that the folder is listed is no sign that it is over. */
  readonly ofFiles: boolean;
}

/** What the process has that reads. */
interface Mine {
  readonly intake: EventIntake;
  readonly exports: ExportsReader;
}

/**
 * Reads the exported files into the queue, by one process of the workflow at a time. A part of a file, its events and the
 * place behind it are one transaction, so whenever it dies nothing is lost; the events' ids make repetitions harmless.
 */
export class EgressReader {
  readonly #context: EgressContext;
  readonly #kinds: ReadonlySet<EventKind>;
  /** Of the configured format. */
  readonly readTime: ReadTime;
  /** Why the server does not answer, until it does. */
  #trouble: Trouble | undefined = {
    told: { reason: "Starting", message: "the folder of exported files was not listed yet" },
    ofFiles: false,
  };
  /** In this round. */
  #isListed = false;
  #reading: Reading | undefined;
  /** While this process is the one that reads. */
  #mine: Mine | undefined;
  #folder: FolderState | undefined;

  /** @throws FatalError `DateFormatInvalid` */
  constructor(context: EgressContext, kinds: ReadonlySet<EventKind>) {
    this.#context = context;
    this.#kinds = kinds;
    const { dateFormat, timeZone } = context.exports.format;
    const readTime = readerOfTimes(dateFormat, timeZone);
    if (typeof readTime === "string") {
      throw new FatalError("DateFormatInvalid", `campaign.sftp.format cannot be used: ${readTime}`);
    }
    this.readTime = readTime;
  }

  get trouble(): Trouble["told"] | undefined {
    return this.#trouble?.told;
  }

  /** How the folder stood when it was last listed, by whichever process reads. */
  get folder(): FolderState | undefined {
    return this.#folder;
  }

  /**
   * Reads what is ready again and again, until `end` aborts.
   * @throws FatalError
   */
  async run(end: AbortSignal): Promise<void> {
    const { clock, settings, logger } = this.#context;
    while (!end.aborted) {
      let pauseMs = settings.pollIntervalMs;
      this.#isListed = false;
      try {
        await this.#round(end);
      } catch (error) {
        if (end.aborted) break;
        const fatal = fatalOf(error);
        if (fatal !== undefined) throw fatal;
        if (error instanceof SftpError) {
          const told = { reason: `Sftp${error.code}`, message: error.message };
          this.#trouble = { told, ofFiles: this.#isListed };
        }
        if (error instanceof StoreOutage) pauseMs = settings.fullStorePauseMs;
        else logger.warn("exports.not-read", { tryAgainMs: pauseMs, error });
      }
      await sleep(clock, pauseMs, end);
    }
    await this.#reading?.end();
  }

  /** One round, if this process is the one that reads. */
  async #round(end: AbortSignal): Promise<void> {
    const { queue } = this.#context;
    if (this.#reading?.lost.aborted) this.#reading = undefined;
    if (this.#reading === undefined) this.#mine = undefined;
    this.#reading ??= await queue.read(exportsMapping);
    if (this.#reading === undefined) {
      // What the other process reads is written by this one too.
      this.#folder = storedFolder(await queue.checkpoints());
      this.#trouble = undefined;
      return;
    }
    const signal = AbortSignal.any([end, this.#reading.lost]);
    this.#mine ??= await this.#begin(signal);
    const { exports, intake } = this.#mine;
    const { folder } = await exports.round(signal);
    this.#trouble = undefined;
    this.#folder = folder;
    await intake.keepFolder(folder);
    await this.#redrive(intake, signal);
  }

  /** Lines that cannot be read again for now hold up nothing else, and are no trouble of the reading. */
  async #redrive(intake: EventIntake, signal: AbortSignal): Promise<void> {
    try {
      await redriveLines(this.#context, intake, signal);
    } catch (error) {
      if (!(error instanceof SftpError) || signal.aborted) throw error;
      this.#context.logger.warn("lines.not-redriven", { error });
    }
  }

  async #begin(signal: AbortSignal): Promise<Mine> {
    const intake = await EventIntake.begin(this.#context, this.#kinds, this.readTime);
    return { intake, exports: this.#exportsReader(intake, signal) };
  }

  #exportsReader(intake: EventIntake, signal: AbortSignal): ExportsReader {
    const { sftp, exports, clock, stillSeconds, logger } = this.#context;
    return new ExportsReader({
      sftp: this.#observed(sftp),
      folder: exports.path,
      format: exports.format,
      headerOf,
      ...(stillSeconds === undefined ? {} : { stillSeconds }),
      store: intake.store(signal),
      nowMs: () => clock.now(),
      logger,
    });
  }

  /** The same server, whose answers tell that it is there. */
  #observed(sftp: Sftp): Sftp {
    const answered = () => {
      this.#trouble = undefined;
    };
    return {
      list: async (folder, signal) => {
        const files = await sftp.list(folder, signal);
        this.#isListed = true;
        if (this.#trouble?.ofFiles !== true) answered();
        return files;
      },
      stat: (path, signal) => sftp.stat(path, signal),
      read: async function* (path, fromByte, signal) {
        for await (const bytes of sftp.read(path, fromByte, signal)) {
          answered();
          yield bytes;
        }
      },
    };
  }
}

function headerOf(columns: readonly string[]): Header {
  const found = exportKind(columns);
  if (found.kind === "Incomplete") return { incomplete: found.why };
  return found.kind === "Other" ? "Other" : "Export";
}
