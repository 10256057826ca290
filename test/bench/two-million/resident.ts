import { readFileSync } from "node:fs";

/** How many megabytes a process has resident, at each quarter of its work. Linux tells; elsewhere it is 0. */
export class Resident {
  readonly #quarters: number[] = [];
  #peak = 0;

  get peak(): number {
    return this.#peak;
  }

  /**
   * @param share of the work that is done
   * @returns the quarter that has just begun to be over, if one has
   */
  look(pid: number | undefined, share: number): boolean {
    const status = statusOf(pid);
    const megabytes = (field: string) => Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) / 1000;
    this.#peak = Math.max(this.#peak, megabytes("VmHWM"));
    const quarters = this.#quarters.length;
    while (this.#quarters.length < 4 && share >= (this.#quarters.length + 1) / 4)
      this.#quarters.push(megabytes("VmRSS"));
    return this.#quarters.length > quarters;
  }

  told(): string {
    const quarters = this.#quarters.map((value) => value.toFixed(0)).join("/");
    return `${quarters} MB at 25/50/75/100 %, peak ${this.#peak.toFixed(0)} MB`;
  }
}

function statusOf(pid: number | undefined): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return "";
  }
}
