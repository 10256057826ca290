/**
 * A real one-node Kubernetes on this machine, without Docker: in namespaces of its own, so that the host's network,
 * mounts and kubeconfig stay as they are, and several nodes can run beside each other. Linux, as root.
 * What it leaves out: a way out of the node's network, and the enforcement of NetworkPolicy.
 */
import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ClusterError } from "./errors.ts";
import { lock } from "./lock.ts";
import { nodeLayout, stateRoot } from "./node/layout.ts";
import { lives, readProcessRecord } from "./node/process-record.ts";
import { removeNode } from "./node/removal.ts";
import { runTool } from "./tool.ts";

export interface NodeOptions {
  /** Lower case letters, digits and dashes. Nodes of different names do not see each other. */
  readonly name: string;
  /** The folder of the binary set "control-plane". */
  readonly controlPlaneBinaries: string;
  /** The folder of the binary set "node". */
  readonly nodeBinaries: string;
  /** True: the node is removed when this process ends, whatever ends it. False: it stays until `stopNode`. */
  readonly bound: boolean;
}

export interface RunningNode {
  readonly name: string;
  /** A kubeconfig that signs in as system:masters, by a port of 127.0.0.1 that leads into the node. */
  readonly kubeconfigPath: string;
  /** The folder with each part's log. */
  readonly logs: string;
  /** The pid, as this machine sees it, of a process in the node's namespaces: `nsenter --target PID --net`. */
  readonly pid: number;
}

const startSeconds = 180;

/** Whether this machine and user can have a node at all. */
export function canHaveNode(): boolean {
  return process.platform === "linux" && process.getuid?.() === 0;
}

/** @throws ClusterError NotSupported, with the other ways to a cluster */
export function requireNodeGround(): void {
  if (canHaveNode()) return;
  throw new ClusterError(
    "NotSupported",
    "A Kubernetes node of the project's own needs Linux and root, and no Docker daemon answers, by which kind could make one: " +
      "run this as root, start Docker, or name a cluster of yours (--context NAME --image REPOSITORY:TAG)",
  );
}

/**
 * Starts a node, or finds it where it runs already; resolves when pods can be placed.
 * @throws ClusterError NotSupported, InUse, Stopped, NodeEnded, NotReady
 */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  requireNodeGround();
  mkdirSync(stateRoot, { recursive: true });
  const unlock = await lock(join(stateRoot, `${options.name}.lock`), () => {});
  try {
    const running = findNode(options.name);
    if (running !== undefined && options.bound) {
      const way = "wait until it has ended, or end it: npm run stop -- --name";
      throw new ClusterError("InUse", `The node ${options.name} belongs to another process: ${way} ${options.name}`);
    }
    if (running !== undefined) return running;
    await removeNode(options.name); // What a crash may have left.
    return await startNew(options);
  } finally {
    unlock();
  }
}

/** The node of this name, if it runs and is ready. */
export function findNode(name: string): RunningNode | undefined {
  const layout = nodeLayout(name);
  const { keeper, init } = readProcessRecord(layout.processes) ?? {};
  if (keeper === undefined || init === undefined || !lives(keeper) || !lives(init)) return undefined;
  if (!existsSync(join(layout.state, "ready"))) return undefined;
  return {
    name,
    kubeconfigPath: layout.kubeconfig,
    logs: layout.logs,
    pid: init.pid,
  };
}

/**
 * Makes the image in an archive (`docker save`'s format) known to the node, unless it is.
 * @throws ClusterError ToolFailed
 */
export async function importImage(
  name: string,
  nodeBinaries: string,
  image: { readonly reference: string; readonly archivePath: string },
): Promise<void> {
  const client = [join(nodeBinaries, "ctr"), "--address", nodeLayout(name).containerdSocket, "--namespace", "k8s.io"];
  const known = await runTool([...client, "images", "list", "--quiet", `name==${image.reference}`]);
  if (known.trim() === "") await runTool([...client, "images", "import", image.archivePath]);
}

/** Ends the node and removes all that it left on this machine. Does nothing if there is none. */
export async function stopNode(name: string): Promise<void> {
  await removeNode(name);
}

async function startNew(options: NodeOptions): Promise<RunningNode> {
  const layout = nodeLayout(options.name);
  mkdirSync(layout.logs, { recursive: true, mode: 0o700 });
  const logPath = join(layout.logs, "keeper.log");
  const log = openSync(logPath, "a");
  const keeperProgram = fileURLToPath(new URL("node/keeper.ts", import.meta.url));
  const args = [keeperProgram, options.name, options.controlPlaneBinaries, options.nodeBinaries];
  if (options.bound) args.push("bound");
  const keeper = spawn(process.execPath, args, {
    detached: true, // A Ctrl-C at this process's terminal does not reach it.
    cwd: "/",
    stdio: [options.bound ? "pipe" : "ignore", log, log],
  });
  closeSync(log);
  keeper.unref();
  const deadline = performance.now() + startSeconds * 1000;
  for (;;) {
    const running = findNode(options.name);
    if (running !== undefined) return running;
    const ended = keeper.pid === undefined || keeper.exitCode !== null;
    if (keeper.signalCode === "SIGKILL") {
      throw new ClusterError(
        "Stopped",
        `The node ${options.name} was stopped or killed by another process while it started`,
      );
    }
    if (ended || performance.now() > deadline) {
      const code = ended ? "NodeEnded" : "NotReady";
      const what = ended ? "ended while it started" : `was not ready after ${startSeconds} s`;
      const last = [logPath, join(layout.logs, "node.log")].map(lastLines).join("\n");
      throw new ClusterError(code, `The node ${options.name} ${what}; its logs are in ${layout.logs}:\n${last}`);
    }
    await delay(100);
  }
}

function lastLines(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8").trimEnd().split("\n").slice(-10).join("\n") : "";
}
