/** The folder that Campaign puts its exports into, and everything that ever lay in it. */
import { createHash } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  closeSync,
  ftruncateSync,
  futimesSync,
  openSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { beginningOf, type ExportText, type WrittenLine } from "./text.ts";

/** What lay in the folder under one name or several. */
/** `M`: what lines mean. */
export interface Content<M> {
  readonly lines: readonly WrittenLine<M>[];
  /** Every name that it ever had. */
  readonly names: Set<string>;
  /** When it first lay there, in the storm's milliseconds. */
  readonly sinceMs: number;
}

export class Folder<M> {
  readonly #path: string;
  /** Where files are made before they are moved in. */
  readonly #workshop: string;
  readonly #nowMs: () => number;
  readonly #texts = new Map<string, ExportText<M>>();
  readonly #contents = new Map<string, Content<M>>();
  /** Files with the digests of what is in them. */
  readonly #present = new Map<string, string>();
  readonly #denied = new Set<string>();
  /** Files that somebody is at work on. */
  readonly #busy = new Set<string>();
  readonly #removed: ExportText<M>[] = [];
  /** A server tells whole seconds. In the storm's short time each change has one of its own, as in a day's. */
  #seconds = Math.floor(Date.UTC(2026, 6, 1) / 1000);

  constructor(path: string, workshop: string, nowMs: () => number) {
    this.#path = path;
    this.#workshop = workshop;
    this.#nowMs = nowMs;
  }

  /** Everything that ever lay in it, whole or in part. */
  get contents(): readonly Content<M>[] {
    return [...this.#contents.values()];
  }

  /** What lies in it now. */
  get present(): readonly Content<M>[] {
    const digests = new Set(this.#present.values());
    return [...this.#contents].filter(([digest]) => digests.has(digest)).map(([, content]) => content);
  }

  /** Files that may be touched. */
  get names(): readonly string[] {
    return [...this.#present.keys()].filter((name) => !this.#busy.has(name));
  }

  get removed(): readonly ExportText<M>[] {
    return this.#removed;
  }

  textOf(name: string): ExportText<M> | undefined {
    return this.#texts.get(this.#present.get(name) ?? "");
  }

  /** Puts a file there whole, in place of one of that name. */
  put(name: string, text: ExportText<M>): void {
    const draft = join(this.#workshop, "draft");
    writeFileSync(draft, text.bytes);
    const seconds = this.#nextSecond();
    utimesSync(draft, seconds, seconds);
    this.#note(name, text);
    renameSync(draft, this.#at(name));
  }

  /** Writes other content into a file, if it is there, without making a new one. */
  overwrite(name: string, text: ExportText<M>): void {
    if (!this.#present.has(name)) return;
    this.#note(name, text);
    const file = openSync(this.#at(name), "r+");
    try {
      writeSync(file, text.bytes, 0, text.bytes.length, 0);
      ftruncateSync(file, text.bytes.length);
      const seconds = this.#nextSecond();
      futimesSync(file, seconds, seconds);
    } finally {
      closeSync(file);
    }
  }

  /** A file grows to its whole, a part at a time. `sizes` in bytes, the last but the whole. */
  async grow(
    name: string,
    text: ExportText<M>,
    sizes: readonly number[],
    pause: () => Promise<unknown>,
  ): Promise<void> {
    this.#busy.add(name);
    let at = 0;
    for (const size of [...sizes, text.bytes.length]) {
      if (at === 0) this.put(name, beginningOf(text, size));
      else {
        this.#note(name, beginningOf(text, size));
        appendFileSync(this.#at(name), text.bytes.subarray(at, size));
        const seconds = this.#nextSecond();
        utimesSync(this.#at(name), seconds, seconds);
      }
      at = size;
      if (at < text.bytes.length) await pause();
    }
    this.#busy.delete(name);
  }

  /** Its time stays. */
  rename(from: string, to: string): void {
    const digest = this.#present.get(from);
    if (digest === undefined || this.#present.has(to)) return;
    this.#present.delete(from);
    this.#present.set(to, digest);
    this.#contents.get(digest)?.names.add(to);
    if (this.#denied.delete(from)) this.#denied.add(to);
    renameSync(this.#at(from), this.#at(to));
  }

  remove(name: string): void {
    const text = this.textOf(name);
    if (text !== undefined) this.#removed.push(text);
    this.#present.delete(name);
    this.#denied.delete(name);
    rmSync(this.#at(name));
  }

  /** Nobody may read it, for a while. */
  deny(name: string): void {
    this.#denied.add(name);
    chmodSync(this.#at(name), 0o000);
  }

  allowAll(): void {
    for (const name of this.#denied) chmodSync(this.#at(name), 0o644);
    this.#denied.clear();
  }

  #note(name: string, text: ExportText<M>): void {
    const digest = createHash("sha256").update(text.bytes).digest("hex");
    const content = this.#contents.get(digest) ?? {
      lines: text.lines,
      names: new Set<string>(),
      sinceMs: this.#nowMs(),
    };
    content.names.add(name);
    this.#contents.set(digest, content);
    this.#texts.set(digest, text);
    this.#present.set(name, digest);
  }

  #nextSecond(): number {
    this.#seconds += 1;
    return this.#seconds;
  }

  #at(name: string): string {
    return join(this.#path, name);
  }
}
