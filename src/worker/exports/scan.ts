import { byTimeInName, type FileProgress, isSame } from "../flows/egress/files.ts";
import type { TextFormat } from "../flows/egress/lines.ts";
import { beginReading, type Reading, type Row, readOn } from "../flows/egress/reading.ts";
import { SftpError } from "../sftp/errors.ts";
import type { RemoteFile, Sftp } from "../sftp/interface.ts";

interface ScanOptions {
  readonly sftp: Sftp;
  /** campaign.sftp.path */
  readonly folder: string;
  readonly format: TextFormat;
  /** What was read of the files so far. */
  readonly progress: readonly FileProgress[];
}

interface ScannedRows {
  readonly file: RemoteFile;
  /** The file's header. */
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
}

/**
 * Reads exported files once more, from their first lines, and keeps nothing of it: the newest by the time in their names
 * first. Only those that were read to their end and are as they were then: of another, the last line may be half of one.
 * What is gone, is not given away or has no header that is understood is passed over.
 * @param wants whether a file is to be read
 * @throws what the SFTP client throws of the server as a whole
 */
export async function* scan(
  { sftp, folder, format, progress }: ScanOptions,
  wants: (file: RemoteFile) => boolean,
  signal: AbortSignal,
): AsyncGenerator<ScannedRows> {
  const done = new Map(progress.filter((file) => file.done).map((file) => [file.name, file]));
  const isDone = (file: RemoteFile) => isSame(file, done.get(file.name) ?? never);
  const files = (await sftp.list(folder, signal)).filter((file) => isDone(file) && wants(file));
  for (const file of files.toSorted(byTimeInName).toReversed()) {
    const path = `${folder.replace(/\/$/, "")}/${file.name}`;
    let reading: Reading = beginReading();
    const on = (bytes: Buffer, whole: boolean): ScannedRows | undefined => {
      const next = readOn(reading, bytes, whole, format);
      ({ reading } = next);
      if (next.headerProblem !== undefined) return undefined;
      return { file, columns: reading.columns ?? [], rows: next.rows };
    };
    try {
      for await (const bytes of sftp.read(path, 0, signal)) {
        const some = on(bytes, false);
        // Overwritten meanwhile, it could make a line that no file ever had.
        if (some === undefined || !isSame(await sftp.stat(path, signal), file)) break;
        yield some;
      }
      const last = on(Buffer.alloc(0), true);
      if (last !== undefined && isSame(await sftp.stat(path, signal), file)) yield last;
    } catch (error) {
      if (!(error instanceof SftpError) || !ofOneFile.has(error.code)) throw error;
    }
  }
}

const never = { sizeBytes: -1, modifiedSeconds: -1 };
const ofOneFile: ReadonlySet<string> = new Set(["PathMissing", "Forbidden", "Refused"]);
