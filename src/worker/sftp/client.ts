import { type Clock, sleep } from "../../telemetry/clock.ts";
import type { Logger } from "../../telemetry/log.ts";
import { type CredentialsSource, readCredentials, secretInWords } from "../http/credentials.ts";
import { CredentialsError } from "../http/service-error.ts";
import { untilAborted } from "../http/until-aborted.ts";
import { type Connection, type Login, openConnection, type SftpServerAddress } from "./connection.ts";
import { SftpError } from "./errors.ts";
import type { RemoteFile, Sftp } from "./interface.ts";

export interface SftpOptions {
  readonly address: SftpServerAddress;
  readonly credentials: CredentialsSource;
  /** Of signing in, and of each question. */
  readonly timeoutSeconds: number;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
}

const chunkBytes = 256 * 1024;
const firstPauseMs = 1000;
const longestPauseMs = 60_000;

/** S_IFMT and S_IFREG of POSIX. */
const fileTypeBits = 0o170000;
const regularFile = 0o100000;

/**
 * An SFTP server with a pinned host key. It connects when something is asked, again after the connection was lost, and
 * after failures in a row not before a pause that grows from 1 s to 60 s. Every call throws
 * FatalError `HostKeyMismatch` and CredentialsError when only a person can help, else SftpError.
 */
export class SftpServer implements Sftp {
  readonly #options: SftpOptions;
  #connection: Connection | undefined;
  #connecting: Promise<Connection> | undefined;
  #failures = 0;
  readonly #closed = new AbortController();

  constructor(options: SftpOptions) {
    this.#options = options;
  }

  async list(folder: string, signal: AbortSignal): Promise<readonly RemoteFile[]> {
    const connection = await this.#connected(signal);
    const entries = await connection.ask<readonly Entry[]>(
      "the listing of the folder",
      (wire, answer) => wire.readdir(folder, answer),
      signal,
    );
    return entries.filter(isFile).map(({ filename, attrs }) => ({
      name: filename,
      sizeBytes: attrs.size,
      modifiedSeconds: attrs.mtime,
    }));
  }

  async stat(path: string, signal: AbortSignal): Promise<Omit<RemoteFile, "name">> {
    const connection = await this.#connected(signal);
    const { size, mtime } = await connection.ask<{ readonly size: number; readonly mtime: number }>(
      "a file's size and time",
      (wire, answer) => wire.stat(path, answer),
      signal,
    );
    return { sizeBytes: size, modifiedSeconds: mtime };
  }

  async *read(path: string, fromByte: number, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    const connection = await this.#connected(signal);
    const handle = await connection.ask<Buffer>("a file", (wire, answer) => wire.open(path, "r", answer), signal);
    try {
      for (let at = fromByte; ; ) {
        const bytes = await connection.ask<Buffer>(
          "the bytes of a file",
          (wire, answer) =>
            wire.read(handle, Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, at, (error, count, buffer) =>
              answer(error, error ? buffer : buffer.subarray(0, count)),
            ),
          signal,
        );
        if (bytes.length === 0) return;
        at += bytes.length;
        yield bytes;
      }
    } finally {
      // The server closes it with the connection anyhow; what went wrong before is what the caller is to hear.
      if (connection.alive) {
        await connection
          .ask<undefined>(
            "the end of a file",
            (wire, answer) => wire.close(handle, (error) => answer(error, undefined)),
            signal,
          )
          .catch(() => undefined);
      }
    }
  }

  /** Ends the connection and whatever is being asked. Nothing can be asked any longer. */
  async close(): Promise<void> {
    this.#closed.abort(new Error("the client is closed"));
    await this.#connecting?.catch(() => undefined);
    await this.#connection?.close();
  }

  async #connected(signal: AbortSignal): Promise<Connection> {
    if (this.#connection?.alive === true) return this.#connection;
    this.#connecting ??= this.#connect(this.#closed.signal).finally(() => {
      this.#connecting = undefined;
    });
    return await untilAborted(this.#connecting, signal, () => connectionGivenUp(signal));
  }

  async #connect(signal: AbortSignal): Promise<Connection> {
    const { address, clock, logger } = this.#options;
    await sleep(clock, this.#pauseMs(), signal);
    if (signal.aborted) throw connectionGivenUp(signal);
    try {
      const connection = await this.#signInReadingTwice(signal);
      this.#failures = 0;
      this.#connection = connection;
      logger.info("sftp.connected", { host: address.host, port: address.port });
      return connection;
    } catch (error) {
      this.#failures += 1;
      throw error;
    }
  }

  #pauseMs(): number {
    if (this.#failures === 0) return 0;
    const full = Math.min(longestPauseMs, firstPauseMs * 2 ** (this.#failures - 1));
    return full * (1 - this.#options.random() / 2);
  }

  /** A rejection counts only for the credentials that are mounted now: a rotation may have passed by. */
  async #signInReadingTwice(signal: AbortSignal): Promise<Connection> {
    const { address, credentials, timeoutSeconds } = this.#options;
    const login = await readLogin(credentials);
    try {
      return await openConnection(address, login, timeoutSeconds, signal);
    } catch (error) {
      if (!(error instanceof CredentialsError)) throw error;
      const again = await readLogin(credentials);
      if (JSON.stringify(again) === JSON.stringify(login)) throw error;
      return await openConnection(address, again, timeoutSeconds, signal);
    }
  }
}

function connectionGivenUp(signal: AbortSignal): SftpError {
  return new SftpError("Aborted", "the connection to the SFTP server was given up", signal.reason);
}

/** The private key where there is one, else the password. @throws CredentialsError `CredentialsMissing` */
async function readLogin(source: CredentialsSource): Promise<Login> {
  const { privateKey, password } = await readCredentials(source, [], ["privateKey", "password"]);
  if (privateKey !== undefined) return { privateKey };
  if (password !== undefined) return { password };
  throw new CredentialsError(
    "CredentialsMissing",
    `${secretInWords(source)} is missing, or has neither of the keys privateKey and password: create it with one of them`,
  );
}

interface Entry {
  readonly filename: string;
  readonly longname: string;
  readonly attrs: { readonly mode: number; readonly size: number; readonly mtime: number };
}

/** A server need not tell the mode; its `longname` is as `ls -l` prints it. A name is no path. */
function isFile({ filename, longname, attrs }: Entry): boolean {
  if (filename.includes("/")) return false;
  return attrs.mode === undefined ? longname.startsWith("-") : (attrs.mode & fileTypeBits) === regularFile;
}
