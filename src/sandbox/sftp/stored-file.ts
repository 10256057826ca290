import { FileTreeError } from "./errors.ts";

const largestFileBytes = 2 ** 31;

/** One file's bytes, in memory. Whoever has it open goes on reading it when it is renamed or removed, as on a disk. */
export class StoredFile {
  readonly #now: () => number;
  #bytes = Buffer.alloc(0);
  #sizeBytes = 0;
  #modifiedAt: number;
  /** Whether the user may read it. */
  readable = true;

  /** @param now milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now;
    this.#modifiedAt = now();
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Milliseconds since 1970. */
  get modifiedAt(): number {
    return this.#modifiedAt;
  }

  set modifiedAt(milliseconds: number) {
    this.#modifiedAt = milliseconds;
  }

  /** As many bytes as there are; none at the end. */
  read(offset: number, length: number): Buffer {
    return this.#bytes.subarray(offset, Math.min(offset + length, this.#sizeBytes));
  }

  /** Writes over what is there, and beyond the end; a gap is zeros. */
  write(offset: number, bytes: Buffer): void {
    const end = offset + bytes.length;
    if (end > this.#bytes.length) this.#grow(end);
    bytes.copy(this.#bytes, offset);
    this.#sizeBytes = Math.max(this.#sizeBytes, end);
    this.#modifiedAt = this.#now();
  }

  append(bytes: Buffer): void {
    this.write(this.#sizeBytes, bytes);
  }

  /** Cuts it, or makes it longer by zeros. */
  truncate(sizeBytes: number): void {
    if (sizeBytes > this.#bytes.length) this.#grow(sizeBytes);
    this.#bytes.fill(0, sizeBytes);
    this.#sizeBytes = sizeBytes;
    this.#modifiedAt = this.#now();
  }

  /** A new buffer: what was given out by `read` must not change while it is on its way. */
  #grow(needed: number): void {
    if (needed > largestFileBytes) throw new FileTreeError("Failure", "the disk is full");
    const larger = Buffer.alloc(Math.max(needed, this.#bytes.length * 2, 4096));
    this.#bytes.copy(larger, 0, 0, this.#sizeBytes);
    this.#bytes = larger;
  }
}
