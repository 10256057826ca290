import { posix } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { CampaignInstance } from "../campaign/instance.ts";
import type { FileTree } from "../sftp/file-tree.ts";
import type { DeliveryLog, TrackingLog } from "./deliveries.ts";
import {
  deliveryLogColumns,
  type ExportFormat,
  exportName,
  line,
  logLine,
  timeWriter,
  trackingLogColumns,
  usualFormat,
  type WriteTime,
} from "./export-text.ts";
import { optOutLines } from "./opt-out-export.ts";

export interface ExportSettings extends ExportFormat {
  /** `rename`: under another name until it is whole; `inPlace`: readers see it grow. */
  readonly writing: "rename" | "inPlace";
  /** After so many bytes the writer pauses, so that others can look. */
  readonly chunkBytes: number;
  readonly pauseMilliseconds: number;
}

const usualSettings: ExportSettings = {
  ...usualFormat,
  writing: "rename",
  chunkBytes: 256 * 1024,
  pauseMilliseconds: 0,
};

/**
 * Campaign's three export workflows: delivery logs, tracking logs, opt-outs. Each run writes what came about or changed
 * since the run before, and no file when that is nothing.
 */
export class ExportWorkflows {
  settings = usualSettings;
  readonly #instance: CampaignInstance;
  readonly #tree: FileTree;
  readonly #folder: string;
  readonly #now: () => number;
  /** Logs that were not exported yet, some of them still to come about. */
  #waiting: (DeliveryLog | TrackingLog)[] = [];
  /** When opt-outs were exported last. */
  #optOutsUntil: number | undefined;
  /** One run at a time. */
  #running: Promise<unknown> = Promise.resolve();

  /** @param now milliseconds since 1970 */
  constructor(instance: CampaignInstance, tree: FileTree, folder: string, now: () => number) {
    this.#instance = instance;
    this.#tree = tree;
    this.#folder = folder;
    this.#now = now;
  }

  add(log: DeliveryLog | TrackingLog): void {
    this.#waiting.push(log);
  }

  /** Runs all three; returns the names of the files that they wrote. */
  async run(): Promise<readonly string[]> {
    const run = this.#running.then(() => this.#run());
    this.#running = run.catch(() => undefined);
    return await run;
  }

  /** What the opt-out export would write now. @param since as `optOutLines` */
  optOuts(since: number | undefined): { readonly name: string; readonly text: string } {
    const write = timeWriter(this.settings);
    const text = [...optOutLines(this.#instance, since, this.settings, write)].join("");
    return { name: exportName("opt_outs", write(this.#now())), text };
  }

  async #run(): Promise<readonly string[]> {
    const now = this.#now();
    const write = timeWriter(this.settings);
    this.#tree.makeFolder(this.#folder);
    const due = this.#waiting.filter(({ at }) => at <= now).toSorted((a, b) => a.at - b.at);
    this.#waiting = this.#waiting.filter(({ at }) => at > now);
    const sent = due.filter(({ kind }) => kind === "delivery");
    const tracked = due.filter(({ kind }) => kind === "tracking");
    const optOuts = [...optOutLines(this.#instance, this.#optOutsUntil, this.settings, write)];
    this.#optOutsUntil = now;
    const files = [
      { name: "delivery_logs", lines: this.#logLines(deliveryLogColumns, sent, write) },
      { name: "tracking_logs", lines: this.#logLines(trackingLogColumns, tracked, write) },
      { name: "opt_outs", lines: optOuts.length > 1 ? optOuts : [] },
    ];
    const written: string[] = [];
    for (const { name, lines } of files) {
      const file = await this.#write(this.#freeName(exportName(name, write(now))), lines);
      if (file !== undefined) written.push(file);
    }
    return written;
  }

  *#logLines(
    columns: readonly string[],
    logs: readonly (DeliveryLog | TrackingLog)[],
    write: WriteTime,
  ): Generator<string> {
    if (logs.length === 0) return;
    yield line(columns, this.settings);
    for (const log of logs) yield logLine(log, this.settings, write);
  }

  /** Two runs in one second do not write over each other's files. */
  #freeName(name: string): string {
    const [, front = "", back = ""] = /^(.*)(\.\w+)$/.exec(name) ?? [];
    for (let n = 2; ; n += 1) {
      if (this.#tree.file(posix.join(this.#folder, name)) === undefined) return name;
      name = `${front}_${n}${back}`;
    }
  }

  /** @returns the name; undefined: there were no lines, and there is no file */
  async #write(name: string, lines: Iterable<string>): Promise<string | undefined> {
    const { writing, chunkBytes, pauseMilliseconds } = this.settings;
    const target = posix.join(this.#folder, name);
    const first = writing === "rename" ? `${target}.tmp` : target;
    let chunk = "";
    let isBegun = false;
    const flush = () => {
      this.#tree.open(first).append(Buffer.from(chunk));
      isBegun = true;
      chunk = "";
    };
    for (const text of lines) {
      chunk += text;
      if (chunk.length < chunkBytes) continue;
      flush();
      // Others are served meanwhile, also without a pause.
      await sleep(pauseMilliseconds);
    }
    if (chunk !== "") flush();
    if (!isBegun) return undefined;
    if (first !== target) this.#tree.rename(first, target);
    return name;
  }
}
