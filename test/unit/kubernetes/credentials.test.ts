import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Credentials, credentialsOf } from "../../../src/kubernetes/credentials.ts";
import { ConfigurationError } from "../../../src/kubernetes/errors.ts";
import { ManualClock } from "./manual-clock.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "credentials-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

test("a token file is read again each minute, and after a 401", async () => {
  const clock = new ManualClock();
  const tokenFile = join(folder, "token");
  writeFileSync(tokenFile, "first");
  const credentials = credentialsOf({ name: "u", tokenFile }, {}, clock);
  expect(await credentials.headers()).toEqual({ authorization: "Bearer first" });
  writeFileSync(tokenFile, "second");
  expect(await credentials.headers()).toEqual({ authorization: "Bearer first" });
  expect(credentials.forget()).toBe(true);
  expect(await credentials.headers()).toEqual({ authorization: "Bearer second" });
  writeFileSync(tokenFile, "third");
  await clock.advance(60_001);
  expect(await credentials.headers()).toEqual({ authorization: "Bearer third" });
});

test("a fixed token is not worth a second try", () => {
  expect(credentialsOf({ name: "u", token: "t" }, {}).forget()).toBe(false);
});

describe("an exec plugin", () => {
  /** A plugin that prints `answer`, and leaves one line with its environment for each run. */
  function plugin(answer: string, exitCode = 0): Credentials {
    const script = `
      const { appendFileSync } = require("node:fs");
      appendFileSync(${JSON.stringify(join(folder, "runs"))}, JSON.stringify({ info: process.env.KUBERNETES_EXEC_INFO, extra: process.env.EXTRA, home: process.env.HOME }) + "\\n");
      process.stdout.write(${JSON.stringify(answer)});
      process.stderr.write("plugin says why");
      process.exitCode = ${exitCode};`;
    const exec = {
      apiVersion: "client.authentication.k8s.io/v1",
      command: process.execPath,
      args: ["-e", script],
      env: [{ name: "EXTRA", value: "more" }],
      installHint: "install it so",
    };
    return credentialsOf({ name: "jane", exec }, { HOME: "/home/jane" });
  }

  const runs = (): { info: string; extra: string; home: string }[] =>
    readFileSync(join(folder, "runs"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));

  function credential(status: object): string {
    return JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status });
  }

  const inSeconds = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString();

  test("is run once for many calls, with what it may expect in its environment", async () => {
    const credentials = plugin(credential({ token: "t", expirationTimestamp: inSeconds(3600) }));
    const all = await Promise.all([credentials.headers(), credentials.headers()]);
    expect([...all, await credentials.headers()]).toEqual(Array(3).fill({ authorization: "Bearer t" }));
    expect(runs()).toHaveLength(1);
    expect(runs()[0]).toMatchObject({ extra: "more", home: "/home/jane" });
    expect(JSON.parse(runs()[0]?.info ?? "")).toEqual({
      apiVersion: "client.authentication.k8s.io/v1",
      kind: "ExecCredential",
      spec: { interactive: false },
    });
  });

  test("is run again shortly before its credential ends, and after a 401", async () => {
    const short = plugin(credential({ token: "t", expirationTimestamp: inSeconds(20) }));
    await short.headers();
    await short.headers();
    expect(runs()).toHaveLength(2);
    const long = plugin(credential({ token: "t" }));
    await long.headers();
    expect(long.forget()).toBe(true);
    await long.headers();
    expect(runs()).toHaveLength(4);
  });

  test("may give a client certificate", async () => {
    const credentials = plugin(credential({ clientCertificateData: "CERT", clientKeyData: "KEY" }));
    expect(await credentials.clientCertificate()).toEqual({ cert: "CERT", key: "KEY" });
    expect(await credentials.headers()).toEqual({});
  });

  test.each([
    ["fails", "", 1, /jane.* gave no credential: plugin says why\ninstall it so/],
    ["prints no JSON", "hello", 0, /gave no credential: .*JSON/],
    ["prints neither token nor certificate", "{}", 0, /neither a token nor a certificate/],
  ])("that %s is told of with its own words", async (_name, answer, exitCode, message) => {
    const call = plugin(answer, exitCode).headers();
    await expect(call).rejects.toBeInstanceOf(ConfigurationError);
    await expect(call).rejects.toThrow(message);
  });

  test("that is not installed is named, and tried again by the next call", async () => {
    const exec = {
      apiVersion: "client.authentication.k8s.io/v1",
      command: "/nowhere/plugin",
      installHint: "install it so",
    };
    const credentials = credentialsOf({ name: "jane", exec }, {});
    for (let count = 0; count < 2; count += 1) {
      await expect(credentials.headers()).rejects.toThrow(
        /\/nowhere\/plugin gave no credential: .*ENOENT\ninstall it so/,
      );
    }
  });
});
