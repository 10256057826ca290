import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, inject, test, vi } from "vitest";
import { nodeLayout } from "../../../cluster/node/layout.ts";
import { type ProcessRecord, readProcessRecord } from "../../../cluster/node/process-record.ts";
import { findNode, startNode, stopNode } from "../../../cluster/node.ts";

const name = `${inject("node")}-removal`;
const layout = nodeLayout(name);
const folders = { controlPlaneBinaries: inject("binaries").controlPlane, nodeBinaries: inject("binaries").node };
const waiting = { timeout: 60_000, interval: 50 };

/** What of the node can be seen on this machine. */
function traces(): Record<string, readonly string[]> {
  return {
    processes: readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && commandLine(pid).includes(name)),
    mounts: lines(readFileSync("/proc/mounts", "utf8")).filter((line) => line.includes(name)),
    cgroups: readdirSync("/sys/fs/cgroup")
      .map((hierarchy) => `/sys/fs/cgroup/${hierarchy}/${name}`)
      .concat(`/sys/fs/cgroup/${name}`)
      .filter(existsSync),
    state: [layout.state].filter(existsSync),
  };
}

const nothing = { processes: [], mounts: [], cgroups: [], state: [] };

/** Empty for a process that has ended and waits to be reaped. */
function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

function lines(text: string): string[] {
  return text.trimEnd().split("\n");
}

const links = (): string[] => lines(execFileSync("ip", ["-oneline", "link"], { encoding: "utf8" }));

/** Starts a node from a process of its own, which can be killed. */
function startElsewhere(bound: boolean): ChildProcess {
  const module = fileURLToPath(new URL("../../../cluster/node.ts", import.meta.url));
  const options = JSON.stringify({ name, ...folders, bound });
  const program = `const { startNode } = await import(${JSON.stringify(module)}); await startNode(${options}); process.stdin.resume();`;
  return spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["pipe", "inherit", "inherit"] });
}

async function killed(starter: ChildProcess): Promise<void> {
  starter.kill("SIGKILL");
  await once(starter, "exit");
}

/** Waits until the node's namespaces exist and its parts are being started. */
async function midStart(): Promise<ProcessRecord> {
  return vi.waitFor(() => {
    const record = readProcessRecord(layout.processes);
    expect(record?.init).toBeDefined();
    expect(existsSync(`${layout.logs}/etcd.log`)).toBe(true);
    return record as ProcessRecord; // Expected above.
  }, waiting);
}

describe("a node leaves nothing behind", () => {
  let linksBefore: string[];
  beforeEach(async () => {
    await stopNode(name);
    linksBefore = links();
    expect(traces()).toEqual(nothing);
  });
  afterEach(async () => {
    await stopNode(name);
    expect(links()).toEqual(linksBefore);
  });

  test("when it is stopped", async () => {
    const node = await startNode({ name, ...folders, bound: false });
    const seen = traces();
    expect(seen["processes"]?.length).toBeGreaterThan(10);
    expect(seen["cgroups"]).not.toEqual([]);
    expect(await startNode({ name, ...folders, bound: false })).toMatchObject({ pid: node.pid }); // Found, not made again.
    await stopNode(name);
    expect(traces()).toEqual(nothing);
  });

  test("when its starter is killed in mid-start, and the node was bound to it", async () => {
    const starter = startElsewhere(true);
    await midStart();
    await killed(starter);
    await vi.waitFor(() => expect(traces()).toEqual(nothing), waiting);
  });

  test("when its starter is killed in mid-start, and the node is stopped by another process", async () => {
    const starter = startElsewhere(false);
    await midStart();
    await killed(starter);
    await stopNode(name);
    expect(traces()).toEqual(nothing);
  });

  test("when the process it hangs on is killed: the kernel ends all others, and stopping removes the files", async () => {
    await startNode({ name, ...folders, bound: false });
    const record = readProcessRecord(layout.processes);
    process.kill(record?.keeper.pid ?? 0, "SIGKILL");
    await vi.waitFor(() => expect(traces()["processes"]).toEqual([]), waiting);
    expect(traces()["mounts"]).toEqual([]);
    expect(findNode(name)).toBeUndefined();
    await stopNode(name);
    expect(traces()).toEqual(nothing);
  });
});
