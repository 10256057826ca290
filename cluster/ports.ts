import { createServer } from "node:net";
import { ClusterError } from "./errors.ts";

/**
 * A loopback port nobody listens on, below the range from which Linux and macOS take the ports of outgoing connections:
 * so it stays free for a server that is killed and started again.
 * @throws ClusterError NoFreePort
 */
export async function freePort(random: () => number = Math.random): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = 20_000 + Math.floor(random() * 12_000);
    if (await canListen(port)) return port;
  }
  throw new ClusterError("NoFreePort", "No free port on 127.0.0.1 between 20000 and 32000: end what listens there");
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
