import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { silentLogger } from "../../../../src/telemetry/log.ts";
import type { Queue } from "../../../../src/worker/queue/interface.ts";
import type { PageCommit } from "../../../../src/worker/queue/page.ts";
import { openSqliteQueue } from "../../../../src/worker/queue/sqlite/sqlite-queue.ts";
import { noVolumes, SmallVolume } from "./small-volume.ts";

if (noVolumes !== undefined) console.warn(`left out, how the store stands a full volume: ${noVolumes}`);

const never = new AbortController().signal;
const checkpoint = { mapping: "contact", mappingHash: "h", generation: 1 };

function page(from: number, records: number): PageCommit {
  const record = (n: number) => ({
    kind: "Upsert" as const,
    id: `contact-${n}`,
    version: BigInt(n),
    content: { targetKey: `key-${n}`, payload: "x".repeat(1000) },
  });
  const many = Array.from({ length: records }, (_, n) => record(from + n));
  return { checkpoint, records: many, stage: "Snapshot", replay: false, listed: false };
}

describe.skipIf(noVolumes !== undefined)("a store whose volume has no room", () => {
  let directory: string;
  let volume: SmallVolume;
  let now = 0;
  const open = (waits: (why: string) => void = () => {}, signal = never): Promise<Queue> =>
    openSqliteQueue({ directory, now: () => now, logger: silentLogger, waits }, signal);
  const pending = async (queue: Queue) => (await queue.counts()).get("contact")?.pending;

  beforeEach(() => {
    now = 1_800_000_000_000;
    directory = mkdtempSync(`${tmpdir()}/full-volume-`);
    volume = new SmallVolume(directory, "8m");
  });
  afterEach(() => {
    vi.useRealTimers();
    volume.unmount();
    rmSync(directory, { recursive: true });
  });

  it("says so, keeps what it has, counts it exactly, and goes on when there is room", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const queue = await open();
    await queue.commitPage(page(0, 50));
    volume.fill();
    await expect(queue.commitPage(page(50, 2000))).rejects.toMatchObject({ code: "StoreFull" });
    expect(queue.outage?.reason).toBe("StoreFull");
    vi.advanceTimersByTime(60_000); // The log is truncated meanwhile, or cannot be.
    expect(await pending(queue)).toBe(50);
    volume.makeRoom();
    now += 60_000;
    await queue.commitPage(page(50, 2000));
    expect(queue.outage).toBeUndefined();
    expect(await pending(queue)).toBe(2050);
    volume.fill();
    await queue.close();
    volume.makeRoom();
    const again = await open();
    expect(await pending(again)).toBe(2050);
    await again.close();
  });

  it("is waited for at the start, and the wait may be ended", async () => {
    volume.fill();
    const waits: string[] = [];
    const stop = new AbortController();
    const given = open((why) => waits.push(why), stop.signal);
    await expect.poll(() => waits).toEqual(["StoreFull"]);
    stop.abort(new Error("stop"));
    await expect(given).rejects.toThrow("stop");
    const opening = open((why) => waits.push(why));
    await expect.poll(() => waits).toHaveLength(2);
    volume.makeRoom();
    await (await opening).close();
  });
});
