/** A plain TCP relay that counts connections; TLS stays between the client and the real server. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface CountingRelay {
  readonly port: number;
  /** Connections accepted so far. */
  accepted(): number;
  /** Connections open now. */
  open(): number;
  /** Cuts every connection that is open. */
  cut(): void;
  stop(): Promise<void>;
}

export async function startCountingRelay(host: string, port: number): Promise<CountingRelay> {
  let accepted = 0;
  const sockets = new Set<Socket>();
  const server = createServer((incoming) => {
    accepted += 1;
    sockets.add(incoming);
    const outgoing = connect(port, host);
    for (const [socket, peer] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        peer.destroy();
      });
      socket.pipe(peer);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A TCP server on a port has an AddressInfo.
  const address = server.address() as AddressInfo;
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: address.port,
    accepted: () => accepted,
    open: () => sockets.size,
    cut,
    stop: async () => {
      cut();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
