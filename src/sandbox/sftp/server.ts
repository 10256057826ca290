import { createHash, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import ssh2, { type AuthContext, type Connection } from "ssh2";
import type { ListenAddress } from "../../telemetry/address.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { SftpConnections } from "./connections.ts";
import type { FileTree } from "./file-tree.ts";
import type { HostKey } from "./host-key.ts";
import { serveFiles } from "./requests.ts";

/** Who may sign in, and by what. */
export interface SftpAccount {
  readonly username: string;
  readonly password: string;
  /** `ssh-ed25519 AAAA...`; undefined: by password only. */
  readonly publicKey: string | undefined;
}

/** What the server consists of; the account may change while it runs. */
export interface SftpParts {
  account: SftpAccount;
  readonly hostKey: HostKey;
  readonly tree: FileTree;
  readonly connections: SftpConnections;
}

export interface SftpListener {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Serves the files over SSH, to one user. */
export async function listenSftp(parts: SftpParts, address: ListenAddress, logger: Logger): Promise<SftpListener> {
  const { connections, hostKey } = parts;
  const ssh = new ssh2.Server({ hostKeys: [hostKey.privateKey], ident: "sandbox" }, (client) =>
    serveClient(parts, client, logger),
  );
  const server = createServer({ noDelay: true }, (socket) => {
    if (connections.admit(socket)) ssh.injectSocket(socket);
  });
  server.listen({ port: address.port, ...(address.host === undefined ? {} : { host: address.host }) });
  await once(server, "listening");
  const bound = server.address();
  return {
    host: address.host ?? "127.0.0.1",
    port: bound !== null && typeof bound === "object" ? bound.port : address.port,
    close: async () => {
      const closed = once(server, "close");
      server.close();
      connections.set("unreachable");
      await closed;
    },
  };
}

function serveClient(parts: SftpParts, client: Connection, logger: Logger): void {
  // Callers come and go as they like, and tests cut them off: nothing of it is an error of the sandbox.
  client.on("error", (error: Error) => logger.debug("sftp.connection", { error: error.message }));
  client.on("authentication", (context) => {
    if (isLetIn(parts.account, context)) context.accept();
    else context.reject(parts.account.publicKey === undefined ? ["password"] : ["publickey", "password"]);
  });
  client.on("session", (accept) => {
    accept().on("sftp", (acceptSftp) => {
      const sftp = acceptSftp();
      sftp.on("error", (error: Error) => logger.debug("sftp.session", { error: error.message }));
      // The caller has nothing more to ask, and waits for the channel to close.
      sftp.on("end", () => sftp.end());
      serveFiles(sftp, parts.tree, (bytes) => parts.connections.passed(bytes));
    });
  });
}

function isLetIn(account: SftpAccount, context: AuthContext): boolean {
  if (context.username !== account.username) return false;
  if (context.method === "password") return isSame(context.password, account.password);
  if (context.method !== "publickey" || account.publicKey === undefined) return false;
  const known = ssh2.utils.parseKey(account.publicKey);
  if (known instanceof Error || !known.getPublicSSH().equals(context.key.data)) return false;
  // At first a client only asks whether the key would do.
  if (context.signature === undefined || context.blob === undefined) return true;
  return known.verify(context.blob, context.signature, context.hashAlgo) === true;
}

export function isPublicKey(text: string): boolean {
  const key = ssh2.utils.parseKey(text);
  return !(key instanceof Error) && !key.isPrivateKey();
}

function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
