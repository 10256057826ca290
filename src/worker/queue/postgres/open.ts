import { createHash, randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { PoolClient } from "pg";
import { StoreError, StoreOutage } from "../errors.ts";
import { batchFunctions } from "./batch-functions.ts";
import { Database, type DatabaseOptions } from "./connection.ts";
import { contactFunctions } from "./contact-functions.ts";
import { heldFunctions } from "./held.ts";
import { linkFunctions } from "./link-functions.ts";
import { pageFunctions } from "./page-functions.ts";
import { migrations, oldestReader, schemaVersion } from "./schema.ts";
import { turnFunctions } from "./turn-functions.ts";

const tryAgainMs = 1000;
const longestName = 63;
/** As server_version_num. The tests run on it. */
const oldestServer = 150_000;
/** An index over all that waits may take a while. */
const migrationTimeoutMs = 1_800_000;

/** What another version's functions return cannot be replaced; those of triggers belong to the tables. */
const withoutFunctions = `DO $$ DECLARE f regprocedure; BEGIN
  FOR f IN SELECT oid FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND prorettype <> 'trigger'::regtype
  LOOP EXECUTE 'DROP FUNCTION ' || f; END LOOP; END $$`;

/** One schema a workflow: it follows the name, as a volume does. Names in Kubernetes have no underscores. */
export function schemaName({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  const full = `iw_${namespace}_${name}`;
  if (full.length <= longestName) return full;
  const digest = createHash("sha256").update(full).digest("hex").slice(0, 16);
  return `${full.slice(0, longestName - digest.length - 1)}_${digest}`;
}

/**
 * Opens the store of a workflow, with others or alone, and brings it to this version. While the database does not answer,
 * this waits.
 * @param waits told why, each time that it has to wait
 * @throws StoreError; the signal's reason when it aborts while waiting
 */
export async function openDatabase(
  options: DatabaseOptions,
  signal: AbortSignal,
  waits: (outage: StoreOutage) => void,
): Promise<{ readonly database: Database; readonly fingerprintKey: Buffer }> {
  const database = new Database(options);
  // It may wait behind another's transaction, or for a server that is gone without a word.
  const cut = () => database.cut();
  signal.addEventListener("abort", cut, { once: true });
  for (let waited = false; ; waited = true) {
    try {
      signal.throwIfAborted();
      const fingerprintKey = await database.transaction((client) => prepare(client, options.schema));
      database.keepTo(fingerprintKey.toString("base64"));
      signal.removeEventListener("abort", cut);
      if (waited) options.logger.info("queue.opened", { schema: options.schema });
      return { database, fingerprintKey };
    } catch (error) {
      if (!(error instanceof StoreOutage) || signal.aborted) {
        await database.close();
        // It was stopped, whatever came of its last try.
        throw signal.aborted && !(error instanceof StoreError) ? signal.reason : error;
      }
      waits(error);
    }
    await delay(tryAgainMs, undefined, { signal }).catch(() => undefined); // The next turn says why.
  }
}

/** Several processes may begin at once: one of them does it. */
async function prepare(client: PoolClient, schema: string): Promise<Buffer> {
  await checkVersion(client);
  await client.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [`integration-workflow ${schema}`]);
  const { rows } = await client.query("SELECT FROM pg_namespace WHERE nspname = $1", [schema]);
  if (rows.length === 0) await client.query(`CREATE SCHEMA "${schema}"`);
  const found = await client.query(
    "SELECT to_regclass($1) AS meta, count(c.*)::int AS tables FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid WHERE n.nspname = $2",
    [`"${schema}".meta`, schema],
  );
  if (found.rows[0]?.meta === null) {
    if (found.rows[0]?.tables !== 0) throw foreign(schema);
    await client.query("CREATE TABLE meta (key text PRIMARY KEY, value text NOT NULL)");
  }
  const meta = new Map<string, string>(
    (await client.query("SELECT key, value FROM meta")).rows.map(({ key, value }) => [key, value]),
  );
  const version = Number(meta.get("version") ?? 0);
  const put = (key: string, value: string) =>
    client.query("INSERT INTO meta VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value", [
      key,
      value,
    ]);
  if (version > schemaVersion && Number(meta.get("oldest_reader") ?? version) > schemaVersion) {
    throw tooNew(schema, version);
  }
  if (version < schemaVersion) {
    await client.query(`SET LOCAL statement_timeout = ${migrationTimeoutMs}`);
    for (const text of migrations.slice(version)) {
      const patiently = { text, query_timeout: migrationTimeoutMs };
      await client.query(patiently);
    }
    await put("version", String(schemaVersion));
    await put("oldest_reader", String(oldestReader));
  }
  // They are this program's: the processes of one run are all of one version.
  const functions = [linkFunctions, contactFunctions, turnFunctions, pageFunctions, heldFunctions, batchFunctions].join(
    "\n",
  );
  const digest = createHash("sha256").update(functions).digest("hex");
  if (meta.get("functions") !== digest) {
    await client.query(withoutFunctions);
    await client.query(functions);
    await put("functions", digest);
  }
  const key = meta.get("fingerprint_key") ?? randomBytes(32).toString("base64");
  if (!meta.has("fingerprint_key")) await put("fingerprint_key", key);
  return Buffer.from(key, "base64");
}

async function checkVersion(client: PoolClient): Promise<void> {
  const { rows } = await client.query<{ number: string; name: string }>(
    "SELECT current_setting('server_version_num') AS number, current_setting('server_version') AS name",
  );
  if (Number(rows[0]?.number) >= oldestServer) return;
  throw new StoreError(
    "StoreRefused",
    `the PostgreSQL server is of version ${rows[0]?.name}, and the worker needs ${oldestServer / 10_000} or newer: ` +
      "upgrade it, or give the worker another database",
  );
}

function tooNew(schema: string, version: number): StoreError {
  return new StoreError(
    "StoreTooNew",
    `the queue's schema ${schema} has version ${version}, and this worker knows versions up to ${schemaVersion}: ` +
      "run the newer worker image again, or drop the schema (everything is then read and compared anew)",
  );
}

function foreign(schema: string): StoreError {
  return new StoreError(
    "StoreUnreadable",
    `the schema ${schema} cannot be used as the queue's store: another program made it. Give the worker another database, or drop the schema`,
  );
}
