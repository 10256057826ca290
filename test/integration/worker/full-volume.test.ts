/** A worker whose volume has no room, and has room again. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { noVolumes, SmallVolume } from "../../unit/worker/queue/small-volume.ts";
import { contactMapping, Ground, patient, type WorkerProcess } from "./harness.ts";

if (noVolumes !== undefined) console.warn(`left out, how a worker stands a full volume: ${noVolumes}`);

const remedy = /no room: raise queue\.volume\.size/;

describe.skipIf(noVolumes !== undefined)("a worker whose volume has no room", () => {
  let ground: Ground;
  let volume: SmallVolume;
  beforeEach(async () => {
    ground = await Ground.make({ contacts: 300 });
    volume = new SmallVolume(ground.state, "24m");
  });
  afterEach(async () => {
    await ground.end().catch(() => undefined); // The volume itself cannot be removed.
    volume.unmount();
  });

  const poll = <T>(look: () => Promise<T> | T) => expect.poll(look, { timeout: 90_000, interval: 100 });
  const reason = async (worker: WorkerProcess) => (await worker.get("/readyz")).body;
  const drained = async (worker: WorkerProcess, records: number) => {
    await poll(() => ground.sandbox.control.countRecords({ resource: "profile" })).toBe(records);
    await poll(async () => (await worker.status()).backlog).toBe(0);
  };

  /** How often each profile was. */
  const written = async () => {
    const calls: number[] = [];
    for await (const { entries } of ground.sandbox.control.allWrites({ resource: "profile" }))
      calls.push(entries.length);
    return calls;
  };

  it("stays up, not ready, says which field to raise, loses nothing, and goes on by itself", async () => {
    const { control } = ground.sandbox;
    const worker = ground.start([contactMapping], { flags: patient });
    await drained(worker, 300);
    volume.fill();
    await control.changeMany({ table: "contact", count: 300, operation: "update", cells: { lastname: "Later {n}" } });
    const rows = Array.from({ length: 2000 }, (_, n) => ({
      cells: { lastname: `New ${n}`, emailaddress1: `new-${n}@example.com` },
    }));
    await control.insertRows({ table: "contact", rows });
    await poll(() => reason(worker)).toMatch(remedy);
    expect(await reason(worker)).toMatch(/^StoreFull/);
    expect((await worker.get("/livez")).status).toBe(200);
    expect((await worker.status()).notReady).toMatchObject({ reason: "StoreFull" });
    volume.makeRoom();
    await drained(worker, 2300);
    await poll(async () => (await worker.get("/readyz")).status).toBe(200);
    expect(await worker.stop()).toBe(0);
    expect(worker.lastWords()).toMatchObject({ reason: "Stopped", backlog: 0 });
    const calls = await written();
    expect(Math.max(...calls)).toBe(2);
    expect(calls).toHaveLength(2300);
  });

  it("makes no call twice whose answer found no room", async () => {
    const { control } = ground.sandbox;
    const worker = ground.start([contactMapping], { callsPerSecond: 30, flags: patient });
    await drained(worker, 300);
    await control.changeMany({ table: "contact", count: 300, operation: "update", cells: { lastname: "Later {n}" } });
    const progress = async () => (await worker.status()).mappings[0] ?? { read: 0, written: 0 };
    const answered = async () => (await written()).reduce((sum, calls) => sum + calls, 0);
    await poll(async () => (await progress()).read).toBe(600);
    await poll(async () => (await progress()).written).toBeGreaterThan(300);
    // What the store frees meanwhile is taken as well.
    await poll(() => {
      volume.fill();
      return reason(worker);
    }).toMatch(/^StoreFull/);
    await poll(async () => (await answered()) > ((await progress()).written ?? 0)).toBe(true);
    volume.makeRoom();
    await drained(worker, 300);
    expect(new Set(await written())).toEqual(new Set([2]));
  });

  it("waits for room before it begins, and can be stopped meanwhile", async () => {
    volume.fill();
    const waiting = ground.start();
    await poll(() => reason(waiting)).toMatch(remedy);
    expect((await waiting.get("/status")).status).toBe(503);
    expect(await waiting.stop()).toBe(0);
    const worker = ground.start([contactMapping]);
    await poll(() => reason(worker)).toMatch(/^StoreFull/);
    volume.makeRoom();
    await drained(worker, 300);
  });

  it("ends with its exact backlog while there is no room", async () => {
    const worker = ground.start([contactMapping], { callsPerSecond: 20 });
    await poll(async () => (await worker.status()).mappings[0]?.read).toBe(300);
    volume.fill();
    expect(await worker.stop()).toBe(0);
    const { backlog } = worker.lastWords();
    volume.makeRoom();
    const written = await ground.sandbox.control.countRecords({ resource: "profile" });
    // Of what was in flight when the room ended, the answers could not be stored.
    expect(backlog).toBeGreaterThanOrEqual(300 - written);
    await drained(ground.start(), 300);
  });
});
