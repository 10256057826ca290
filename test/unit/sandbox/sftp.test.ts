import { createPublicKey } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { connect as connectSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2 from "ssh2";
import SftpClient from "ssh2-sftp-client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { hostKeyOf } from "../../../src/sandbox/sftp/host-key.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";

/** Campaign's SFTP server, judged by ssh2-sftp-client. */

const user = ssh2.utils.generateKeyPairSync("ed25519");
const other = ssh2.utils.generateKeyPairSync("ed25519");
const folder = "d365_loads/exports";
let sandbox: RunningSandbox;
const clients: SftpClient[] = [];

beforeEach(async () => {
  const sftpAccount = { username: "contoso", password: "right", publicKey: user.public };
  const sftpAddress = { host: "127.0.0.1", port: 0 };
  sandbox = await startSandbox({ contacts: 0, sftpAddress, sftpAccount }, silentLogger);
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end().catch(() => undefined)));
  await sandbox.close();
});

const control = () => sandbox.control;

async function connect(login: { password: string } | { privateKey: string } = { password: "right" }) {
  const { host, port, username, hostKey } = sandbox.sftp ?? { host: "", port: 0, username: "", hostKey: "" };
  const quiet = () => undefined;
  const client = new SftpClient("test", { error: quiet, end: quiet, close: quiet });
  clients.push(client);
  let shown = "";
  await client.connect({
    ...{ username, ...login, readyTimeout: 5000 },
    sock: connectSocket({ host, port, noDelay: true }), // The client's own sockets wait 40 ms before each question.
    hostVerifier: (key: Buffer) => {
      shown = `ssh-ed25519 ${key.toString("base64")}`;
      return true;
    },
  });
  expect(shown).toBe(hostKey);
  return client;
}

const text = async (client: SftpClient, name: string) => String(await client.get(`${folder}/${name}`));

describe("the SFTP server", () => {
  it("always shows the same host key, unless another text is given for it", async () => {
    expect(hostKeyOf("sandbox")).toEqual(hostKeyOf("sandbox"));
    expect(hostKeyOf("other").publicKey).not.toBe(hostKeyOf("sandbox").publicKey);
    const parsed = ssh2.utils.parseKey(hostKeyOf("other").privateKey);
    if (parsed instanceof Error) throw parsed;
    expect(`ssh-ed25519 ${parsed.getPublicSSH().toString("base64")}`).toBe(hostKeyOf("other").publicKey);
    expect(createPublicKey(parsed.getPublicPEM()).asymmetricKeyType).toBe("ed25519");
  });

  it("lets its user in by password or key, and nobody else", async () => {
    await connect();
    await connect({ privateKey: user.private });
    await expect(connect({ password: "wrong" })).rejects.toThrow(/authentication/i);
    await expect(connect({ privateKey: other.private })).rejects.toThrow(/authentication/i);
    await control().setSftp({ password: "rotated" });
    await expect(connect()).rejects.toThrow(/authentication/i);
    await connect({ password: "rotated" });
    await expect(control().setSftp({ publicKey: user.private })).rejects.toThrow("no public key");
  });

  it("lists and gives what Campaign exported, with size and time", async () => {
    await control().putExport({ name: "delivery_logs.txt", text: "a,b\n1,2\n", modifiedAt: 1_752_566_400_000 });
    const client = await connect();
    expect(await client.list(folder)).toMatchObject([
      { name: "delivery_logs.txt", type: "-", size: 8, modifyTime: 1_752_566_400_000 },
    ]);
    expect(await text(client, "delivery_logs.txt")).toBe("a,b\n1,2\n");
    expect(await client.list(".")).toMatchObject([{ name: "d365_loads", type: "d" }]);
    expect(await client.realPath(".")).toBe("/");
    await expect(client.get(`${folder}/no.txt`)).rejects.toThrow("there is no file");
    await expect(client.list("elsewhere")).rejects.toThrow();
  });

  it("takes files, renames, cuts and removes them, as people and other workflows do", async () => {
    const client = await connect();
    await client.put(Buffer.from("0123456789"), `${folder}/file.tmp`);
    await client.rename(`${folder}/file.tmp`, `${folder}/file.txt`);
    await client.append(Buffer.from("ab"), `${folder}/file.txt`);
    expect(await control().readExport({ name: "file.txt" })).toBe("0123456789ab");
    await client.mkdir(`${folder}/done/deep`, true);
    await client.rename(`${folder}/file.txt`, `${folder}/done/file.txt`);
    expect(await client.exists(`${folder}/file.txt`)).toBe(false);
    await client.delete(`${folder}/done/file.txt`);
    await client.rmdir(`${folder}/done`, true);
    expect(await client.list(folder)).toEqual([]);
  });

  it("shows what becomes of a file: more of it, less, other content, another name, no right to read", async () => {
    const client = await connect();
    await control().putExport({ name: "a.txt", text: "first" });
    await control().putExport({ name: "a.txt", text: " and more", append: true });
    expect(await text(client, "a.txt")).toBe("first and more");
    await control().truncateExport({ name: "a.txt", sizeBytes: 3 });
    expect(await text(client, "a.txt")).toBe("fir");
    await control().putExport({ name: "a.txt", text: "YQBiAA==", encoding: "base64" });
    expect(await control().readExport({ name: "a.txt", encoding: "utf16le" })).toBe("ab");
    await control().putExport({ name: "b.txt", text: "b" });
    await control().renameExport({ from: "a.txt", to: "b.txt" });
    expect(await control().listExports()).toMatchObject([{ name: "b.txt", sizeBytes: 4 }]);
    await control().putExport({ name: "b.txt", text: "b", readable: false });
    await expect(text(client, "b.txt")).rejects.toThrow(/may not read/i);
    await control().removeExport({ name: "b.txt" });
    expect(await client.list(folder)).toEqual([]);
    await expect(control().readExport({ name: "b.txt" })).rejects.toThrow("there is no file");
  });

  it("lists very many files, and takes none that is larger than a disk", async () => {
    for (let n = 0; n < 1500; n += 1) await control().putExport({ name: `${"long name ".repeat(20)}${n}`, text: "" });
    const client = await connect();
    expect(new Set((await client.list(folder)).map(({ name }) => name)).size).toBe(1500);
    await expect(control().truncateExport({ name: `${"long name ".repeat(20)}7`, sizeBytes: 2 ** 40 })).rejects.toThrow(
      "the disk is full",
    );
    expect(await client.exists(folder)).toBe("d");
  });

  it("gives a file of many megabytes whole", async () => {
    const line = "0123456789abcdef".repeat(8);
    await control().putExport({ name: "big.txt", text: `${line}\n`.repeat(100_000) });
    const client = await connect();
    const to = await mkdtemp(join(tmpdir(), "sandbox-sftp-"));
    try {
      await client.fastGet(`${folder}/big.txt`, join(to, "big.txt"));
      expect((await readFile(join(to, "big.txt"), "utf8")) === `${line}\n`.repeat(100_000)).toBe(true);
    } finally {
      await rm(to, { recursive: true });
    }
  });

  it("can be cut off: at once, in the middle of a file, or altogether", async () => {
    await control().putExport({ name: "big.txt", text: "x".repeat(5_000_000) });
    const first = await connect();
    expect(await control().cutSftp({})).toBe(1);
    await expect(first.list(folder)).rejects.toThrow();
    const second = await connect();
    await control().cutSftp({ afterBytes: 1_000_000 });
    await expect(second.get(`${folder}/big.txt`)).rejects.toThrow();
    await connect();
    await control().setSftp({ state: "unreachable" });
    await expect(connect()).rejects.toThrow();
    await control().setSftp({ state: "open" });
    expect(await text(await connect(), "big.txt")).toHaveLength(5_000_000);
  });
});
