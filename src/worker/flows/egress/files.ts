/** Which of the exported files are read, when, in which order, and from where. Pure. */
import type { RemoteFile } from "../../sftp/interface.ts";

/** A file that two listings showed alike, this long apart, is no longer being written. */
const standsStillSeconds = 60;

/**
 * A last line without a newline may be half a line, of an upload that halted. It counts as whole once the file has stood
 * still for this long.
 */
export const unterminatedLineSeconds = 900;

/** A file with the time at which it was first seen as it is now. */
export interface SeenFile extends RemoteFile {
  /** Milliseconds of a clock that only grows. */
  readonly sinceMs: number;
}

/** What is remembered of a file: how far it was read, or that it was read to its end. */
export interface FileProgress extends RemoteFile {
  readonly position: Position;
  /** Read to its end as it then was. */
  readonly done: boolean;
  /** How its bytes were taken for lines; absent: an older worker read it. */
  readonly format?: string | undefined;
}

/** A place between two lines, up to which everything is safely in the store. */
export interface Position {
  readonly offsetBytes: number;
  /** Lines of text before it, as an editor counts them. */
  readonly lines: number;
  /** SHA-256 of the bytes before it, in hexadecimal. */
  readonly digest: string;
  /** The file's header, once it was read. */
  readonly columns: readonly string[] | undefined;
}

export type Task =
  /** Not known yet, or its content is not the one that was read: from its first byte. */
  | { readonly kind: "Read"; readonly file: SeenFile }
  /** As it was when it was left: from there, if the bytes before it still are the same. */
  | {
      readonly kind: "GoOn";
      readonly file: SeenFile;
      readonly position: Position;
      readonly format: FileProgress["format"];
    }
  /** As large as files that were read under other names or at other times: one of these digests makes it done. */
  | { readonly kind: "Compare"; readonly file: SeenFile; readonly digests: readonly string[] };

/** What is seen after one more listing. */
export function observe(seen: readonly SeenFile[], listed: readonly RemoteFile[], nowMs: number): SeenFile[] {
  const before = new Map(seen.map((file) => [file.name, file]));
  return listed.map((file) => {
    const known = before.get(file.name);
    return known !== undefined && isSame(known, file) ? known : { ...file, sinceMs: nowMs };
  });
}

/** Whether size and time have stood still for so long. */
export function stoodStill(file: SeenFile, seconds: number, nowMs: number): boolean {
  return nowMs - file.sinceMs >= seconds * 1000;
}

/**
 * What is to be done now, in order: by the time in the name, then by name; files without a time in their name come last.
 * @param format how bytes are taken for lines: what was read in another way is not known by its content
 */
export function tasks(
  seen: readonly SeenFile[],
  progress: readonly FileProgress[],
  format: string,
  nowMs: number,
  stillSeconds = standsStillSeconds,
): Task[] {
  const known = new Map(progress.map((file) => [file.name, file]));
  const done = progress.filter((file) => file.done && (file.format ?? format) === format);
  return seen
    .filter((file) => stoodStill(file, stillSeconds, nowMs))
    .toSorted(byTimeInName)
    .flatMap((file): Task[] => {
      const before = known.get(file.name);
      if (before !== undefined && isSame(before, file)) {
        return before.done ? [] : [{ kind: "GoOn", file, position: before.position, format: before.format }];
      }
      const digests = done
        .filter(({ sizeBytes }) => sizeBytes === file.sizeBytes)
        .map(({ position }) => position.digest);
      return [digests.length > 0 ? { kind: "Compare", file, digests } : { kind: "Read", file }];
    });
}

/** By size and time, which is all that a listing tells. */
export function isSame(a: Omit<RemoteFile, "name">, b: Omit<RemoteFile, "name">): boolean {
  return a.sizeBytes === b.sizeBytes && a.modifiedSeconds === b.modifiedSeconds;
}

export function byTimeInName(a: RemoteFile, b: RemoteFile): number {
  return compare(timeInName(a.name), timeInName(b.name)) || compare(a.name, b.name);
}

/** Campaign adds it: `recipients_20150815_081532.txt` (automating/using/extract-file.md). Sorted behind all times if there is none. */
function timeInName(name: string): string {
  const found = [
    ...name.matchAll(/((?:19|20)\d{2})[-_]?(\d{2})[-_]?(\d{2})(?:[-_T ]?(\d{2})[-_:]?(\d{2})(?:[-_:]?(\d{2}))?)?/g),
  ].at(-1);
  return found === undefined
    ? "~"
    : found
        .slice(1)
        .map((digits = "00") => digits)
        .join("");
}

/** By code units: the same on a machine of any language. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
