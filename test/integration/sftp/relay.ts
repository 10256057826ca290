import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A TCP relay before a server, that can fail as a network does. */
export interface Relay {
  readonly port: number;
  /** Connections that came so far. */
  accepted(): number;
  /** Bytes that came from the server so far. */
  passed(): number;
  /** Breaks every connection after that many more bytes have come from the server. */
  cutAfter(bytes: number): void;
  /** From now on nothing is passed on, and nobody is told. */
  freeze(): void;
  thaw(): void;
  /** After that many more bytes from the server nothing is passed on, and nothing is lost, until it is let go. Resolves then. */
  holdAfter(bytes: number): Promise<void>;
  letGo(): void;
  close(): Promise<void>;
}

export async function startRelay(serverPort: number): Promise<Relay> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  let passed = 0;
  let bytesLeft = Number.POSITIVE_INFINITY;
  let frozen = false;
  let bytesToHold = Number.POSITIVE_INFINITY;
  let isHeld = Promise.withResolvers<void>();
  const held = new Set<Socket>();
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
    bytesLeft = Number.POSITIVE_INFINITY;
  };
  const server = createServer({ noDelay: true }, (near) => {
    accepted += 1;
    const far = connect({ port: serverPort, host: "127.0.0.1", noDelay: true });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("error", () => {}); // What ends one side ends the other, below.
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      from.on("data", (data: Buffer) => {
        if (frozen) return;
        if (from === far) {
          passed += data.length;
          bytesLeft -= data.length;
          if (bytesLeft < 0) return cut();
          bytesToHold -= data.length;
        }
        const isFree = to.write(data);
        if (bytesToHold < 0) {
          held.add(from);
          from.pause();
          isHeld.resolve();
        } else if (!isFree) {
          from.pause();
          to.once("drain", () => held.has(from) || from.resume());
        }
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port, // A TCP server's address is no string.
    accepted: () => accepted,
    passed: () => passed,
    cutAfter: (bytes) => {
      bytesLeft = bytes;
    },
    freeze: () => {
      frozen = true;
    },
    thaw: () => {
      frozen = false;
    },
    holdAfter: (bytes) => {
      bytesToHold = bytes;
      isHeld = Promise.withResolvers();
      return isHeld.promise;
    },
    letGo: () => {
      bytesToHold = Number.POSITIVE_INFINITY;
      isHeld.resolve();
      for (const socket of held) socket.resume();
      held.clear();
    },
    close: async () => {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}
