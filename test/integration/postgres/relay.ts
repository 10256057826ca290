import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Passes on what a server and its clients say, and lets a test change what the server says. */
export class ServerRelay {
  readonly port: number;
  readonly #close: () => Promise<void>;

  private constructor(port: number, close: () => Promise<void>) {
    this.port = port;
    this.#close = close;
  }

  /** @param change applied to every piece of what the server says, one byte a character */
  static async start(serverPort: number, change: (said: string) => string): Promise<ServerRelay> {
    const sockets = new Set<Socket>();
    const server = createServer((near) => {
      const far = connect(serverPort, "127.0.0.1");
      for (const socket of [near, far]) {
        sockets.add(socket);
        socket.on("error", () => {}); // What ends one side ends the other.
        socket.on("close", () => [near, far].map((each) => each.destroy()));
      }
      near.pipe(far);
      far.on("data", (data: Buffer) => near.write(Buffer.from(change(data.toString("latin1")), "latin1")));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    return new ServerRelay((server.address() as AddressInfo).port, async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    });
  }

  close(): Promise<void> {
    return this.#close();
  }
}
