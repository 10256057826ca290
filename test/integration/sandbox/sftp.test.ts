import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";

/** Campaign's SFTP server of the sandbox, judged by OpenSSH's own client. */

const hasOpenSsh = ["sftp", "ssh-keygen", "ssh-keyscan"].every(
  (program) => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0,
);
if (!hasOpenSsh) console.warn("OpenSSH's client is not tried: it is not installed");

describe.skipIf(!hasOpenSsh)("OpenSSH's sftp", () => {
  let directory: string;
  let sandbox: RunningSandbox;
  const inside = (name: string) => join(directory, name);

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "sandbox-sftp-"));
    spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", inside("user")]);
    const sftpAccount = {
      username: "contoso",
      password: "sandbox-secret",
      publicKey: readFileSync(inside("user.pub"), "utf8").trim(),
    };
    const sftpAddress = { host: "127.0.0.1", port: 0 };
    sandbox = await startSandbox({ contacts: 0, sftpAddress, sftpAccount }, silentLogger);
    const { host, port, hostKey } = sandbox.sftp ?? { host: "", port: 0, hostKey: "" };
    writeFileSync(inside("known_hosts"), `[${host}]:${port} ${hostKey}\n`);
    writeFileSync(inside("password"), "#!/bin/sh\necho sandbox-secret\n", { mode: 0o755 });
  });

  afterEach(async () => {
    await sandbox.close();
    rmSync(directory, { recursive: true });
  });

  /** Runs the commands; its exit code and what it said. */
  async function sftp(commands: readonly string[], how: "key" | "password"): Promise<{ code: number; said: string }> {
    const port = String(sandbox.sftp?.port);
    const options = [
      "-o",
      "BatchMode=no", // -b would turn it on, and with it passwords off.
      "-P",
      port,
      "-b",
      "-",
      "-o",
      `UserKnownHostsFile=${inside("known_hosts")}`,
      "-o",
      "StrictHostKeyChecking=yes",
      "-o",
      "NumberOfPasswordPrompts=1",
      ...(how === "key"
        ? ["-i", inside("user"), "-o", "PasswordAuthentication=no"]
        : ["-o", "PubkeyAuthentication=no"]),
    ];
    const child = spawn("sftp", ["-F", "none", ...options, "contoso@127.0.0.1"], {
      env: { ...process.env, SSH_ASKPASS: inside("password"), SSH_ASKPASS_REQUIRE: "force" },
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said += String(chunk)));
    child.stdin.end(`${commands.join("\n")}\n`);
    const code = await new Promise<number>((resolve) => child.once("close", (status) => resolve(status ?? -1)));
    return { code, said };
  }

  it.each(["key", "password"] as const)("signs in by %s, looks around, and takes and puts files", async (how) => {
    await sandbox.control.putExport({ name: "tracking_logs.txt", text: "a,b\n".repeat(300_000), modifiedAt: 1.7e12 });
    writeFileSync(inside("mine"), "mine\n");
    const { code, said } = await sftp(
      [
        "pwd",
        "cd d365_loads/exports",
        "ls -l",
        `get -p tracking_logs.txt ${inside("got")}`,
        `put ${inside("mine")} mine.tmp`,
        "rename mine.tmp mine.txt",
        "mkdir archive",
        "rename mine.txt archive/mine.txt",
        "rm archive/mine.txt",
        "rmdir archive",
        `put ${inside("mine")} mine.txt`,
      ],
      how,
    );
    expect(code, said).toBe(0);
    expect(said).toContain("Remote working directory: /");
    expect(said).toMatch(/-rw-r--r--.*1200000 .*tracking_logs\.txt/);
    expect(readFileSync(inside("got"), "utf8") === "a,b\n".repeat(300_000)).toBe(true);
    const names = (await sandbox.control.listExports()).map(({ name, sizeBytes }) => [name, sizeBytes]);
    expect(names).toEqual([
      ["tracking_logs.txt", 1_200_000],
      ["mine.txt", 5],
    ]);
  });

  it("is told what is not there and what it may not read", async () => {
    await sandbox.control.putExport({ name: "closed.txt", text: "secret", readable: false });
    const { said } = await sftp(
      [`-get d365_loads/exports/closed.txt ${inside("got")}`, "-ls nowhere", "-rm no.txt"],
      "key",
    );
    expect(said).toMatch(/closed\.txt": Permission denied/i);
    expect(said).toMatch(/nowhere.*not found/i);
    expect(said).toMatch(/no\.txt.*No such file/is);
  });

  it("ends when the connection is cut in the middle of a file, and refuses another host key", async () => {
    await sandbox.control.putExport({ name: "big.txt", text: "x".repeat(3_000_000) });
    await sandbox.control.cutSftp({ afterBytes: 1_000_000 });
    expect((await sftp([`get d365_loads/exports/big.txt ${inside("got")}`], "key")).code).not.toBe(0);
    const known = readFileSync(inside("known_hosts"), "utf8");
    writeFileSync(inside("known_hosts"), known.replace(/.{6}\n$/, "AAAAAA\n"));
    const { code, said } = await sftp(["pwd"], "key");
    expect(code).not.toBe(0);
    expect(said).toContain("Host key verification failed");
  });

  it("is shown the key that is pinned", () => {
    const { host, port, hostKey } = sandbox.sftp ?? { host: "", port: 0, hostKey: "" };
    return new Promise<void>((resolve) => {
      const child = spawn("ssh-keyscan", ["-T", "10", "-t", "ed25519", "-p", String(port), host]);
      let said = "";
      child.stdout.on("data", (chunk) => (said += String(chunk)));
      child.once("close", () => {
        expect(said.trim().split(" ").slice(1).join(" ")).toBe(hostKey);
        resolve();
      });
    });
  });
});
