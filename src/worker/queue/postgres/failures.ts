import { StoreError, StoreOutage, storeUnreachable } from "../errors.ts";

/** Where a statement failed, for messages. */
export interface FailurePlace {
  /** Host and database, without what signs in. */
  readonly place: string;
  /** The Secret that has the address, and what refers to it. */
  readonly secret: string;
  readonly schema: string;
}

/** Errors of SQL: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const sql = {
  wrongPassword: "28P01",
  notAuthorized: "28000",
  noDatabase: "3D000",
  noPrivilege: "42501",
  noRoom: "53100",
  readOnly: "25006",
  cancelled: "57014",
} as const;
const refusing: ReadonlySet<string> = new Set([sql.wrongPassword, sql.notAuthorized, sql.noDatabase, sql.noPrivilege]);
/** No such schema, table, column, function; and pages that are broken. */
const broken = /^(3F000|42P01|42703|42883|XX00[12])$/;
const passing = /^(08|40|53|57P|58)|^(25006|55000|55P03|57014|25P03)$/;

/** The server does not let the worker in: also while its credentials are being changed. */
export function isNotSignedIn(error: unknown): boolean {
  const code = codeOf(error) ?? "";
  return code === sql.wrongPassword || code === sql.notAuthorized;
}

/** Whether the database answers and only takes no changes. */
export function isOfChanges(error: unknown): boolean {
  const code = codeOf(error);
  return code === sql.noRoom || code === sql.readOnly;
}

/** What an error means to the worker, in words for a person: an outage passes, a StoreError does not. Others are as they were. */
export function failureOf(error: unknown, where: FailurePlace): unknown {
  if (error instanceof StoreError || error instanceof StoreOutage) return error;
  const { place, secret, schema } = where;
  const code = codeOf(error);
  const why = error instanceof Error ? error.message : String(error);
  const database = `the PostgreSQL database at ${place}`;
  if (/unsupported startup parameter/.test(why)) {
    return new StoreError(
      "StoreRefused",
      `what answers at ${place} is a pooler that refuses the worker's settings (${why}): let the key "url" of ${secret} ` +
        "lead to the server itself, or to a pooler in session mode that passes startup parameters on, then restart the workflow",
      error,
    );
  }
  if (refusing.has(code ?? "")) {
    const message = `${database} refuses the worker (${why}): ${refusalAdvice(code, why, secret)}, then restart the workflow`;
    return new StoreError("StoreRefused", message, error);
  }
  if (broken.test(code ?? "")) {
    return new StoreError(
      "StoreUnreadable",
      `the queue's schema ${schema} in ${database} is not whole any more (${why}): restore it from a backup, or drop the ` +
        "schema (everything is then read and compared anew), and restart the workflow",
      error,
    );
  }
  if (code === sql.noRoom) return storeUnreachable(`${database} has no room (${why}): give its server more`, error);
  if (code === sql.readOnly) {
    return storeUnreachable(
      `${database} takes no changes (${why}): it is a standby, or was made read-only; let the key "url" of ${secret} lead ` +
        "to the primary",
      error,
    );
  }
  if (code === sql.cancelled) {
    return storeUnreachable(`${database} did not do in time what it was asked, or somebody stopped it (${why})`, error);
  }
  const advice = tlsAdvice(code, why, secret);
  if (advice !== undefined) return storeUnreachable(`${database} is not spoken to (${why}): ${advice}`, error);
  const isOfTheSystem = code !== undefined && !/^[0-9A-Z]{5}$/.test(code);
  if (code === undefined ? isOfTheConnection(why) : passing.test(code) || isOfTheSystem) {
    return storeUnreachable(`${database} does not answer (${why || code})`, error);
  }
  return error;
}

function refusalAdvice(code: string | undefined, why: string, secret: string): string {
  if (code === sql.noPrivilege) return "its user has to be allowed to make a schema in it, and to own that one";
  if (code === sql.noDatabase) return `make the database, or mend the key "url" of ${secret}`;
  if (/no encryption/.test(why))
    return `it takes encrypted connections only: let the key "url" of ${secret} say no sslmode`;
  if (/valid client certificate/.test(why))
    return "the worker has no client certificate: let its user sign in by password";
  return `check user and password in the key "url" of ${secret}, and the server's pg_hba.conf`;
}

/** Of what Node and the client say when no encrypted connection comes about; undefined: it is something else. */
function tlsAdvice(code = "", why: string, secret: string): string | undefined {
  if (why === "The server does not support SSL connections") {
    return "turn on its TLS, or let the address say sslmode=disable, if nobody else is on the way to it";
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return `its certificate is for another name: use that one in the key "url" of ${secret}, or sslmode=verify-ca`;
  }
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID") return "it needs a certificate that is valid now";
  if (!/CERT|SIGNATURE|^ERR_(TLS|SSL)/.test(code)) return undefined;
  return "its certificate is not trusted (a private CA goes into spec.caBundle)";
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** What the client says by itself when a connection is lost or not to be had. */
function isOfTheConnection(why: string): boolean {
  return /timeout|terminated|Connection|not queryable|client was closed/i.test(why);
}
