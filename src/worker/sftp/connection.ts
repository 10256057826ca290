import { connect as connectSocket, type Socket } from "node:net";
import SftpClient from "ssh2-sftp-client";
import { CredentialsError } from "../http/service-error.ts";
import { untilAborted, withDeadline } from "../http/until-aborted.ts";
import { SftpError, type SftpErrorCode } from "./errors.ts";
import { hostKeyAlgorithms, hostKeyMismatch, pinnedKeyBytes } from "./host-key.ts";

export interface SftpServerAddress {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  /** `ssh-ed25519 AAAA...` */
  readonly hostKey: string;
}

/** What the user proves itself with. */
export type Login = { readonly privateKey: string } | { readonly password: string };

type Wire = Awaited<ReturnType<SftpClient["connect"]>>;
type Answer<T> = (error: Error | undefined | null, value: T) => void;

/** SSH_FXP_STATUS codes (draft-ietf-secsh-filexfer-02, section 7). */
const refusals: Readonly<Record<number, readonly [SftpErrorCode, string]>> = {
  2: ["PathMissing", "there is no such path (campaign.sftp.path)"],
  3: ["Forbidden", "the user may not read it"],
};

/** One signed-in connection. It serves until it is lost; nothing brings it back. */
export class Connection {
  readonly #wire: Wire;
  readonly #socket: Socket;
  readonly #server: string;
  readonly #timeoutSeconds: number;
  /** Aborts when the connection is gone. */
  readonly #gone = new AbortController();

  constructor(wire: Wire, socket: Socket, server: string, timeoutSeconds: number) {
    this.#wire = wire;
    this.#socket = socket;
    this.#server = server;
    this.#timeoutSeconds = timeoutSeconds;
    socket.once("close", () => this.#gone.abort());
    if (socket.destroyed) this.#gone.abort();
  }

  get alive(): boolean {
    return !this.#gone.signal.aborted;
  }

  /**
   * Asks one thing. A request that was given up cannot be taken back from an SFTP server, so its connection ends with it.
   * @throws SftpError
   */
  async ask<T>(what: string, send: (wire: Wire, answer: Answer<T>) => void, signal: AbortSignal): Promise<T> {
    const asked = new Promise<T>((resolve, reject) => {
      if (!this.alive) return reject(this.#lost(what));
      send(this.#wire, (error, value) => (error ? reject(this.#refused(what, error)) : resolve(value)));
    });
    asked.catch(() => {}); // It may answer when nobody waits any longer.
    return await withDeadline(signal, this.#timeoutSeconds, async (deadline) => {
      try {
        const whole = untilAborted(asked, this.#gone.signal, () => this.#lost(what));
        return await untilAborted(whole, deadline, () => givenUp(this.#server, what, deadline));
      } catch (error) {
        if (deadline.aborted) this.destroy();
        throw error;
      }
    });
  }

  /** Says goodbye, for a moment at most. */
  async close(): Promise<void> {
    if (!this.alive) return;
    const closed = new Promise<void>((resolve) => this.#socket.once("close", () => resolve()));
    this.#wire.end();
    this.#socket.end();
    const impatient = setTimeout(() => this.#socket.destroy(), 500);
    await closed;
    clearTimeout(impatient);
  }

  /** Ends it at once; what is being asked fails. */
  destroy(): void {
    this.#socket.destroy();
    this.#gone.abort();
  }

  #lost(what: string): SftpError {
    return new SftpError("ConnectionLost", `the connection to the SFTP server ${this.#server} broke at ${what}`);
  }

  #refused(what: string, error: Error): SftpError {
    const status = "code" in error && typeof error.code === "number" ? error.code : undefined;
    if (status === undefined) {
      this.destroy(); // ssh2's own words for a request that will have no answer.
      return this.#lost(what);
    }
    const [code, why] = refusals[status] ?? (["Refused", `status ${status}`] as const);
    return new SftpError(code, `the SFTP server ${this.#server} refused ${what}: ${why}`, error);
  }
}

/**
 * Connects and signs in.
 * @throws FatalError `HostKeyMismatch`, CredentialsError `CredentialsRejected`, SftpError
 */
export function openConnection(
  address: SftpServerAddress,
  login: Login,
  timeoutSeconds: number,
  signal: AbortSignal,
): Promise<Connection> {
  return withDeadline(signal, timeoutSeconds, (deadline) => open(address, login, timeoutSeconds, deadline));
}

async function open(
  address: SftpServerAddress,
  login: Login,
  timeoutSeconds: number,
  deadline: AbortSignal,
): Promise<Connection> {
  const server = `${address.host}:${address.port}`;
  if (deadline.aborted) throw givenUp(server, "the connection", deadline);
  const pinned = pinnedKeyBytes(address.hostKey);
  let mismatch: Error | undefined;
  /** The first failure in ssh2's own words: its wrapper passes on only the text. */
  let first: (Error & { readonly level?: unknown }) | undefined;
  const fail = (error: unknown) => {
    if (error instanceof Error) first ??= error;
  };
  const socket = connectSocket({ host: address.host, port: address.port, noDelay: true });
  socket.on("error", fail);
  const client = new SftpClient("worker", { error: fail, end: () => {}, close: () => {} });
  client.on("error", fail);
  const closed = Promise.withResolvers<never>();
  closed.promise.catch(() => {});
  socket.once("close", () => closed.reject(first ?? new Error("the server closed the connection")));
  try {
    const signedIn = client.connect({
      sock: socket,
      username: address.username,
      ...login,
      authHandler: ["privateKey" in login ? "publickey" : "password"],
      readyTimeout: 0, // The deadline below is the one that counts.
      algorithms: { serverHostKey: hostKeyAlgorithms(address.hostKey) },
      hostVerifier: (shown: Buffer) => {
        if (shown.equals(pinned)) return true;
        mismatch = hostKeyMismatch(server, pinned, shown);
        return false;
      },
    });
    signedIn.catch(() => {}); // It may fail after the race is over.
    const wire = await untilAborted(Promise.race([signedIn, closed.promise]), deadline, () =>
      givenUp(server, "the sign-in", deadline),
    );
    return new Connection(wire, socket, server, timeoutSeconds);
  } catch (error) {
    socket.destroy();
    if (mismatch !== undefined) throw mismatch;
    if (error instanceof SftpError) throw error;
    throw connectFailure(server, address.username, first ?? error);
  }
}

function connectFailure(server: string, username: string, error: unknown): Error {
  const level: unknown = error instanceof Error && "level" in error ? error.level : undefined;
  const said = error instanceof Error ? error.message : String(error);
  if (/privateKey/i.test(said)) {
    return rejected(
      `the key "privateKey" of the Secret (campaign.sftp.credentialsSecretRef) is no private key that can be read: give one without ` +
        "passphrase, in OpenSSH's or PEM form, with its line breaks",
    );
  }
  if (level === "client-authentication") {
    return rejected(
      `the SFTP server ${server} refused the user "${username}" with the Secret of campaign.sftp.credentialsSecretRef: ` +
        "check campaign.sftp.username, and that the server has the public key or password",
    );
  }
  return new SftpError("Unreachable", `the SFTP server ${server} cannot be reached: ${said}`, error);
}

function rejected(message: string): CredentialsError {
  return new CredentialsError("CredentialsRejected", message);
}

function givenUp(server: string, what: string, signal: AbortSignal): SftpError {
  const reason: unknown = signal.reason;
  return reason instanceof Error && reason.name === "TimeoutError"
    ? new SftpError("TimedOut", `the SFTP server ${server} did not answer ${what} in time`)
    : new SftpError("Aborted", `${what} of the SFTP server ${server} was given up`, reason);
}
