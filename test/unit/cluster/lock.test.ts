import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { lock } from "../../../cluster/lock.ts";

const folder = mkdtempSync(join(tmpdir(), "lock-"));
const path = join(folder, "lock");
const nobody = (): never => expect.fail("there is nobody to wait for");
beforeEach(() => rmSync(path, { force: true }));
afterAll(() => rmSync(folder, { recursive: true }));

test("a second taker waits until the first gives the lock back, and is told once whom it waits for", async () => {
  const unlock = await lock(path, nobody);
  const holders: number[] = [];
  const waiting = Promise.withResolvers<void>();
  const second = lock(path, (holder) => {
    holders.push(holder);
    waiting.resolve();
  });
  await waiting.promise;
  unlock();
  (await second)();
  expect(holders).toEqual([process.pid]);
  expect(existsSync(path)).toBe(false);
});

test("the lock of a process that has ended is taken over", async () => {
  const ended = spawnSync(process.execPath, ["-p", "process.pid"], { encoding: "utf8" });
  writeFileSync(path, ended.stdout.trim());
  (await lock(path, nobody))();
});

test("a lock that nobody finished writing is taken over", async () => {
  writeFileSync(path, "");
  (await lock(path, nobody))();
});

test("a folder that cannot be written is named", async () => {
  await expect(lock(join(folder, "missing", "lock"), nobody)).rejects.toMatchObject({
    code: "NotWritable",
    message: expect.stringContaining("missing/lock"),
  });
});
