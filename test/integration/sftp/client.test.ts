import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/telemetry/clock.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { FatalError, fatalOf } from "../../../src/worker/engine/fatal.ts";
import { CredentialsError } from "../../../src/worker/http/service-error.ts";
import { SftpServer as SftpClient } from "../../../src/worker/sftp/client.ts";
import { SftpError } from "../../../src/worker/sftp/errors.ts";
import { fingerprint, pinnedKeyBytes } from "../../../src/worker/sftp/host-key.ts";
import { type Relay, startRelay } from "./relay.ts";
import { type SftpServer, startSftpServer, whyNoSftpServer } from "./sshd.ts";

const whyNot = await whyNoSftpServer();
if (whyNot !== undefined) console.log(`the tests against a real SFTP server are skipped: ${whyNot}`);

describe.skipIf(whyNot !== undefined)("a real SFTP server", () => {
  const patient = new AbortController().signal;
  let server: SftpServer;
  let secret: string;
  const open: { close(): Promise<void> }[] = [];

  beforeAll(async () => {
    server = await startSftpServer();
    mkdirSync(join(server.home, "exports"));
  });
  afterAll(() => server?.stop());
  afterEach(async () => {
    await Promise.all(open.splice(0).map((each) => each.close()));
  });

  function withSecret(keys: Readonly<Record<string, string>>): string {
    const made = mkdtempSync(join(tmpdir(), "sftp-secret-"));
    open.push({ close: async () => rmSync(made, { recursive: true, force: true }) });
    secret = made;
    for (const [key, value] of Object.entries(keys)) writeFileSync(join(secret, key), value);
    return secret;
  }

  function client(
    keys: Readonly<Record<string, string>> = { privateKey: server.privateKey },
    { port = server.port, hostKey = server.hostKey, timeoutSeconds = 20 } = {},
  ): SftpClient {
    const made = new SftpClient({
      address: { host: "127.0.0.1", port, username: server.username, hostKey },
      credentials: { side: "campaign.sftp", directory: withSecret(keys), secretName: "campaign-sftp" },
      timeoutSeconds,
      clock: systemClock,
      random: () => 0.99,
      logger: silentLogger,
    });
    open.push(made);
    return made;
  }

  async function relay(): Promise<Relay> {
    const made = await startRelay(server.port);
    open.push(made);
    return made;
  }

  const file = (name: string, content: string | Buffer) => writeFileSync(join(server.home, "exports", name), content);

  async function text(sftp: SftpClient, name: string, fromByte = 0): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of sftp.read(`exports/${name}`, fromByte, patient)) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  }

  it("signs in by key, and lists the plain files with size and time", async () => {
    file("a_20260101_120000.txt", "hello");
    utimesSync(join(server.home, "exports", "a_20260101_120000.txt"), 1_700_000_000, 1_700_000_000);
    mkdirSync(join(server.home, "exports", "folder"), { recursive: true });
    symlinkSync("/etc/passwd", join(server.home, "exports", "link"));
    expect(await client().list("exports", patient)).toEqual([
      { name: "a_20260101_120000.txt", sizeBytes: 5, modifiedSeconds: 1_700_000_000 },
    ]);
  });

  it("signs in by password, and finds the folder by an absolute path", async () => {
    file("p.txt", "by password");
    const sftp = client({ password: server.password });
    const names = (await sftp.list(join(server.home, "exports"), patient)).map(({ name }) => name);
    expect(names).toContain("p.txt");
  });

  it("reads from any byte, in chunks", async () => {
    const content = Buffer.alloc(1_000_003, "0123456789");
    file("big.txt", content);
    const sftp = client();
    expect(await text(sftp, "big.txt", 999_999)).toBe("9012");
    expect(await text(sftp, "big.txt", 2_000_000)).toBe("");
    const sizes: number[] = [];
    for await (const chunk of sftp.read("exports/big.txt", 0, patient)) sizes.push(chunk.length);
    expect(sizes.length).toBeGreaterThan(3);
    expect(sizes.reduce((a, b) => a + b)).toBe(content.length);
  });

  it("asks for no more than is wanted, and can be left in the middle of a file", async () => {
    file("left.txt", Buffer.alloc(10_000_000));
    const through = await relay();
    const sftp = client(undefined, { port: through.port });
    for await (const chunk of sftp.read("exports/left.txt", 0, patient)) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(through.passed()).toBeLessThan(1_000_000);
    expect(await sftp.list("exports", patient)).not.toEqual([]);
    expect(through.accepted()).toBe(1);
  });

  it("refuses another host key for good, telling both fingerprints, before it names its user", async () => {
    const other = await startSftpServer();
    try {
      const sftp = client(undefined, { hostKey: other.hostKey });
      const error = await sftp.list("exports", patient).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(FatalError);
      expect(error).toMatchObject({ code: "HostKeyMismatch" });
      expect((error as FatalError).message).toContain(fingerprint(pinnedKeyBytes(server.hostKey)));
      expect((error as FatalError).message).toContain(fingerprint(pinnedKeyBytes(other.hostKey)));
      expect((error as FatalError).message).toContain("campaign.sftp.hostKey");
      expect(server.log()).not.toMatch(/user contoso.*preauth/);
    } finally {
      await other.stop();
    }
  });

  it("is shown the pinned key by a server with several", async () => {
    expect(await client(undefined, { hostKey: server.rsaHostKey }).list("exports", patient)).not.toEqual([]);
  });

  it("tells a wrong password, a wrong key and an unreadable key as credentials that only a person mends", async () => {
    const another = await startSftpServer();
    await another.stop();
    for (const keys of [{ password: "wrong" }, { privateKey: another.privateKey }, { privateKey: "no key" }]) {
      const error = await client(keys)
        .list("exports", patient)
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(CredentialsError);
      expect(fatalOf(error)?.code).toBe("CredentialsRejected");
      expect(String(error)).not.toContain("wrong");
    }
    const missing = client({}).list("exports", patient);
    await expect(missing).rejects.toMatchObject({ code: "CredentialsMissing" });
  });

  it("takes a password that was mounted anew at the next connection", async () => {
    const through = await relay();
    const sftp = client({ password: server.password }, { port: through.port });
    await sftp.list("exports", patient);
    writeFileSync(join(secret, "privateKey"), server.privateKey);
    rmSync(join(secret, "password"));
    through.cutAfter(0);
    await expect(sftp.list("exports", patient)).rejects.toBeInstanceOf(SftpError);
    expect(await sftp.list("exports", patient)).not.toEqual([]);
  });

  it("fails when the connection is cut in the middle of a file, and reads on from the next byte", async () => {
    const content = Buffer.alloc(3_000_000, "abcdefghij");
    file("cut.txt", content);
    const through = await relay();
    const sftp = client(undefined, { port: through.port });
    await sftp.list("exports", patient);
    through.cutAfter(1_000_000);
    const got: Buffer[] = [];
    const read = async (fromByte: number) => {
      for await (const chunk of sftp.read("exports/cut.txt", fromByte, patient)) got.push(chunk);
    };
    await expect(read(0)).rejects.toMatchObject({ code: "ConnectionLost" });
    await read(Buffer.concat(got).length);
    expect(Buffer.concat(got).equals(content)).toBe(true);
    expect(through.accepted()).toBe(2);
  });

  it("ends at once when it is stopped, whatever it waits for", async () => {
    const through = await relay();
    const sftp = client(undefined, { port: through.port, timeoutSeconds: 100 });
    await sftp.list("exports", patient);
    through.freeze();
    const stop = new AbortController();
    const asked = sftp.list("exports", stop.signal);
    stop.abort();
    await expect(asked).rejects.toMatchObject({ code: "Aborted" });
  });

  it("gives up a server that does not answer, at sign-in and later", async () => {
    const through = await relay();
    const sftp = client(undefined, { port: through.port, timeoutSeconds: 4 }); // It signs in in time, too.
    await sftp.list("exports", patient);
    through.freeze();
    await expect(sftp.list("exports", patient)).rejects.toMatchObject({ code: "TimedOut" });
    await expect(sftp.list("exports", patient)).rejects.toMatchObject({ code: "TimedOut" });
    through.thaw();
    expect(await sftp.list("exports", patient)).not.toEqual([]);
  });

  it("says what is no path, what may not be read, and what is no SFTP server", async () => {
    const sftp = client();
    await expect(sftp.list("nowhere", patient)).rejects.toMatchObject({ code: "PathMissing" });
    await expect(text(sftp, "gone.txt")).rejects.toMatchObject({ code: "PathMissing" });
    await expect(sftp.list("/root", patient)).rejects.toMatchObject({ code: "Forbidden" });
    const web: Server = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
    const address = web.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    await expect(client(undefined, { port }).list("exports", patient)).rejects.toMatchObject({ code: "Unreachable" });
    web.close();
    await expect(client(undefined, { port }).list("exports", patient)).rejects.toMatchObject({ code: "Unreachable" });
  });

  it("reads the file that it opened to its end though it is renamed, and sees what is appended meanwhile", async () => {
    file("grows.txt", Buffer.alloc(600_000, "x"));
    const sftp = client();
    let bytes = 0;
    for await (const chunk of sftp.read("exports/grows.txt", 0, patient)) {
      if (bytes === 0) {
        appendFileSync(join(server.home, "exports", "grows.txt"), "more");
        renameSync(join(server.home, "exports", "grows.txt"), join(server.home, "exports", "renamed.txt"));
      }
      bytes += chunk.length;
    }
    expect(bytes).toBe(600_004);
  });
});
