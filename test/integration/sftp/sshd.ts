/**
 * A real OpenSSH server for one test, on loopback or in a test node's network, with keys of its own and one user. Nothing
 * of the machine is changed.
 */
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startBound, untilReady } from "../../../cluster/bound-process.ts";
import { freePort } from "../../../cluster/ports.ts";
import { runTool } from "../../../cluster/tool.ts";
import { debianPrograms } from "../../debian-programs.ts";

/** libwrap0 is what Debian's sshd needs and a small machine lacks. */
const packages = ["openssh-server", "openssh-sftp-server", "libwrap0"];

export interface SftpServer {
  readonly port: number;
  readonly username: string;
  readonly password: string;
  /** The user's key in OpenSSH's own form. */
  readonly privateKey: string;
  /** `ssh-ed25519 AAAA...`, as it is pinned. */
  readonly hostKey: string;
  /** The host's other key, of type RSA. */
  readonly rsaHostKey: string;
  /** The user's own folder; files in it can be written directly. */
  readonly home: string;
  /** What the server logged so far. */
  log(): string;
  /** Ends it and its sessions as a crash would, and starts it again as it was, after so long. */
  restart(afterMs: number): Promise<void>;
  stop(): Promise<void>;
}

const user = { name: "contoso", id: 64_999 };
const password = "right password";

/** Why there can be no such server here, or undefined. */
export async function whyNoSftpServer(): Promise<string | undefined> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "it needs Linux, and root for a mount namespace";
  try {
    await runTool(["unshare", "--mount", "--pid", "--fork", "true"]);
    await debianPrograms(packages);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Where a server listens. */
interface Place {
  readonly address: string;
  /** A process in the network namespace to listen in; absent: this machine's. */
  readonly networkOf?: number;
}

/** Starts a server. Its accounts are a copy of the machine's, one added, which it alone sees. */
export async function startSftpServer({ address, networkOf }: Place = { address: "127.0.0.1" }): Promise<SftpServer> {
  const root = await debianPrograms(packages);
  const folder = mkdtempSync(join(tmpdir(), "sftp-server-"));
  chmodSync(folder, 0o711);
  const inside = (name: string) => join(folder, name);
  const home = inside("home");
  mkdirSync(home);
  chownSync(home, user.id, user.id);
  for (const [name, type] of [
    ["host", "ed25519"],
    ["host_rsa", "rsa"],
    ["user", "ed25519"],
  ] as const) {
    await runTool(["ssh-keygen", "-q", "-t", type, "-N", "", "-C", "", "-f", inside(name)]);
  }
  const hash = (await runTool(["openssl", "passwd", "-6", "-stdin"], password)).trim();
  const passwd = [
    `sshd:x:64998:64998::/run/sshd:/usr/sbin/nologin`,
    `${user.name}:x:${user.id}:${user.id}::${home}:/bin/sh`,
  ];
  writeFileSync(inside("passwd"), `${readFileSync("/etc/passwd", "utf8")}${passwd.join("\n")}\n`);
  writeFileSync(inside("shadow"), `sshd:*:19000::::::\n${user.name}:${hash}:19000::::::\n`, { mode: 0o600 });
  const port = await freePort();
  writeFileSync(
    inside("sshd_config"),
    [
      `ListenAddress ${address}`,
      `Port ${port}`,
      `HostKey ${inside("host")}`,
      `HostKey ${inside("host_rsa")}`,
      "PidFile none",
      `AuthorizedKeysFile ${inside("user.pub")}`,
      "StrictModes no", // The keys lie in the temporary folder.
      "UsePAM no",
      "UseDNS no",
      "PasswordAuthentication yes",
      "MaxStartups 100",
      "ForceCommand internal-sftp",
      "Subsystem sftp internal-sftp",
    ].join("\n"),
  );
  const mounts = [
    `mount --bind ${inside("passwd")} /etc/passwd`,
    `mount --bind ${inside("shadow")} /etc/shadow`,
    "mount -t tmpfs tmpfs /run",
    "mkdir -m 755 /run/sshd",
    `exec ${join(root, "usr/sbin/sshd")} -D -e -f ${inside("sshd_config")}`,
  ];
  // In a process namespace of its own, so that its sessions end with it.
  const unshare = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"];
  const entered = networkOf === undefined ? [] : ["nsenter", "--target", String(networkOf), "--net"];
  const log = () => readFileSync(inside("log"), "utf8");
  const start = async () => {
    const logged = existsSync(inside("log")) ? log().length : 0;
    const started = startBound("sshd", [...entered, ...unshare, "sh", "-ec", mounts.join("\n")], inside("log"), {
      ...process.env,
      LD_LIBRARY_PATH: join(root, "usr/lib/x86_64-linux-gnu"),
    });
    const isListening = `Server listening on ${address} port ${port}.`;
    await untilReady(started, async () => log().includes(isListening, logged), 30);
    return started;
  };
  let server = await start();
  return {
    port,
    username: user.name,
    password,
    privateKey: readFileSync(inside("user"), "utf8"),
    hostKey: readFileSync(inside("host.pub"), "utf8").trim(),
    rsaHostKey: readFileSync(inside("host_rsa.pub"), "utf8").trim(),
    home,
    log,
    restart: async (afterMs) => {
      await server.kill();
      await sleep(afterMs);
      server = await start();
    },
    stop: async () => {
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
