import { posix } from "node:path";
import { FileTreeError } from "./errors.ts";
import { StoredFile } from "./stored-file.ts";

interface Entry {
  readonly name: string;
  /** undefined: a folder. */
  readonly file: StoredFile | undefined;
}

/** The files of one user of the SFTP server. A path is taken from its home, which is also the root. */
export class FileTree {
  readonly #now: () => number;
  readonly #files = new Map<string, StoredFile>();
  readonly #folders = new Set(["/"]);

  /** @param now milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** `d365_loads/exports/` → `/d365_loads/exports` */
  whole(path: string): string {
    const whole = posix.normalize(posix.join("/", path));
    return whole.length > 1 ? whole.replace(/\/$/, "") : whole;
  }

  isFolder(path: string): boolean {
    return this.#folders.has(this.whole(path));
  }

  file(path: string): StoredFile | undefined {
    return this.#files.get(this.whole(path));
  }

  /** @throws FileTreeError */
  existing(path: string): StoredFile {
    const file = this.file(path);
    if (file === undefined) throw new FileTreeError("NoSuchFile", `there is no file ${this.whole(path)}`);
    return file;
  }

  /** The file, made if it is not there. @throws FileTreeError when its folder is not there */
  open(path: string): StoredFile {
    const whole = this.whole(path);
    const known = this.#files.get(whole);
    if (known !== undefined) return known;
    this.#checkFolder(posix.dirname(whole));
    if (this.#folders.has(whole)) throw new FileTreeError("Failure", `${whole} is a folder`);
    const file = new StoredFile(this.#now);
    this.#files.set(whole, file);
    return file;
  }

  /** @throws FileTreeError when there is no such folder */
  list(folder: string): readonly Entry[] {
    const whole = this.whole(folder);
    this.#checkFolder(whole);
    const inside = (path: string) => path !== "/" && posix.dirname(path) === whole;
    const folders = [...this.#folders].filter(inside).map((path) => ({ name: posix.basename(path), file: undefined }));
    const files = [...this.#files].filter(([path]) => inside(path));
    return [...folders, ...files.map(([path, file]) => ({ name: posix.basename(path), file }))];
  }

  /** With the folders above it; does nothing when it is there. */
  makeFolder(path: string): void {
    const whole = this.whole(path);
    if (this.#files.has(whole)) throw new FileTreeError("Failure", `${whole} is a file`);
    if (this.#folders.has(whole)) return;
    this.makeFolder(posix.dirname(whole));
    this.#folders.add(whole);
  }

  /** The file that had the new name is gone. */
  rename(from: string, to: string): void {
    const file = this.existing(from);
    const target = this.whole(to);
    this.#checkFolder(posix.dirname(target));
    this.#files.delete(this.whole(from));
    this.#files.set(target, file);
  }

  remove(path: string): void {
    this.existing(path);
    this.#files.delete(this.whole(path));
  }

  removeFolder(path: string): void {
    if (this.list(path).length > 0 || this.whole(path) === "/")
      throw new FileTreeError("Failure", `the folder ${this.whole(path)} is not empty`);
    this.#folders.delete(this.whole(path));
  }

  #checkFolder(whole: string): void {
    if (!this.#folders.has(whole)) throw new FileTreeError("NoSuchFile", `there is no folder ${whole}`);
  }
}
