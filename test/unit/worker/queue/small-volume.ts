/** A small volume that a test can fill. */
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

/** Why there can be none here; undefined when there can. */
export const noVolumes = process.getuid?.() === 0 ? undefined : "mounting a volume takes root";

export class SmallVolume {
  readonly #directory: string;
  /** Of the file system, as long as it is mounted. */
  readonly #device: number;

  constructor(directory: string, size: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
    const { status, stderr } = spawnSync("/bin/mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", directory]);
    if (status !== 0) throw new Error(`no volume at ${directory}: ${stderr}`);
    this.#device = statSync(directory).dev;
  }

  /** Until not a page is left. @throws Error if it is not mounted any more: what is below is not to be filled */
  fill(): void {
    if (statSync(this.#directory).dev !== this.#device) throw new Error(`there is no volume at ${this.#directory}`);
    for (const bytes of [1 << 20, 4096]) this.#fillBy(Buffer.alloc(bytes));
  }

  makeRoom(): void {
    rmSync(this.#filler, { force: true });
  }

  unmount(): void {
    spawnSync("/bin/umount", ["-l", this.#directory]);
  }

  #fillBy(bytes: Buffer): void {
    try {
      for (;;) appendFileSync(this.#filler, bytes);
    } catch (error) {
      if (!(error instanceof Error) || !("code" in error) || error.code !== "ENOSPC") throw error;
    }
  }

  get #filler(): string {
    return join(this.#directory, "filler");
  }
}
