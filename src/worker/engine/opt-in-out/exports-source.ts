import { ExportsReader, type Header } from "../../exports/reader.ts";
import type { Portion } from "../../exports/store.ts";
import { type ReadTime, readerOfTimes } from "../../flows/egress/date-format.ts";
import type { FileProgress } from "../../flows/egress/files.ts";
import { type OptOutRow, optOutExportKind, optOutRow } from "../../flows/opt-in-out/export-row.ts";
import type { OptInOutPlan } from "../../flows/opt-in-out/plan.ts";
import { contactIdOf, mergeTold, toldText } from "../../flows/opt-in-out/told.ts";
import type { Notice } from "../../queue/contacts.ts";
import type { Incoming, PageCommit } from "../../queue/page.ts";
import { SftpError } from "../../sftp/errors.ts";
import { FatalError } from "../fatal.ts";
import { contactsMapping, exportsMapping, type OptInOutContext, type OptInOutOptions } from "./context.ts";
import type { Source } from "./reader.ts";
import { whenThereIsRoom } from "./room.ts";

type Exports = NonNullable<OptInOutOptions["exports"]>;

/** Campaign's exports of opt-outs, files on its SFTP server. */
export class ExportsSource implements Source {
  readonly #context: OptInOutContext;
  readonly #exports: Exports;
  readonly #readTime: ReadTime;
  /** For which plan it was made: what a file is depends on its fields. */
  #reader: { readonly identity: string; readonly reader: ExportsReader } | undefined;

  #signal = AbortSignal.abort();

  /** @throws FatalError `DateFormatInvalid` */
  constructor(context: OptInOutContext, exports: Exports) {
    this.#context = context;
    this.#exports = exports;
    const { dateFormat, timeZone } = exports.place.format;
    const readTime = readerOfTimes(dateFormat, timeZone);
    if (typeof readTime === "string") {
      throw new FatalError("DateFormatInvalid", `campaign.sftp.format cannot be used: ${readTime}`);
    }
    this.#readTime = readTime;
  }

  async begin(): Promise<void> {
    this.#context.state.sourceTrouble ??= {
      reason: "Starting",
      message: "the folder of exported files was not listed yet",
    };
  }

  async step(signal: AbortSignal): Promise<number> {
    const { state } = this.#context;
    const { plan, identity } = state;
    if (plan === undefined || identity === undefined) return this.#exports.listEveryMs;
    this.#signal = signal;
    if (this.#reader?.identity !== identity) this.#reader = { identity, reader: this.#readerFor(plan) };
    const { folder } = await this.#reader.reader.round(signal);
    state.folder = folder;
    state.sourceTrouble = undefined;
    return this.#exports.listEveryMs;
  }

  failed(error: unknown): boolean {
    if (error instanceof SftpError) {
      this.#context.state.sourceTrouble = { reason: `Sftp${error.code}`, message: error.message };
    }
    return false;
  }

  #readerFor(plan: OptInOutPlan): ExportsReader {
    const { queue, clock, logger } = this.#context;
    const { sftp, place, stillSeconds } = this.#exports;
    logger.info("exports.reading", { folder: place.path });
    return new ExportsReader({
      sftp,
      folder: place.path,
      format: place.format,
      // Who opts out, in and out again makes two files alike where times are left out.
      repeats: true,
      headerOf: (columns) => this.#headerOf(columns, plan),
      ...(stillSeconds === undefined ? {} : { stillSeconds }),
      store: {
        // Written by keep() alone.
        progress: async () => (await queue.files()).map(({ progress }) => JSON.parse(progress) as FileProgress),
        keep: async (portion) => {
          await this.#keep(portion, plan);
          await whenThereIsRoom(this.#context, this.#signal);
        },
      },
      nowMs: () => clock.now(),
      logger,
    });
  }

  #headerOf(columns: readonly string[], plan: OptInOutPlan): Header {
    const found = optOutExportKind(columns, plan);
    const { logger } = this.#context;
    if (found.kind === "OptOuts" && found.withoutTime.length > 0) {
      // Then no opt-in moves both ways.
      logger.warn("export.without-times", { columns: found.withoutTime });
    }
    if (found.kind === "Other") return "Other";
    return found.kind === "OptOuts" ? "Export" : { incomplete: `it lacks the columns ${found.columns.join(", ")}` };
  }

  async #keep({ file, rows }: Portion, plan: OptInOutPlan): Promise<void> {
    const { queue, state, wake } = this.#context;
    const notices: Notice[] = [];
    const refused: Incoming[] = [];
    for (const { line, content } of rows) {
      const row = typeof content === "string" ? content : optOutRow(content, plan, this.#readTime);
      if (typeof row === "string") refused.push(refusedLine(file, line, { why: row }));
      else if (row.is === "Refused") refused.push(refusedLine(file, line, row));
      else if (row.is === "Observation") {
        const id = contactIdOf(row.contactKey);
        if (id !== undefined) notices.push({ id, told: toldText({ campaign: row.reading }) });
      }
    }
    await queue.contacts.tell({
      mapping: contactsMapping,
      generation: state.checkpoint?.generation ?? 1,
      notices,
      merge: mergeTold,
      bulk: false,
      file: {
        progress: { name: file.name, progress: JSON.stringify(file) },
        refused: refusedPage(refused, this.#context.now()),
      },
    });
    if (notices.length > 0) wake();
  }
}

function refusedPage(records: readonly Incoming[], now: number): PageCommit {
  return {
    checkpoint: {
      mapping: exportsMapping,
      mappingHash: exportsMapping,
      generation: 1,
      delta: { link: exportsMapping, issuedAt: now },
    },
    records,
    stage: "Round",
    replay: false,
    listed: false,
  };
}

function refusedLine(
  { name, modifiedSeconds }: FileProgress,
  line: number,
  { why, column }: { readonly why: string; readonly column?: Extract<OptOutRow, { is: "Refused" }>["column"] },
): Incoming {
  const where = column === undefined ? "" : `, column ${column}`;
  const message = `line ${line} of the file ${name}${where} is not understood (${why})`;
  const version = BigInt(Math.max(0, Math.trunc(modifiedSeconds)));
  return { kind: "Refused", id: `${name}:${line}`, version, refusal: { reason: `Line${why}`, message } };
}
