import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  childOf,
  identify,
  lives,
  type ProcessIdentity,
  readProcessRecord,
  writeProcessRecord,
} from "../../../cluster/node/process-record.ts";

describe.runIf(process.platform === "linux")("a process", () => {
  let child: ChildProcess;
  let identity: ProcessIdentity;
  beforeEach(async () => {
    child = spawn("sleep", ["600"]);
    await once(child, "spawn");
    identity = identify(child.pid ?? 0) as ProcessIdentity; // It has just been started.
  });
  afterEach(() => child.kill("SIGKILL"));

  test("lives until it has ended", async () => {
    expect(lives(identity)).toBe(true);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(lives(identity)).toBe(false);
    expect(identify(identity.pid)).toBeUndefined();
  });

  test("is another one if its pid began at another time", () => {
    expect(lives({ ...identity, startTime: `${Number(identity.startTime) - 1}` })).toBe(false);
  });

  test("is found as its parent's child", async () => {
    const parent = spawn("sh", ["-c", "sleep 600; true"]);
    await once(parent, "spawn");
    const found = await vi.waitFor(
      () => {
        const sleeper = childOf(parent.pid ?? 0);
        expect(sleeper).toBeDefined();
        return sleeper as ProcessIdentity; // Expected above.
      },
      { timeout: 30_000 },
    );
    expect(lives(found)).toBe(true);
    parent.kill("SIGKILL");
    process.kill(found.pid, "SIGKILL");
  });
});

test("a record is read as it was written, and is absent before", () => {
  const folder = mkdtempSync(join(tmpdir(), "record-"));
  const path = join(folder, "processes.json");
  expect(readProcessRecord(path)).toBeUndefined();
  const record = { keeper: { pid: 1, startTime: "2" }, init: { pid: 3, startTime: "4" } };
  writeProcessRecord(path, record);
  expect(readProcessRecord(path)).toEqual(record);
  rmSync(folder, { recursive: true });
});
