import { createHash, type Hash } from "node:crypto";
import type { Logger } from "../../telemetry/log.ts";
import {
  isSame,
  observe,
  type Position,
  type SeenFile,
  stoodStill,
  type Task,
  tasks,
  unterminatedLineSeconds,
} from "../flows/egress/files.ts";
import type { TextFormat } from "../flows/egress/lines.ts";
import { beginReading, digestOf, positionOf, type Reading, readOn, resumeReading } from "../flows/egress/reading.ts";
import { SftpError } from "../sftp/errors.ts";
import type { RemoteFile, Sftp } from "../sftp/interface.ts";
import type { ExportsStore } from "./store.ts";

/** What a file is by its header: an export to read, one of another kind, or one that lacks columns. */
export type Header = "Export" | "Other" | "Incomplete";

export interface ExportsReaderOptions {
  readonly sftp: Sftp;
  /** campaign.sftp.path */
  readonly folder: string;
  readonly format: TextFormat;
  readonly store: ExportsStore;
  readonly headerOf: (columns: readonly string[]) => Header;
  /** How long a file is to look alike before it is read. */
  readonly stillSeconds?: number;
  /** Milliseconds that only grow. */
  readonly nowMs: () => number;
  readonly logger: Logger;
}

/**
 * `Done`: read to its end, or known already; `Changed`: it is not as it was listed, and comes again once it stands still;
 * `Waits`: its last line may be half of one; `Other` and `Incomplete`: as its header says, and nothing is read of it;
 * `Denied`: the server does not give this one away, and is asked again at the next round.
 */
export type Ending = "Done" | "Changed" | "Waits" | "Other" | "Incomplete" | "Denied";

/** The file is not the one that was listed. */
class Changed extends Error {}

/**
 * Reads the exported files of a folder, one after the other, into a store: every line at least once, whenever it dies;
 * nothing twice unless the file changed. It only reads: files are never deleted or renamed.
 */
export class ExportsReader {
  readonly #options: ExportsReaderOptions;
  /** Of this process alone: after a start, files have yet to stand still. */
  #seen: readonly SeenFile[] = [];
  /**
   * Files that their header keeps from being read, as they were. Of this process alone: a header that could not be
   * understood by one configuration may be by the next.
   */
  readonly #unread = new Map<string, RemoteFile>();
  /** The file that was read last: to go on with it after a broken connection, nothing is read again. */
  #last: { readonly name: string; readonly hash: Hash } | undefined;

  constructor(options: ExportsReaderOptions) {
    this.#options = options;
  }

  /**
   * Lists the folder once and reads what is ready; to be called about once a minute.
   * @returns how each file that was ready ended, by name
   * @throws what the SFTP client and the store throw; the next round goes on from what was kept
   */
  async round(signal: AbortSignal): Promise<Readonly<Record<string, Ending>>> {
    const { sftp, folder, store, nowMs, stillSeconds, logger } = this.#options;
    this.#seen = observe(this.#seen, await sftp.list(folder, signal), nowMs());
    const endings: Record<string, Ending> = {};
    for (const task of tasks(this.#seen, await store.progress(), nowMs(), stillSeconds)) {
      if (this.#isUnread(task.file)) continue;
      const ending = await this.#do(task, signal).catch((error: unknown): Ending => {
        const ofThisFile = error instanceof Changed ? "Changed" : endingOf(error);
        if (ofThisFile === undefined) throw error;
        return ofThisFile;
      });
      const { name, sizeBytes } = task.file;
      endings[name] = ending;
      if (ending === "Other" || ending === "Incomplete") this.#unread.set(name, task.file);
      logger[ending === "Incomplete" || ending === "Denied" ? "warn" : "info"]("export.read", {
        file: name,
        sizeBytes,
        ending,
      });
    }
    return endings;
  }

  #isUnread(file: SeenFile): boolean {
    const before = this.#unread.get(file.name);
    return before !== undefined && isSame(before, file);
  }

  async #do(task: Task, signal: AbortSignal): Promise<Ending> {
    const { file } = task;
    if (task.kind === "Compare") {
      const digest = await this.#digest(file, file.sizeBytes, signal);
      if (task.digests.includes(digestOf(digest))) {
        const position = { offsetBytes: file.sizeBytes, lines: 0, digest: digestOf(digest), columns: undefined };
        await this.#options.store.keep({ file: progressOf(file, position, true), rows: [] });
        return "Done";
      }
    }
    const from = task.kind === "GoOn" ? await this.#resumed(file, task.position, signal) : beginReading();
    return await this.#read(file, from, signal);
  }

  /** From the place that was kept, if the bytes before it still are those that were read; else from the beginning. */
  async #resumed(file: SeenFile, position: Position, signal: AbortSignal): Promise<Reading> {
    const last = this.#last?.name === file.name ? this.#last.hash : undefined;
    if (last !== undefined && digestOf(last) === position.digest) return resumeReading(position, last);
    const hash = await this.#digest(file, position.offsetBytes, signal);
    return digestOf(hash) === position.digest ? resumeReading(position, hash) : beginReading();
  }

  async #read(file: SeenFile, from: Reading, signal: AbortSignal): Promise<Ending> {
    let reading = from;
    for await (const bytes of this.#bytes(file, from.cutting.offsetBytes, file.sizeBytes, signal)) {
      const next = await this.#keep(file, reading, bytes, "More");
      if (typeof next === "string") return next;
      reading = next;
    }
    const halfLine = reading.cutting.rest.length > 0;
    if (halfLine && !stoodStill(file, unterminatedLineSeconds, this.#options.nowMs())) return "Waits";
    const now = await this.#options.sftp.stat(this.#path(file), signal);
    if (!isSame(now, file)) return "Changed";
    const last = await this.#keep(file, reading, Buffer.alloc(0), "Nothing");
    return typeof last === "string" ? last : "Done";
  }

  /** Keeps the rows that end in the bytes. @returns how the file ended, if it did */
  async #keep(file: SeenFile, before: Reading, bytes: Buffer, follows: "More" | "Nothing"): Promise<Reading | Ending> {
    const { format, headerOf, store } = this.#options;
    const { reading, rows } = readOn(before, bytes, follows === "Nothing", format);
    const header = reading.columns === undefined ? "Export" : headerOf(reading.columns);
    if (header !== "Export") return header;
    const unreadable = rows.some(({ content }) => content === "TooLong");
    const done = follows === "Nothing" || unreadable;
    await store.keep({ file: progressOf(file, positionOf(reading), done), rows });
    this.#last = { name: file.name, hash: reading.hash };
    return done ? "Done" : reading;
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

  #path({ name }: SeenFile): string {
    return `${this.#options.folder.replace(/\/$/, "")}/${name}`;
  }
}

/** What the server says of one file holds up no other; undefined: it concerns them all. */
function endingOf(error: unknown): Ending | undefined {
  if (!(error instanceof SftpError)) return undefined;
  if (error.code === "PathMissing") return "Changed"; // Removed since it was listed.
  return error.code === "Forbidden" || error.code === "Refused" ? "Denied" : undefined;
}

function progressOf({ name, sizeBytes, modifiedSeconds }: SeenFile, position: Position, done: boolean) {
  return { name, sizeBytes, modifiedSeconds, position, done };
}
