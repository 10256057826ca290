import { Pool, type PoolClient, type PoolConfig, type QueryResultRow } from "pg";
import type { Logger } from "../../../telemetry/log.ts";
import { StoreError, StoreOutage, storeUnreachable } from "../errors.ts";
import type { Outage } from "../interface.ts";
import { addressOf, placeOf } from "./address.ts";
import { failureOf, isNotSignedIn, isOfChanges } from "./failures.ts";

export interface DatabaseOptions {
  /** The address of the database with everything that signs in, as in the Secret. Asked for again when something fails. */
  readonly url: () => Promise<string>;
  /** For messages: the Secret that has it, and what refers to it. */
  readonly secret: string;
  /** The certificate authorities that vouch for the server; absent: the usual ones. */
  readonly caBundle?: string;
  readonly schema: string;
  /**
   * How long credentials that did sign in may be refused before that is for good: they are changed in two places, of which
   * the Secret's takes a minute to arrive.
   */
  readonly refusedForMs?: number;
  readonly logger: Logger;
}

/** One for what changes the store, one for its way to the disk, one for pages, the others for questions. */
const mostConnections = 5;
/** An outage is over with the first answer, or seems to be after this time without a question. */
const outageForMs = 40_000;
const connectTimeoutMs = 10_000;
/** Everything is done in parts, so that nothing takes so long. */
const statementTimeoutMs = 60_000;
/** A process that stands still within a transaction keeps all others out: not for longer than this. */
const idleInTransactionMs = 10_000;
const refusedForMs = 180_000;

/** Every question has its index, however few rows the planner believes in: a full table is no time to find out. */
const byIndexAlone = ["seqscan", "bitmapscan", "hashjoin", "mergejoin", "material"].map((way) => `enable_${way}=off`);

interface Current {
  readonly url: string;
  readonly pool: Pool;
}

/**
 * The way to the database, which may be rotated, moved or failed over meanwhile. Its errors say whether waiting helps.
 * Wherever the address leads by then, it is to the store that was opened, or to none.
 */
export class Database {
  readonly #options: DatabaseOptions;
  #outage: (Outage & { readonly at: number; readonly isOfChanges: boolean }) | undefined;
  #closed = false;
  #current: Current | undefined;
  readonly #inUse = new Set<() => void>();
  readonly #abandoned = Promise.withResolvers<never>();
  /** The address is to be asked for again. */
  #isDoubted = false;
  #wasSignedIn = false;
  #refusedSince: number | undefined;
  /** What tells the store that was opened from any other. */
  #mark: string | undefined;

  constructor(options: DatabaseOptions) {
    this.#options = options;
    this.#abandoned.promise.catch(() => {}); // Most are never told.
  }

  get schema(): string {
    return this.#options.schema;
  }

  /** The store is open: no other one is used from now on. @param mark of its table `meta`, key `fingerprint_key` */
  keepTo(mark: string): void {
    this.#mark = mark;
  }

  /** Asks; what changes the store is `change`. @throws StoreOutage, StoreError */
  query<Row extends QueryResultRow>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    return this.#use(async (client) => (await client.query<Row>(sql, [...values])).rows, false);
  }

  /** A statement that is a transaction. @throws as `transaction` */
  change<Row extends QueryResultRow>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    return this.#use(async (client) => (await client.query<Row>(sql, [...values])).rows, true);
  }

  /** @throws StoreOutage, StoreError; then none of it happened, or, if the connection was lost at its end, all of it */
  transaction<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    return this.#use(async (client) => {
      await client.query("BEGIN");
      const result = await work(client);
      await client.query("COMMIT");
      return result;
    }, true);
  }

  /** What failed last, until something is answered again. */
  get outage(): Outage | undefined {
    return this.#outage !== undefined && performance.now() - this.#outage.at < outageForMs ? this.#outage : undefined;
  }

  /** Ends what is under way: its connections are closed, and it fails. */
  cut(): void {
    for (const end of this.#inUse) {
      this.#inUse.delete(end);
      end();
    }
  }

  /** As `cut`, and nothing is waited for from now on. */
  abandon(): void {
    this.#abandoned.reject(storeUnreachable(`${this.#place} is given up: the worker ends`, undefined));
    this.cut();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#current?.pool.end();
  }

  async #use<T>(work: (client: PoolClient) => Promise<T>, changes: boolean): Promise<T> {
    if (this.#closed) throw new Error("the queue is closed");
    const client = await this.#client();
    const end = () => client.release(true);
    this.#inUse.add(end);
    let failure: unknown;
    try {
      const result = await work(client);
      if (changes || !this.#outage?.isOfChanges) this.#outage = undefined;
      return result;
    } catch (error) {
      failure = error;
      throw this.#told(error);
    } finally {
      // One that failed may still be within its transaction: the server ends that with the connection.
      if (this.#inUse.delete(end)) client.release(failure !== undefined);
    }
  }

  async #client(): Promise<PoolClient> {
    const before = this.#isDoubted ? undefined : this.#current;
    const { url, pool } = before ?? (await this.#connect());
    try {
      const client = await this.#unlessAbandoned(pool.connect());
      this.#wasSignedIn = true;
      this.#refusedSince = undefined;
      return client;
    } catch (error) {
      // Somebody may have changed the address meanwhile.
      if (before !== undefined && (await this.#connect()).url !== url) return this.#client();
      throw this.#told(error);
    }
  }

  async #unlessAbandoned(connecting: Promise<PoolClient>): Promise<PoolClient> {
    try {
      return await Promise.race([connecting, this.#abandoned.promise]);
    } catch (error) {
      connecting.then(
        (client) => client.release(true), // It came too late.
        () => {},
      );
      throw error;
    }
  }

  /** Anew, if the address or the credentials are others now. */
  async #connect(): Promise<Current> {
    const url = await this.#options.url();
    this.#isDoubted = false;
    if (this.#current?.url === url) return this.#current;
    const pool = new Pool(this.#configuration(url));
    pool.on("error", () => {
      this.#isDoubted = true; // An idle connection was cut: the next question opens another.
    });
    // One that is cut in use says so by itself as well, besides failing what is under way.
    pool.on("connect", (client) => client.on("error", () => {}));
    void this.#current?.pool.end();
    this.#current = { url, pool };
    return this.#current;
  }

  #configuration(url: string): PoolConfig {
    const { schema, secret, caBundle } = this.#options;
    const settings = [`search_path="${schema}"`, "synchronous_commit=on", "jit=off", ...byIndexAlone];
    return {
      ...addressOf(url, secret, caBundle),
      max: mostConnections,
      connectionTimeoutMillis: connectTimeoutMs,
      statement_timeout: statementTimeoutMs,
      idle_in_transaction_session_timeout: idleInTransactionMs,
      // A server that is gone without a word is noticed.
      query_timeout: statementTimeoutMs + 5000,
      keepAlive: true,
      application_name: `integration-workflow ${schema}`.slice(0, 63),
      options: settings.map((one) => `-c ${one}`).join(" "),
      verify: (client, done) => {
        this.#verify(client).then(() => done(), done);
      },
    };
  }

  /** Of each new connection: an address may lead elsewhere than it did. */
  async #verify(client: PoolClient): Promise<void> {
    if (this.#mark === undefined) return;
    const { rows } = await client.query<{ mark: string; standby: boolean }>(
      "SELECT value AS mark, pg_is_in_recovery() AS standby FROM meta WHERE key = 'fingerprint_key'",
    );
    if (rows[0]?.mark !== this.#mark) throw this.#another();
    if (rows[0].standby) throw storeUnreachable(`${this.#place} is a standby, and takes no changes`, undefined);
  }

  get #place(): string {
    return `the PostgreSQL database at ${placeOf(this.#current?.url ?? "")}`;
  }

  #another(): StoreError {
    return new StoreError(
      "StoreBelongsToAnother",
      `${this.#place} has another store in the schema ${this.schema} than the worker opened: if the queue was moved on ` +
        "purpose, restart the workflow; if not, give the Secret the address that it had",
    );
  }

  #told(error: unknown): unknown {
    this.#isDoubted = true;
    const where = { place: placeOf(this.#current?.url ?? ""), secret: this.#options.secret, schema: this.schema };
    const failure = failureOf(error, where);
    if (failure instanceof StoreOutage) return this.#failed(failure, isOfChanges(error));
    if (!(failure instanceof StoreError) || !this.#wasSignedIn || !isNotSignedIn(error)) return failure;
    this.#refusedSince ??= performance.now();
    const patienceMs = this.#options.refusedForMs ?? refusedForMs;
    if (performance.now() - this.#refusedSince >= patienceMs) return failure;
    const change = "its password may be being changed, so the Secret is read again before it is given up";
    return this.#failed(storeUnreachable(`${this.#place} no longer lets the worker in (${change})`, error), false);
  }

  #failed(outage: StoreOutage, isOfChanges: boolean): StoreOutage {
    if (this.outage === undefined) this.#options.logger.warn("queue.unreachable", { why: outage.message });
    this.#outage = { reason: outage.code, message: outage.message, at: performance.now(), isOfChanges };
    return outage;
  }
}
