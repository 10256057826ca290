import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "../../../telemetry/log.ts";
import { StoreError, storeFullMessage } from "../errors.ts";
import { parkedUntil } from "./link-news.ts";
import { resultCode, sqlite } from "./result-codes.ts";
import { applicationId, migrations, oldestReader, schemaVersion } from "./schema.ts";

const databaseFile = "queue.db";
const tryAgainMs = { StoreLocked: 250, StoreFull: 2000 } as const;

/** Why a store is not open yet: another process has it, or its volume has no room. */
export type StoreWait = keyof typeof tryAgainMs;

/**
 * Opens the store of a directory, alone: SQLite's exclusive locking mode holds the file's lock for as long as the process
 * lives, and the operating system lets go of it when the process dies, however it dies. While another process has it, or
 * there is no room to open it, this waits.
 *
 * Guarantees: a resolved commit is on disk (WAL, synchronous=FULL); what is deleted is overwritten (secure_delete).
 * @param waits told why, each time that it has to wait
 * @throws StoreError `StoreTooNew`, `StoreUnreadable`; the signal's reason when it aborts while waiting
 */
export async function openDatabase(
  directory: string,
  logger: Logger,
  signal: AbortSignal,
  waits: (why: StoreWait) => void,
): Promise<DatabaseSync> {
  const path = join(directory, databaseFile);
  let waited: StoreWait | undefined;
  for (;;) {
    signal.throwIfAborted();
    const database = tryOpen(directory, path);
    if (typeof database !== "string") {
      if (waited !== undefined) logger.info("queue.opened", { path, after: waited });
      return database;
    }
    if (database !== waited) tellWait(database, path, logger);
    waited = database;
    waits(database);
    await delay(tryAgainMs[database], undefined, { signal }).catch(() => undefined); // The next turn says why.
  }
}

function tellWait(wait: StoreWait, path: string, logger: Logger): void {
  if (wait === "StoreFull") logger.warn("queue.full", { path, why: storeFullMessage });
  else logger.info("queue.locked", { path, why: "another worker holds the store: waiting for its end" });
}

/** @returns why it cannot be opened now */
function tryOpen(directory: string, path: string): DatabaseSync | StoreWait {
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(directory, { recursive: true });
    database = new DatabaseSync(path, { timeout: 0 });
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA synchronous = FULL");
    database.exec("PRAGMA secure_delete = ON");
    database.exec("PRAGMA temp_store = MEMORY");
    database.exec("PRAGMA cache_size = -16384");
    // The first write takes the lock for good.
    database.exec("BEGIN IMMEDIATE");
    migrate(database);
    // The store is this process's alone: what an earlier one had leased or put off without a call under way is due. So is
    // what was parked and an older program, which knows of no parking, took.
    database.exec(
      `UPDATE pending SET token = NULL, ready_at = first_read_at, parked = 0
       WHERE begun = 0 AND ready_at <> iif(parked, ${parkedUntil}, first_read_at)`,
    );
    database.exec("COMMIT");
    database.enableDefensive(true);
    return database;
  } catch (error) {
    database?.close();
    switch (resultCode(error)) {
      case sqlite.busy:
      case sqlite.locked:
        return "StoreLocked";
      case sqlite.full:
        return "StoreFull";
      case sqlite.notADatabase:
      case sqlite.corrupt:
        throw new StoreError("StoreUnreadable", unreadable(path, "it is damaged"), error);
      case undefined:
        if (isOfTheFileSystem(error, "ENOSPC")) return "StoreFull";
        throw isOfTheFileSystem(error) ? cannotOpen(path, error) : error;
      default:
        throw cannotOpen(path, error);
    }
  }
}

function isOfTheFileSystem(error: unknown, code?: string): boolean {
  return error instanceof Error && "syscall" in error && "code" in error && (code ?? error.code) === error.code;
}

/** Not a StoreError: the volume may be back the next time. */
function cannotOpen(path: string, cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : String(cause);
  const remedy = "check that the volume is mounted, has room, and may be written by this user";
  return new Error(`the queue's store ${path} cannot be opened (${why}): ${remedy}`, { cause });
}

function migrate(database: DatabaseSync): void {
  const version = pragma(database, "user_version");
  const isEmpty = database.prepare("SELECT count(*) AS n FROM sqlite_schema").get()?.["n"] === 0;
  if (!isEmpty && pragma(database, "application_id") !== applicationId) {
    throw new StoreError("StoreUnreadable", unreadable(database.location() ?? "", "another program made it"));
  }
  if (version > schemaVersion) {
    const oldest = Number(
      database.prepare("SELECT value FROM meta WHERE key = 'oldest_reader'").get()?.["value"] ?? version,
    );
    if (oldest > schemaVersion) throw tooNew(version);
    return;
  }
  for (const migration of migrations.slice(version)) database.exec(migration);
  if (version === schemaVersion) return;
  const put = database.prepare(
    "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
  );
  put.run("oldest_reader", String(oldestReader));
  if (version === 0) put.run("fingerprint_key", randomBytes(32).toString("base64"));
  database.exec(`PRAGMA application_id = ${applicationId}`);
  database.exec(`PRAGMA user_version = ${schemaVersion}`);
}

function pragma(database: DatabaseSync, name: "user_version" | "application_id"): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
}

function tooNew(version: number): StoreError {
  return new StoreError(
    "StoreTooNew",
    `the queue's store has version ${version}, and this worker knows versions up to ${schemaVersion}: ` +
      "run the newer worker image again, or empty the volume (everything is then read and compared anew)",
  );
}

function unreadable(path: string, why: string): string {
  return `${path} cannot be used as the queue's store: ${why}. Restore the volume, or empty it (everything is then read and compared anew)`;
}
