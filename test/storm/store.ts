/** Where the queues of a storm's workflows are, and what can be done to it from outside. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { noVolumes, SmallVolume } from "../unit/worker/queue/small-volume.ts";

/** A record that was refused for good. */
export interface DeadEntry {
  readonly mapping: string;
  readonly id: string;
  readonly reason: string;
}

/** What the store of one workflow says by itself. */
export interface StoreFigures {
  readonly pending: number;
  readonly dead: readonly DeadEntry[];
}

export interface Store {
  /** Processes of one workflow at a time. */
  readonly replicas: number;
  /** What leads to it, for `queue` of the spec; absent: it is in the workers' state directory. */
  readonly postgresUrl?: string;
  /** Why there is no volume to fill. */
  readonly noVolume: string | undefined;
  /** Not a page is left, until there is room again. */
  fill(): void;
  makeRoom(): Promise<void>;
  /** To be asked only while no process of the workflow lives. undefined: nobody can look into it now. */
  figures(workflow: string): Promise<StoreFigures | undefined>;
  /** The audit of opt-outs, line by line; what a crash cut off too. */
  optOutAudit(workflow: string): Promise<readonly string[]>;
  end(): Promise<void>;
  /** As `end`, where there is no time to wait. */
  abandon(): void;
}

/** Room for the store of the largest storm. */
const volumeSize = "16m";

export async function inSqlite(stateDirectory: string): Promise<Store> {
  return new SqliteStore(stateDirectory);
}

/** A file of SQLite, and one process that has it. */
class SqliteStore implements Store {
  readonly replicas = 1;
  readonly noVolume: string | undefined;
  readonly #directory: string;
  readonly #volume: SmallVolume | undefined;
  #isFull = false;

  /** @param directory the workers' state directory */
  constructor(directory: string) {
    this.#directory = directory;
    const volume = mounted(directory, volumeSize);
    if (typeof volume === "string") this.noVolume = volume;
    else this.#volume = volume;
  }

  fill(): void {
    this.#isFull = true;
    this.#volume?.fill();
  }

  async makeRoom(): Promise<void> {
    this.#volume?.makeRoom();
    this.#isFull = false;
  }

  async figures(workflow: string): Promise<StoreFigures | undefined> {
    if (this.#isFull) return undefined;
    const store = new DatabaseSync(join(this.#directory, workflow, "queue.db"));
    try {
      const pending = Number(store.prepare("SELECT count(*) AS n FROM pending").get()?.["n"]);
      const dead = store.prepare("SELECT mapping, id, reason FROM dead").all();
      return {
        pending,
        dead: dead.map(({ mapping, id, reason }) => ({
          mapping: String(mapping),
          id: String(id),
          reason: String(reason),
        })),
      };
    } finally {
      store.close();
    }
  }

  async optOutAudit(workflow: string): Promise<readonly string[]> {
    const directory = join(this.#directory, workflow, "opt-out-audit");
    const files = existsSync(directory) ? readdirSync(directory) : [];
    return files.flatMap((name) => readFileSync(join(directory, name), "utf8").split("\n"));
  }

  async end(): Promise<void> {
    this.abandon();
  }

  abandon(): void {
    this.#volume?.unmount();
  }
}

/** @returns why there can be none here */
export function mounted(directory: string, size: string): SmallVolume | string {
  if (noVolumes !== undefined) return noVolumes;
  try {
    return new SmallVolume(directory, size);
  } catch (error) {
    return error instanceof Error ? error.message.trim() : String(error);
  }
}
