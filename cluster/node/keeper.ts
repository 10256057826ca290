/**
 * The one process that a node hangs on. It stays in the host's namespaces, where it listens on a port of 127.0.0.1
 * that leads to the API server, and holds the node in namespaces of its own, whose processes, mounts and network the
 * kernel removes when this process ends, whatever ends it.
 * Arguments: the node's name, the folders of the control plane's and of the node's binaries, and "bound" if the node
 * is to be removed when standard input closes, that is when the process that started it ends.
 */
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type BoundProcess, startBound } from "../bound-process.ts";
import { ClusterError } from "../errors.ts";
import { createCgroup } from "./cgroups.ts";
import { writeCredentials } from "./credentials.ts";
import { writeConfiguration } from "./daemons.ts";
import { type NodeLayout, nodeLayout } from "./layout.ts";
import { childOf, identify, type ProcessIdentity, writeProcessRecord } from "./process-record.ts";
import { createRelay } from "./relay.ts";
import { removeNode } from "./removal.ts";

const [name = "", controlPlaneBinaries = "", nodeBinaries = "", bound] = process.argv.slice(2);
await keep(nodeLayout(name));

async function keep(layout: NodeLayout): Promise<void> {
  const keeper = identify(process.pid);
  if (keeper === undefined) throw new ClusterError("NoProc", "/proc is not mounted");
  writeProcessRecord(layout.processes, { keeper });
  const released = bound === "bound" ? once(process.stdin.resume(), "close") : new Promise<never>(() => {});
  writeCredentials(layout, await listen(layout), new Date());
  writeConfiguration(layout, nodeBinaries);
  createCgroup(layout.cgroup);
  const node = startInside(layout);
  writeProcessRecord(layout.processes, { keeper, init: await firstProcess(node) });
  const ended = await Promise.race([node.ended.then(() => true), released.then(() => false)]);
  if (ended) throw new ClusterError("NodeEnded", `The node ended; see ${node.logPath}`);
  await removeNode(layout.name);
  process.exit(0); // The relay still listens.
}

/** Listens on a port of 127.0.0.1 for the API server, which is out of reach in its network namespace, and gives the port. */
async function listen(layout: NodeLayout): Promise<number> {
  const relay = createRelay({ path: layout.apiSocket });
  await new Promise<void>((resolve, reject) => {
    relay.once("error", reject);
    relay.listen(0, "127.0.0.1", resolve);
  });
  return (relay.address() as AddressInfo).port; // It listens on TCP, so this is no path and not null.
}

function startInside(layout: NodeLayout): BoundProcess {
  mkdirSync(layout.logs, { recursive: true });
  const unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
  // The shell is the first process of the PID namespace: it takes in orphans, which Node does not.
  const shell = ["sh", "-c", '"$@"; exit $?', "node-init"];
  const inside = fileURLToPath(new URL("inside.ts", import.meta.url));
  const command = [process.execPath, inside, layout.name, controlPlaneBinaries, nodeBinaries];
  return startBound("the node", [...unshare, ...shell, ...command], join(layout.logs, "node.log"), {
    ...process.env,
    PATH: `${nodeBinaries}:${process.env["PATH"]}:/usr/sbin:/sbin`,
  });
}

async function firstProcess(unshare: BoundProcess): Promise<ProcessIdentity> {
  while (unshare.running()) {
    const child = childOf(unshare.pid ?? 0);
    if (child !== undefined) return child;
    await delay(10);
  }
  throw new ClusterError(
    "NoNamespaces",
    `Namespaces of its own could not be made for the node; see ${unshare.logPath}`,
  );
}
