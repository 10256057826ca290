import type { ConnectionOptions } from "node:tls";
import { Pool, type PoolClient, type PoolConfig, type QueryResultRow } from "pg";
import type { Logger } from "../../../telemetry/log.ts";
import { StoreError, StoreOutage, storeUnreachable } from "../errors.ts";
import type { Outage } from "../interface.ts";

export interface DatabaseOptions {
  /** The address of the database with everything that signs in, as in the Secret. Asked for again when it is refused. */
  readonly url: () => Promise<string>;
  /** For messages: the Secret that has it, and what refers to it. */
  readonly secret: string;
  /** The certificate authorities that vouch for the server; absent: the usual ones. */
  readonly caBundle?: string;
  readonly schema: string;
  readonly logger: Logger;
}

/** One for what changes the store, one for pages, the others for questions. */
const mostConnections = 4;
/** An outage is over with the first answer, or seems to be after this time without a question. */
const outageForMs = 40_000;
const connectTimeoutMs = 10_000;
/** Everything is done in parts, so that nothing takes so long. */
const statementTimeoutMs = 60_000;
/** A process that stands still within a transaction keeps all others out: not for longer than this. */
const idleInTransactionMs = 10_000;

/** Every question has its index, however few rows the planner believes in: a full table is no time to find out. */
const byIndexAlone = ["seqscan", "bitmapscan", "hashjoin", "mergejoin", "material"].map((way) => `enable_${way}=off`);

/** Errors of SQL: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const refusing: ReadonlySet<string> = new Set(["28000", "28P01", "3D000", "42501", "3F000"]);
const passing = /^(08|40|53|57P|58)|^(25006|55P03|57014|25P03)$/;
const noRoom = "53100";

/** The way to the database. Its errors say whether waiting helps. */
export class Database {
  readonly #options: DatabaseOptions;
  #outage: (Outage & { readonly at: number }) | undefined;
  #closed = false;
  #current: { readonly url: string; readonly pool: Pool } | undefined;

  constructor(options: DatabaseOptions) {
    this.#options = options;
  }

  get schema(): string {
    return this.#options.schema;
  }

  /** @throws StoreOutage, StoreError */
  async query<Row extends QueryResultRow>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    return this.#use(async (client) => (await client.query<Row>(sql, [...values])).rows);
  }

  /** @throws StoreOutage, StoreError; then none of it happened, or, if the connection was lost at its end, all of it */
  transaction<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    return this.#use(async (client) => {
      await client.query("BEGIN");
      const result = await work(client);
      await client.query("COMMIT");
      return result;
    });
  }

  /** What failed last, until something is answered again. */
  get outage(): Outage | undefined {
    return this.#outage !== undefined && performance.now() - this.#outage.at < outageForMs ? this.#outage : undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#current?.pool.end();
  }

  async #use<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    if (this.#closed) throw new Error("the queue is closed");
    const { url, pool } = this.#current ?? (await this.#connect());
    let client: PoolClient;
    try {
      client = await pool.connect();
    } catch (error) {
      if (isRefused(error) && (await this.#connect()).url !== url) return this.#use(work);
      throw this.#told(error);
    }
    // A connection that is cut says so here as well, besides failing what is under way.
    const ignore = () => {};
    client.on("error", ignore);
    let failure: unknown;
    try {
      const result = await work(client);
      this.#outage = undefined;
      return result;
    } catch (error) {
      failure = error;
      throw this.#told(error);
    } finally {
      client.off("error", ignore);
      // One that failed may still be within its transaction: the server ends that with the connection.
      client.release(failure !== undefined);
    }
  }

  /** Anew, if the credentials have been rotated. */
  async #connect(): Promise<{ readonly url: string; readonly pool: Pool }> {
    const url = await this.#options.url();
    if (this.#current?.url === url) return this.#current;
    const pool = new Pool(this.#configuration(url));
    pool.on("error", () => {}); // An idle connection was cut: the next question opens another.
    void this.#current?.pool.end();
    this.#current = { url, pool };
    return this.#current;
  }

  #configuration(text: string): PoolConfig {
    const { schema, secret, caBundle } = this.#options;
    const url = parsedUrl(text, secret);
    const settings = [`search_path="${schema}"`, "synchronous_commit=on", "jit=off", ...byIndexAlone];
    return {
      host: url.hostname,
      port: Number(url.port || 5432),
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      database: decodeURIComponent(url.pathname.slice(1)),
      ssl: tlsOf(url.searchParams.get("sslmode"), secret, caBundle),
      max: mostConnections,
      connectionTimeoutMillis: connectTimeoutMs,
      statement_timeout: statementTimeoutMs,
      idle_in_transaction_session_timeout: idleInTransactionMs,
      // A server that is gone without a word is noticed.
      query_timeout: statementTimeoutMs + 5000,
      keepAlive: true,
      application_name: `integration-workflow ${schema}`.slice(0, 63),
      options: settings.map((one) => `-c ${one}`).join(" "),
    };
  }

  #told(error: unknown): unknown {
    if (error instanceof StoreError || error instanceof StoreOutage) return error;
    const code = codeOf(error);
    const place = placeOf(this.#current?.url ?? "");
    const why = error instanceof Error ? error.message : String(error);
    if (isRefused(error)) {
      return new StoreError("StoreRefused", refusedMessage(place, why, this.#options.secret), error);
    }
    if (code === noRoom) return this.#failed(`the PostgreSQL database at ${place} has no room (${why})`, error);
    if (code === undefined ? isOfTheConnection(error) : passing.test(code) || !/^[0-9A-Z]{5}$/.test(code)) {
      return this.#failed(`the PostgreSQL database at ${place} does not answer (${why})`, error);
    }
    return error;
  }

  #failed(what: string, cause: unknown): StoreOutage {
    const outage = storeUnreachable(what, cause);
    if (this.outage === undefined) this.#options.logger.warn("queue.unreachable", { why: outage.message });
    this.#outage = { reason: outage.code, message: outage.message, at: performance.now() };
    return outage;
  }
}

function isRefused(error: unknown): boolean {
  return refusing.has(codeOf(error) ?? "");
}

function refusedMessage(place: string, why: string, secret: string): string {
  return (
    `the PostgreSQL database at ${place} refuses the worker (${why}): check the key "url" of ${secret}, ` +
    "that the database exists, and that its user may create a schema in it, then restart the workflow"
  );
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** What the client says by itself when a connection is lost or not to be had. */
function isOfTheConnection(error: unknown): boolean {
  return error instanceof Error && /timeout|terminated|Connection|not queryable|client was closed/i.test(error.message);
}

/** @throws StoreError */
function parsedUrl(text: string, secret: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^postgres(ql)?:$/.test(url.protocol) && url.pathname.length > 1) return url;
  throw new StoreError(
    "StoreRefused",
    `the key "url" of ${secret} is no address of a PostgreSQL database: ` +
      "it is to read postgres://user:password@host:5432/database",
  );
}

function placeOf(text: string): string {
  if (!URL.canParse(text)) return "its address";
  const { host, pathname } = new URL(text);
  return `${host}${pathname}`;
}

/** As libpq, but that nothing said means that the server has to prove who it is. @throws StoreError */
function tlsOf(mode: string | null, secret: string, caBundle: string | undefined): ConnectionOptions | false {
  const ca = caBundle === undefined ? {} : { ca: caBundle };
  switch (mode) {
    case "disable":
      return false;
    case "require":
      return { rejectUnauthorized: false };
    case "verify-ca":
      return { ...ca, checkServerIdentity: () => undefined };
    case null:
    case "verify-full":
      return ca;
    default:
      throw new StoreError(
        "StoreRefused",
        `sslmode=${mode} in the key "url" of ${secret} is none of disable, require, verify-ca, verify-full`,
      );
  }
}
