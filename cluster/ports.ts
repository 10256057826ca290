import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { ClusterError } from "./errors.ts";
import { tryLock } from "./lock.ts";

const claims = join(tmpdir(), `integration-workflow-ports-${userInfo().uid}`);
const releases: (() => void)[] = [];

/**
 * A loopback port nobody listens on, below the range from which Linux and macOS take the ports of outgoing connections:
 * so it stays free for a server that is killed and started again. Nobody else who asks here gets it while this process lives.
 * @throws ClusterError NoFreePort
 */
export async function freePort(random: () => number = Math.random): Promise<number> {
  mkdirSync(claims, { recursive: true });
  if (releases.length === 0) process.once("exit", releaseAll);
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = 20_000 + Math.floor(random() * 12_000);
    const release = tryLock(join(claims, String(port)));
    if (typeof release === "number") continue;
    if (await canListen(port)) {
      releases.push(release);
      return port;
    }
    release();
  }
  throw new ClusterError("NoFreePort", "No free port on 127.0.0.1 between 20000 and 32000: end what listens there");
}

function releaseAll(): void {
  for (const release of releases) release();
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
