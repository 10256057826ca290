import { createHash, type Hash } from "node:crypto";
import type { Logger } from "../../telemetry/log.ts";
import {
  type FileProgress,
  isSame,
  observe,
  type Position,
  type SeenFile,
  stoodStill,
  type Task,
  tasks,
  unterminatedLineSeconds,
} from "../flows/egress/files.ts";
import type { LineProblem, TextFormat } from "../flows/egress/lines.ts";
import { beginReading, digestOf, positionOf, type Reading, readOn, resumeReading } from "../flows/egress/reading.ts";
import { SftpError } from "../sftp/errors.ts";
import type { RemoteFile, Sftp } from "../sftp/interface.ts";
import { type Ending, type FolderState, folderState, type Outcome } from "./folder.ts";
import type { ExportsStore, Portion } from "./store.ts";

/** What a file is by its header: an export to read, one of another kind, or one that cannot be read, and why. */
export type Header = "Export" | "Other" | { readonly incomplete: string };

export interface ExportsReaderOptions {
  readonly sftp: Sftp;
  /** campaign.sftp.path */
  readonly folder: string;
  readonly format: TextFormat;
  readonly store: ExportsStore;
  readonly headerOf: (columns: readonly string[]) => Header;
  /** A file that says word for word what another one said may be news: it is read as well. */
  readonly repeats?: boolean;
  /** How long a file is to look alike before it is read. */
  readonly stillSeconds?: number;
  /** Milliseconds that only grow. */
  readonly nowMs: () => number;
  readonly logger: Logger;
}

interface Round {
  readonly endings: Readonly<Record<string, Ending>>;
  readonly folder: FolderState;
}

type Ended = Omit<Outcome, "file">;

/** The file is not the one that was listed. */
class Changed extends Error {}

/**
 * Reads the exported files of a folder, one after the other, into a store: every line at least once, whenever it dies;
 * nothing twice unless the file changed, or `repeats`. It only reads: files are never deleted or renamed.
 */
export class ExportsReader {
  readonly #options: ExportsReaderOptions;
  /** Of this process alone: after a start, files have yet to stand still. */
  #seen: readonly SeenFile[] = [];
  /**
   * What became of files, as they were. Of this process alone: a header that could not be understood by one configuration
   * may be by the next.
   */
  readonly #outcomes = new Map<string, Outcome>();
  /** What is kept of files, as of this round. */
  #progress = new Map<string, FileProgress>();
  /** The file that was read last: to go on with it after a broken connection, nothing is read again. */
  #last: { readonly name: string; readonly hash: Hash } | undefined;

  constructor(options: ExportsReaderOptions) {
    this.#options = options;
  }

  /**
   * Lists the folder once and reads what is ready; to be called about once a minute.
   * @returns how each file that was ready ended, by name, and how the folder stands now
   * @throws what the SFTP client and the store throw; the next round goes on from what was kept
   */
  async round(signal: AbortSignal): Promise<Round> {
    const { sftp, folder, store, nowMs, stillSeconds } = this.#options;
    const format = formatText(this.#options.format);
    this.#seen = observe(this.#seen, await sftp.list(folder, signal), nowMs());
    this.#forgetGone();
    const endings: Record<string, Ending> = {};
    this.#progress = new Map((await store.progress()).map((file) => [file.name, file]));
    for (const task of tasks(this.#seen, [...this.#progress.values()], format, nowMs(), stillSeconds)) {
      const before = this.#before(task.file);
      if (before?.ending === "Other" || before?.ending === "Incomplete") continue;
      const ended = await this.#do(task, signal).catch((error: unknown): Ended => {
        const ofThisFile = error instanceof Changed ? changed : endedBy(error);
        if (ofThisFile === undefined) throw error;
        return ofThisFile;
      });
      this.#tell(task.file, ended);
      endings[task.file.name] = ended.ending;
    }
    return { endings, folder: folderState(this.#seen, this.#outcomes, this.#progress) };
  }

  /** What is so round after round is told once. */
  #tell(file: RemoteFile, ended: Ended): void {
    const { name, sizeBytes } = file;
    const { ending, why } = ended;
    if (this.#before(file)?.ending !== ending) {
      const level = ending === "Incomplete" || ending === "Denied" ? "warn" : "info";
      this.#options.logger[level]("export.read", {
        file: name,
        sizeBytes,
        ending,
        ...(why === undefined ? {} : { why }),
      });
    }
    this.#outcomes.set(name, { file, ...ended });
  }

  /** What became of the file as it is now. */
  #before(file: RemoteFile): Outcome | undefined {
    const before = this.#outcomes.get(file.name);
    return before !== undefined && isSame(before.file, file) ? before : undefined;
  }

  #forgetGone(): void {
    const there = new Set(this.#seen.map(({ name }) => name));
    for (const name of this.#outcomes.keys()) if (!there.has(name)) this.#outcomes.delete(name);
  }

  async #do(task: Task, signal: AbortSignal): Promise<Ended> {
    const { file } = task;
    if (file.name.includes("\uFFFD"))
      return { ending: "Denied", why: "its name is not UTF-8, so it cannot be asked for" };
    if (task.kind === "Compare" && this.#options.repeats !== true) {
      const digest = await this.#digest(file, file.sizeBytes, signal);
      if (task.digests.includes(digestOf(digest))) {
        const position = { offsetBytes: file.sizeBytes, lines: 0, digest: digestOf(digest), columns: undefined };
        await this.#store({ file: this.#progressOf(file, position, true), rows: [] });
        return done;
      }
    }
    // Told of another delimiter or encoding, what is left would not be understood, and be lost line by line.
    const goesOn = task.kind === "GoOn" && task.format === formatText(this.#options.format);
    const from = goesOn ? await this.#resumed(file, task.position, signal) : beginReading();
    return await this.#read(file, from, signal);
  }

  /** From the place that was kept, if the bytes before it still are those that were read; else from the beginning. */
  async #resumed(file: SeenFile, position: Position, signal: AbortSignal): Promise<Reading> {
    const last = this.#last?.name === file.name ? this.#last.hash : undefined;
    if (last !== undefined && digestOf(last) === position.digest) return resumeReading(position, last);
    const hash = await this.#digest(file, position.offsetBytes, signal);
    return digestOf(hash) === position.digest ? resumeReading(position, hash) : beginReading();
  }

  async #read(file: SeenFile, from: Reading, signal: AbortSignal): Promise<Ended> {
    let reading = from;
    for await (const bytes of this.#bytes(file, from.cutting.offsetBytes, file.sizeBytes, signal)) {
      // A change moves the time of a file that stood still: before it, nothing was read of another content. Else the end of
      // one and the beginning of another could make a line that no file ever had.
      if (!(await this.#isAsListed(file, signal))) return changed;
      const next = await this.#keep(file, reading, bytes, "More");
      if ("ending" in next) return next;
      reading = next;
    }
    const halfLine = reading.cutting.rest.length > 0;
    if (halfLine && !stoodStill(file, unterminatedLineSeconds, this.#options.nowMs())) return { ending: "Waits" };
    if (!(await this.#isAsListed(file, signal))) return changed;
    const last = await this.#keep(file, reading, Buffer.alloc(0), "Nothing");
    return "ending" in last ? last : done;
  }

  async #isAsListed(file: SeenFile, signal: AbortSignal): Promise<boolean> {
    return isSame(await this.#options.sftp.stat(this.#path(file), signal), file);
  }

  /** Keeps the rows that end in the bytes. @returns how the file ended, if it did */
  async #keep(file: SeenFile, before: Reading, bytes: Buffer, follows: "More" | "Nothing"): Promise<Reading | Ended> {
    const { format, headerOf } = this.#options;
    const { reading, rows, headerProblem } = readOn(before, bytes, follows === "Nothing", format);
    if (headerProblem !== undefined) return { ending: "Incomplete", why: brokenHeader(headerProblem) };
    const header = reading.columns === undefined ? "Export" : headerOf(reading.columns);
    if (header === "Other") return { ending: "Other" };
    if (header !== "Export") return { ending: "Incomplete", why: header.incomplete };
    const unreadable = rows.some(({ content }) => content === "TooLong");
    const isDone = follows === "Nothing" || unreadable;
    await this.#store({ file: this.#progressOf(file, positionOf(reading), isDone), rows });
    this.#last = { name: file.name, hash: reading.hash };
    return isDone ? done : reading;
  }

  async #store(portion: Portion): Promise<void> {
    await this.#options.store.keep(portion);
    this.#progress.set(portion.file.name, portion.file);
  }

  /** The digest of a file's first bytes, as a hash that can take more. */
  async #digest(file: SeenFile, bytesCount: number, signal: AbortSignal): Promise<Hash> {
    const hash = createHash("sha256");
    for await (const bytes of this.#bytes(file, 0, bytesCount, signal)) hash.update(bytes);
    return hash;
  }

  /** @throws Changed when the file has fewer bytes, or more than were listed */
  async *#bytes(file: SeenFile, from: number, to: number, signal: AbortSignal): AsyncGenerator<Buffer> {
    let at = from;
    for await (const bytes of this.#options.sftp.read(this.#path(file), from, signal)) {
      if (at + bytes.length > file.sizeBytes) throw new Changed();
      yield at + bytes.length > to ? bytes.subarray(0, to - at) : bytes;
      at += bytes.length;
      if (at >= to && to < file.sizeBytes) return;
    }
    if (at < to) throw new Changed();
  }

  #progressOf({ name, sizeBytes, modifiedSeconds }: SeenFile, position: Position, done: boolean): FileProgress {
    return { name, sizeBytes, modifiedSeconds, position, done, format: formatText(this.#options.format) };
  }

  #path({ name }: SeenFile): string {
    return `${this.#options.folder.replace(/\/$/, "")}/${name}`;
  }
}

const done: Ended = { ending: "Done" };
const changed: Ended = { ending: "Changed" };

/** What the server says of one file holds up no other; undefined: it concerns them all. */
function endedBy(error: unknown): Ended | undefined {
  if (!(error instanceof SftpError)) return undefined;
  if (error.code === "PathMissing") return changed; // Removed since it was listed.
  return error.code === "Forbidden" || error.code === "Refused" ? { ending: "Denied", why: error.message } : undefined;
}

function brokenHeader(problem: LineProblem): string {
  const what = {
    NotInEncoding: "is no text in the encoding of campaign.sftp.format.encoding",
    QuoteBroken: "has a quote that is not closed, or that stands inside a name",
    TooLong: "does not end: the file is no text, or campaign.sftp.format.encoding is another",
  };
  return `its first line ${what[problem]}`;
}

function formatText({ encoding, delimiter }: TextFormat): string {
  return `${encoding} ${delimiter}`;
}
