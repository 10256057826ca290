import type { Socket } from "node:net";

/** `silent`: connections are taken and nothing is said; `unreachable`: they are reset. */
export const sftpStates = ["open", "silent", "unreachable"] as const;
export type SftpState = (typeof sftpStates)[number];

/** The connections to the SFTP server, and the switches that tests pull. */
export class SftpConnections {
  readonly #sockets = new Set<Socket>();
  #state: SftpState = "open";
  #bytesLeft: number | undefined;

  /** Anything but `open` cuts the connections that there are. */
  set(state: SftpState): void {
    this.#state = state;
    if (state !== "open") this.cut();
  }

  /** Whether the SSH server is to answer on this connection. */
  admit(socket: Socket): boolean {
    if (this.#state === "unreachable") {
      socket.resetAndDestroy();
      return false;
    }
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    return this.#state === "open";
  }

  /** Resets every connection; returns how many there were. */
  cut(): number {
    const count = this.#sockets.size;
    for (const socket of this.#sockets) socket.resetAndDestroy();
    this.#sockets.clear();
    return count;
  }

  /** Resets every connection once so many more bytes of files were read. */
  cutAfter(bytes: number): void {
    this.#bytesLeft = bytes;
  }

  /** Bytes of a file are about to leave. */
  passed(bytes: number): void {
    if (this.#bytesLeft === undefined) return;
    this.#bytesLeft -= bytes;
    if (this.#bytesLeft > 0) return;
    this.#bytesLeft = undefined;
    this.cut();
  }
}
