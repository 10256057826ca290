import type { ConnectionOptions } from "node:tls";
import type { ClientConfig } from "pg";
import { StoreError } from "../errors.ts";

/** Whom to speak to, and how it is to be sure that it is the one. */
type Address = Pick<ClientConfig, "host" | "port" | "user" | "password" | "database" | "ssl">;

/** @param secret for messages. @throws StoreError */
export function addressOf(text: string, secret: string, caBundle: string | undefined): Address {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^postgres(ql)?:$/.test(url.protocol) || url.pathname.length < 2) throw noAddress(secret);
  const [user, password, database] = [url.username, url.password, url.pathname.slice(1)].map((part) =>
    plain(part, secret),
  );
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: Number(url.port || 5432),
    user,
    password,
    database,
    ssl: tlsOf(url.searchParams.get("sslmode"), secret, caBundle),
  };
}

/** Where an address leads, without what signs in. */
export function placeOf(text: string): string {
  if (!URL.canParse(text)) return "its address";
  const { host, pathname } = new URL(text);
  return `${host}${pathname}`;
}

function plain(part: string, secret: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw noAddress(secret);
  }
}

function noAddress(secret: string): StoreError {
  return new StoreError(
    "StoreRefused",
    `the key "url" of ${secret} is no address of a PostgreSQL database: it is to read ` +
      "postgres://user:password@host:5432/database, with characters that mean something in an address as %40 and the like",
  );
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
