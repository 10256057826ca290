/** Whom the worker speaks to: a server that proves its name, and how it is told what is wrong when none does. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { silentLogger } from "../../../src/telemetry/log.ts";
import type { Outage, Queue } from "../../../src/worker/queue/interface.ts";
import { openPostgresQueue } from "../../../src/worker/queue/postgres/postgres-queue.ts";
import { Authority } from "./certificates.ts";
import { serverForFile } from "./for-file.ts";
import { type PostgresServer, serverUser } from "./server.ts";

let server: PostgresServer;
let authority: Authority;
let stranger: Authority;
let hbaFile: string;
const queues: Queue[] = [];
await serverForFile(async (started) => {
  server = started;
  [authority, stranger] = [new Authority(), new Authority()];
  hbaFile = String((await server.admin("SHOW hba_file"))[0]?.["hba_file"]);
});
afterAll(() => {
  for (const one of [authority, stranger]) one?.remove();
});
afterEach(async () => {
  for (const queue of queues.splice(0)) await queue.close();
});

/** `localhost` and `127.0.0.1` are two names of one server. */
const at = (host: "localhost" | "127.0.0.1", mode?: string) => {
  const url = new URL(server.url());
  return `postgres://${url.username}:${url.password}@${host}:${url.port}/postgres${mode ? `?sslmode=${mode}` : ""}`;
};

async function serve(names: string): Promise<void> {
  const { certificate, key } = authority.certify(names, serverUser);
  for (const setting of [`ssl_cert_file='${certificate}'`, `ssl_key_file='${key}'`, "ssl=on"]) {
    await server.admin(`ALTER SYSTEM SET ${setting}`);
  }
  await reload();
}

async function reload(): Promise<void> {
  const loaded = async () => (await server.admin("SELECT pg_conf_load_time()::text AS at"))[0]?.["at"];
  const before = await loaded();
  await server.admin("SELECT pg_reload_conf()");
  await vi.waitFor(async () => expect(await loaded()).not.toBe(before), { timeout: 10_000 });
}

/** Who may come in over the network; over the socket, the test itself. */
async function admit(line: string): Promise<void> {
  await server.admin(`COPY (SELECT unnest(ARRAY['local all all scram-sha-256', '${line}'])) TO '${hbaFile}'`);
  await reload();
}

function open(url: string, caBundle: string | undefined, waits: (outage: Outage) => void, signal: AbortSignal) {
  const workflow = { namespace: "crm", name: "contacts", uid: "1" };
  const trust = caBundle === undefined ? {} : { caBundle };
  const options = { url: async () => url, secret: "the Secret", workflow, logger: silentLogger, waits, ...trust };
  return openPostgresQueue(options, signal);
}

/** @returns whether the connection is encrypted */
async function opens(url: string, caBundle?: string): Promise<boolean> {
  const queue = await open(
    url,
    caBundle,
    ({ message }) => {
      throw new Error(message);
    },
    AbortSignal.timeout(20_000),
  );
  queues.push(queue);
  await queue.counts();
  const rows = await server.admin(
    `SELECT bool_and(ssl) AS encrypted FROM pg_stat_ssl NATURAL JOIN pg_stat_activity
     WHERE application_name LIKE 'integration-workflow%' AND state IS NOT NULL`,
  );
  await queue.close();
  return rows[0]?.["encrypted"] === true;
}

/** What the worker says while it waits for a server that it can speak to. */
async function waitsFor(url: string, caBundle?: string): Promise<string> {
  const stop = new AbortController();
  const told = Promise.withResolvers<Outage>();
  const opening = open(url, caBundle, told.resolve, stop.signal).then(
    (queue) => {
      queues.push(queue);
      told.reject(new Error("the server was spoken to"));
    },
    (error: unknown) => error !== stop.signal.reason && told.reject(error),
  );
  const { reason, message } = await told.promise;
  stop.abort();
  await opening;
  expect(reason).toBe("StoreUnreachable");
  expect(message).not.toContain("in-the-secret");
  return message;
}

describe("a server that has a certificate for its name", () => {
  beforeAll(async () => {
    if (server !== undefined) await serve("DNS:localhost");
  });

  it("is spoken to, encrypted, and stores passwords by SCRAM", async () => {
    expect(await opens(at("localhost"), authority.bundle)).toBe(true);
    expect(await opens(at("localhost", "verify-full"), authority.bundle)).toBe(true);
    expect(
      await server.admin("SELECT rolpassword LIKE 'SCRAM-SHA-256$%' AS scram FROM pg_authid WHERE rolcanlogin"),
    ).toEqual([{ scram: true }]);
  });

  it("is not, under another name, but for verify-ca", async () => {
    const message = await waitsFor(at("127.0.0.1"), authority.bundle);
    expect(message).toMatch(/certificate is for another name: use that one in the key "url" of the Secret/);
    expect(await opens(at("127.0.0.1", "verify-ca"), authority.bundle)).toBe(true);
  });

  it("is not, by another authority or the usual ones, but for require", async () => {
    for (const bundle of [stranger.bundle, undefined]) {
      for (const mode of ["verify-full", "verify-ca"]) {
        expect(await waitsFor(at("localhost", mode), bundle)).toMatch(
          /not trusted \(a private CA goes into spec\.caBundle\)/,
        );
      }
    }
    expect(await opens(at("localhost", "require"))).toBe(true);
  });

  it("is by its address, if its certificate says that", async () => {
    await serve("IP:127.0.0.1");
    expect(await opens(at("127.0.0.1"), authority.bundle)).toBe(true);
    expect(await waitsFor(at("localhost"), authority.bundle)).toMatch(/for another name/);
    await serve("DNS:localhost");
  });
});

it("a server that refuses what is not encrypted needs a person, who is told what to mend", async () => {
  await serve("DNS:localhost");
  await admit("hostssl all all all scram-sha-256");
  expect(await opens(at("localhost"), authority.bundle)).toBe(true);
  await expect(opens(at("localhost", "disable"))).rejects.toMatchObject({
    code: "StoreRefused",
    message: expect.stringMatching(/encrypted connections only: let the key "url" of the Secret say no sslmode/),
  });
  await admit("host all all all scram-sha-256");
});

it("a server that asks for a client's certificate needs a person, who is told that there is none", async () => {
  await serve("DNS:localhost");
  await server.admin(`ALTER SYSTEM SET ssl_ca_file='${authority.path}'`);
  await admit("hostssl all all all scram-sha-256 clientcert=verify-ca");
  await expect(opens(at("localhost"), authority.bundle)).rejects.toMatchObject({
    code: "StoreRefused",
    message: expect.stringMatching(/no client certificate: let its user sign in by password/),
  });
  await admit("host all all all scram-sha-256");
});

it("a server without TLS is not spoken to unless its address says so", async () => {
  await server.admin("ALTER SYSTEM SET ssl=off");
  await reload();
  expect(await waitsFor(at("localhost"), authority.bundle)).toMatch(
    /turn on its TLS, or let the address say sslmode=disable/,
  );
  expect(await opens(at("localhost", "disable"))).toBe(false);
});
