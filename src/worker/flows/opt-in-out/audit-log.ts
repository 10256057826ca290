import { chmod, type FileHandle, mkdir, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { AuditRecord } from "./audit.ts";

export interface AuditLogOptions {
  /** Made when it is not there, for this user alone. */
  readonly directory: string;
  /** A day's file is removed when it is older than this. */
  readonly retentionDays: number;
}

interface Waiting {
  readonly line: string;
  readonly day: string;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

const dayMs = 86_400_000;
const fileName = (day: string) => `opt-outs-${day}.jsonl`;
const filePattern = /^opt-outs-(\d{4}-\d{2}-\d{2})\.jsonl$/;

/**
 * The audit of opt-outs: one JSON object a line, one file a day (UTC), readable by this user alone (0600).
 *
 * Guarantee: what `append` resolved for survives a crash of the machine. So a write is sent after its record's `append`.
 * Caveats: a crash may leave half a line at the end of a file; the next one begins on a line of its own. Ids and opt-outs
 * are personal data: a privacy request has to see to these files as well.
 */
export class AuditLog {
  readonly #options: AuditLogOptions;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #file: { readonly day: string; readonly handle: FileHandle } | undefined;
  #mayBeTorn = false;

  constructor(options: AuditLogOptions) {
    this.#options = options;
  }

  /**
   * Calls that wait for the disk at one time share one look at it.
   *
   * @throws what the file system says, a full volume for instance: then the write that the records explain must not leave
   */
  append(records: readonly AuditRecord[]): Promise<void> {
    const waits = records.map(
      (record) =>
        new Promise<void>((done, failed) => {
          this.#waiting.push({ line: `${JSON.stringify(record)}\n`, day: record.at.slice(0, 10), done, failed });
        }),
    );
    this.#writing ??= this.#writeAll();
    return Promise.all(waits).then(() => undefined);
  }

  /** After what was appended is on the disk. */
  async close(): Promise<void> {
    await this.#writing;
    await this.#leave();
  }

  async #writeAll(): Promise<void> {
    // What is appended in this very turn belongs to the same batch.
    await Promise.resolve();
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const { day } = first;
      const batch = this.#waiting.filter((waiting) => waiting.day === day);
      this.#waiting = this.#waiting.filter((waiting) => waiting.day !== day);
      try {
        await this.#write(day, batch.map(({ line }) => line).join(""));
        for (const { done } of batch) done();
      } catch (error) {
        this.#mayBeTorn = true;
        for (const { failed } of batch) failed(error);
      }
    }
    this.#writing = undefined;
  }

  async #write(day: string, lines: string): Promise<void> {
    const handle = await this.#fileOf(day);
    await handle.appendFile(this.#mayBeTorn ? `\n${lines}` : lines);
    await handle.datasync();
    this.#mayBeTorn = false;
  }

  async #fileOf(day: string): Promise<FileHandle> {
    if (this.#file?.day === day) return this.#file.handle;
    await this.#leave();
    const { directory } = this.#options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await this.#removeOld(day);
    const path = join(directory, fileName(day));
    const handle = await open(path, "a+", 0o600);
    this.#file = { day, handle };
    await chmod(path, 0o600);
    this.#mayBeTorn = await endsInHalfALine(handle);
    await syncDirectory(directory);
    return handle;
  }

  async #leave(): Promise<void> {
    const handle = this.#file?.handle;
    this.#file = undefined;
    await handle?.close();
  }

  async #removeOld(day: string): Promise<void> {
    const { directory, retentionDays } = this.#options;
    const oldest = new Date(Date.parse(day) - retentionDays * dayMs).toISOString().slice(0, 10);
    for (const name of await readdir(directory)) {
      const of = filePattern.exec(name)?.[1];
      if (of !== undefined && of < oldest) await rm(join(directory, name));
    }
  }
}

async function endsInHalfALine(handle: FileHandle): Promise<boolean> {
  const { size } = await handle.stat();
  if (size === 0) return false;
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] !== 0x0a;
}

/** A new file is there after a crash only when its folder was synced too. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
