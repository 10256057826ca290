import { execFile, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { pythonEnvironment } from "./python-environment.ts";
import { tlsFront } from "./tls-front.ts";

const script = fileURLToPath(new URL("ordinary_calls.py", import.meta.url));
const environment =
  spawnSync("openssl", ["version"]).status === 0 ? pythonEnvironment(process.env) : { reason: "there is no openssl" };
if ("reason" in environment) console.warn(`the Python client of Dataverse is not tried: ${environment.reason}`);

/** What the client's calls gave, by the script's names. */
async function ordinaryCalls(python: string): Promise<Record<string, unknown>> {
  const controlAddress = { host: "127.0.0.1", port: 0 };
  const sandbox = await startSandbox({ contacts: 5, controlAddress }, silentLogger);
  const front = await tlsFront(sandbox.dataverseUrl);
  try {
    const { clientId, clientSecret } = sandbox.credentials;
    const tokenUrl = sandbox.dataverseTokenUrl.replace(sandbox.dataverseUrl, front.url);
    const { stdout } = await promisify(execFile)(
      python,
      [script, front.url, tokenUrl, clientId, clientSecret, sandbox.controlUrl ?? ""],
      { env: { ...process.env, REQUESTS_CA_BUNDLE: front.certificate, NO_PROXY: "localhost,127.0.0.1" } },
    );
    return JSON.parse(stdout);
  } finally {
    await front.close();
    await sandbox.close();
  }
}

describe.skipIf("reason" in environment)("Microsoft's Python client for Dataverse", () => {
  let seen: Record<string, unknown>;

  beforeAll(async () => {
    if ("python" in environment) seen = await ordinaryCalls(environment.python);
  });

  it("creates and updates a row, and takes a choice by its label", () => {
    expect(seen).toMatchObject({ created: { lastname: "Python", gendercode: 2 }, updated: "Changed" });
  });

  it("creates and updates in bulk, and follows pages", () => {
    expect(seen["pages"]).toEqual([["both", "both", "2"], ["3", "4", "5"], ["6"]]);
  });

  it("upserts one row and several by alternate keys", () => {
    expect(seen["upserted"]).toEqual(["Upsert PY1", "Upsert PY2"]);
  });

  it("reads a batch with a change set, whose reference was resolved", () => {
    expect(seen["batch"]).toEqual([
      [204, "1", true],
      [204, "2", true],
      [200, null, false],
    ]);
  });

  it("reads a batch that stopped at a change set, which was rolled back, and one that went on", () => {
    expect(seen).toMatchObject({
      stopped: [
        [204, null],
        [400, "0x80044331"],
      ],
      "went on": [400, 204],
      kept: 1,
      "rolled back": 0,
    });
  });

  it("does bulk messages, upserts, reads and deletions in one batch", () => {
    expect(seen).toMatchObject({
      "bulk in a batch": [200, 204, 204, 200, 204, 204, 200],
      "listed in a batch": ["0", "1", "2"],
      paired: ["first", "second"],
    });
  });

  it("builds queries, and follows their pages", () => {
    expect(seen).toMatchObject({ built: ["second", "first", "6", "5"], "after deletion": 2 });
  });

  it("lists tables and columns, and finds one or none", () => {
    expect(seen).toMatchObject({
      tables: ["account", "contact"],
      column: ["gendercode", "Picklist"],
      memos: ["description"],
      "no table": null,
    });
  });

  it("reads tables, typed columns through RetrieveMetadataChanges, and keys", () => {
    expect(seen).toMatchObject({
      table: ["contact", "contacts"],
      "max length": [50],
      keys: [["accountnumber"]],
    });
  });

  it("lists relationships, and binds an activity by the property that they name", () => {
    expect(seen).toMatchObject({
      regarding: {
        account: "regardingobjectid_account_adobe_emailsend",
        contact: "regardingobjectid_contact_adobe_emailsend",
      },
      bound: true,
    });
  });

  it("understands refusals: a row that is gone, a message that a table lacks, a limit with its Retry-After", () => {
    expect(seen).toMatchObject({
      gone: null,
      missing: { status: 404, transient: false, service_error_code: "0x80040217" },
      unsupported: { status: 400, service_error_code: "0x80040800" },
      throttled: { status: 429, transient: true, service_error_code: "0x80072322" },
    });
    expect(seen["unavailable"]).toMatchObject({ status: 503, transient: true, retry_after: 7 });
    expect((seen["throttled"] as { retry_after: number }).retry_after).toBeGreaterThanOrEqual(1);
  });

  it("retries by itself when connections are reset, and when metadata is not there yet", () => {
    expect(seen["after two 404s"]).toBe(true);
    expect(seen["after two resets"]).toBe(1);
  });
});
