/** A small volume that a test can fill. */
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";

/** Why there can be none here; undefined when there can. */
export const noVolumes = process.getuid?.() === 0 ? undefined : "mounting a volume takes root";

export class SmallVolume {
  readonly #directory: string;

  constructor(directory: string, size: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
    const { status, stderr } = spawnSync("/bin/mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", directory]);
    if (status !== 0) throw new Error(`no volume at ${directory}: ${stderr}`);
  }

  /** Until not a page is left. */
  fill(): void {
    try {
      for (;;) appendFileSync(this.#filler, Buffer.alloc(4096));
    } catch (error) {
      if (!(error instanceof Error) || !("code" in error) || error.code !== "ENOSPC") throw error;
    }
  }

  makeRoom(): void {
    rmSync(this.#filler, { force: true });
  }

  unmount(): void {
    spawnSync("/bin/umount", ["-l", this.#directory]);
  }

  get #filler(): string {
    return join(this.#directory, "filler");
  }
}
