/** A store of the queue's tests on a PostgreSQL server, with a clock that the test sets. */
import { randomUUID } from "node:crypto";
import { Client } from "pg";
import { silentLogger } from "../../../src/telemetry/log.ts";
import type { Queue } from "../../../src/worker/queue/interface.ts";
import { openPostgresQueue } from "../../../src/worker/queue/postgres/postgres-queue.ts";
import type { TestStore } from "../../unit/worker/queue/queue-ground.ts";
import type { PostgresServer } from "./server.ts";

export class PostgresStore implements TestStore {
  readonly #server: PostgresServer;
  readonly #name = `t${randomUUID().slice(0, 8)}`;
  #client: Client | undefined;
  #toldNow: number | undefined;

  constructor(server: PostgresServer) {
    this.#server = server;
  }

  async open(now: () => number, signal: AbortSignal): Promise<Queue> {
    const queue = await openPostgresQueue(
      {
        url: async () => this.#server.url(),
        secret: "the Secret",
        workflow: { namespace: "crm", name: this.#name, uid: "1" },
        logger: silentLogger,
      },
      signal,
    );
    await this.#setClock(now());
    return this.#onTime(queue, now);
  }

  async count(table: string, mapping: string, which = "true"): Promise<number> {
    const sql = `SELECT count(*)::int AS n FROM ${this.#schema}.${table} WHERE mapping = $1 AND ${which}`;
    const { rows } = await (await this.#connection()).query(sql, [mapping]);
    return rows[0]?.n;
  }

  async empty(): Promise<void> {
    await (await this.#connection()).query(`DROP SCHEMA IF EXISTS ${this.#schema} CASCADE`);
    await this.#client?.end();
    this.#client = undefined;
    this.#toldNow = undefined;
  }

  get #schema(): string {
    return `"iw_crm_${this.#name}"`;
  }

  async #connection(): Promise<Client> {
    if (this.#client !== undefined) return this.#client;
    this.#client = new Client({ connectionString: this.#server.url() });
    await this.#client.connect();
    return this.#client;
  }

  async #setClock(ms: number): Promise<void> {
    if (this.#toldNow === ms) return;
    this.#toldNow = ms;
    await (await this.#connection()).query(
      `CREATE OR REPLACE FUNCTION ${this.#schema}.wall_ms() RETURNS bigint LANGUAGE sql AS $$ SELECT ${ms}::bigint $$`,
    );
  }

  /** The same, but that the database is told the time before anything is asked of it. */
  #onTime<T extends Queue | Queue["records"] | Queue["contacts"]>(target: T, now: () => number): T {
    return new Proxy(target, {
      get: (object, name) => {
        if (name === "records" || name === "contacts") return this.#onTime((object as Queue)[name], now);
        const value: unknown = Reflect.get(object, name, object);
        if (typeof value !== "function") return value;
        const call = value.bind(object);
        if (name === "fingerprint" || name === "close") return call;
        return (...args: unknown[]) =>
          this.#toldNow === now() ? call(...args) : this.#setClock(now()).then(() => call(...args));
      },
    });
  }
}
