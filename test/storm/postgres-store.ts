/** A PostgreSQL server of a storm's own, on a small volume and behind a relay, and several processes that use it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PostgresServer } from "../integration/postgres/server.ts";
import type { SmallVolume } from "../unit/worker/queue/small-volume.ts";
import { DatabaseRelay } from "./database-relay.ts";
import type { MakeStore } from "./ground.ts";
import { mounted, type Store, type StoreFigures } from "./store.ts";

/** What an empty server has, the write-ahead log of a storm, and the store. */
const volumeSize = "192m";
const settings = { max_wal_size: "48MB", min_wal_size: "32MB", max_connections: "80" };
const startsWithinMs = 20_000;

/** Stores for many storms: each is a copy of one server's data, made once. */
export class PostgresStores {
  readonly #pattern: PostgresServer;

  private constructor(pattern: PostgresServer) {
    this.#pattern = pattern;
  }

  static async prepare(): Promise<PostgresStores> {
    const pattern = await PostgresServer.start();
    await pattern.halt();
    return new PostgresStores(pattern);
  }

  make(replicas: number): MakeStore {
    return () => PostgresStore.start(this.#pattern, replicas);
  }

  end(): Promise<void> {
    return this.#pattern.end();
  }
}

export class PostgresStore implements Store {
  readonly replicas: number;
  readonly relay: DatabaseRelay;
  readonly noVolume: string | undefined;
  readonly #server: PostgresServer;
  readonly #directory: string;
  readonly #volume: SmallVolume | undefined;
  #isAway = false;
  #isFull = false;

  private constructor(
    replicas: number,
    directory: string,
    volume: SmallVolume | string,
    server: PostgresServer,
    relay: DatabaseRelay,
  ) {
    this.replicas = replicas;
    this.relay = relay;
    this.#server = server;
    this.#directory = directory;
    if (typeof volume === "string") this.noVolume = volume;
    else this.#volume = volume;
  }

  static async start(pattern: PostgresServer, replicas: number): Promise<PostgresStore> {
    const directory = mkdtempSync(join(tmpdir(), "storm-postgres-"));
    const volume = mounted(directory, volumeSize);
    const server = await pattern.twin(directory, settings);
    const relay = await DatabaseRelay.start(server.socket);
    return new PostgresStore(replicas, directory, volume, server, relay);
  }

  get postgresUrl(): string {
    return this.#server.urlAt(this.relay.port);
  }

  fill(): void {
    if (this.#isAway) return; // It could not come back.
    this.#isFull = true;
    this.#volume?.fill();
  }

  /** A server that could not go on for want of room ended, or ends as soon as it sees that. */
  async makeRoom(): Promise<void> {
    this.#volume?.makeRoom();
    await this.#surely("SELECT 1");
    this.#isFull = false;
  }

  /** For a while; `SIGINT`: in order, `SIGQUIT`: as in a crash. */
  async restart(signal: "SIGINT" | "SIGQUIT", awayMs: number): Promise<void> {
    if (this.#isAway || this.#isFull) return;
    this.#isAway = true;
    await this.#server.halt(signal);
    await sleep(awayMs);
    await this.#server.resume();
    this.#isAway = false;
  }

  /** Sessions are ended by the server, and new ones cannot write until it is over. */
  async setReadOnly(isReadOnly: boolean): Promise<void> {
    await this.#surely(`ALTER SYSTEM SET default_transaction_read_only = ${isReadOnly ? "on" : "off"}`);
    await this.#surely("SELECT pg_reload_conf()");
    await this.endSessions();
  }

  async endSessions(): Promise<void> {
    await this.#surely(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'integration-workflow%'",
    );
  }

  async figures(workflow: string): Promise<StoreFigures | undefined> {
    const schema = `"iw_crm_${workflow}"`;
    const rows = this.#server.admin(
      `SELECT (SELECT count(*)::int FROM ${schema}.pending) AS pending,
         (SELECT coalesce(json_agg(json_build_object('mapping', mapping, 'id', id, 'reason', reason)), '[]')
          FROM ${schema}.dead) AS dead`,
    );
    const [row] = await rows.catch(() => []);
    if (row === undefined) return undefined;
    return { pending: Number(row["pending"]), dead: row["dead"] as StoreFigures["dead"] }; // As the statement gives it.
  }

  async optOutAudit(workflow: string): Promise<readonly string[]> {
    const rows = await this.#server.admin(`SELECT record::text FROM "iw_crm_${workflow}".opt_out_audit ORDER BY seq`);
    return rows.map(({ record }) => String(record));
  }

  async end(): Promise<void> {
    await this.relay.end();
    await this.#server.halt("SIGQUIT");
    this.#leave();
  }

  abandon(): void {
    this.#server.abandon();
    this.#leave();
  }

  /** Runs a statement as soon as the server can; it is started again where it has ended. */
  async #surely(sql: string): Promise<void> {
    for (const until = performance.now() + startsWithinMs; performance.now() < until; await sleep(100)) {
      if (this.#isAway) continue;
      if (!this.#server.isRunning) await this.#server.resume().catch(() => undefined); // Without room it ends again.
      const answer = await this.#server.admin(sql).catch(() => undefined);
      if (answer !== undefined) return;
    }
    throw new Error("the storm's PostgreSQL server does not come back");
  }

  #leave(): void {
    this.#volume?.unmount();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
