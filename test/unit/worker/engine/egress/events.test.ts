/** What becomes of exported events, in virtual time. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { contact, defaults, type Fault, header, line, lines, World } from "./world.ts";

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world.end());

describe("Egress", () => {
  it("makes every event's activity whatever fails and whenever it is killed, and none twice", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ commitFile: fc.integer({ min: 1, max: 25 }), settle: fc.integer({ min: 1, max: 600 }) }), {
          maxLength: 5,
        }),
        fc.infiniteStream(fc.constantFrom<Fault>("None", "None", "None", "Outage", "LostAfter", "Throttled")),
        async (lives, faults) => {
          const one = new World();
          one.faults = () => faults.next().value ?? "None";
          one.put("delivery_logs_20260715.txt", header + lines(600));
          one.put("delivery_logs_20260716.txt", header + lines(100, 550));
          try {
            for (const diesAfter of lives) {
              one.diesAfter = diesAfter;
              await one.start();
              for (let step = 0; step < 600 && !one.isDead; step++) await one.clock.step();
              await one.kill();
            }
            one.diesAfter = { commitFile: Number.POSITIVE_INFINITY, settle: Number.POSITIVE_INFINITY };
            await one.start();
            await one.clock.until(
              async () => one.made.size === 650 && (await one.engine.status()).backlog === 0,
              3_600_000,
            );
            expect(await one.kind("send")).toMatchObject({ deadLettered: 0 });
          } finally {
            await one.end();
          }
        },
      ),
      { numRuns: 12 },
    );
  });

  it("stops reading while more is queued than is to be, and goes on", async () => {
    world.settings = { highWaterRecords: 200, lowWaterRecords: 100 };
    world.faults = () => "Outage";
    world.put("delivery_logs_20260715.txt", header + lines(3000));
    await world.start();
    await world.clock.until(async () => (await world.engine.status()).backlog > 200, 300_000);
    const queued = (await world.engine.status()).backlog;
    const later = world.clock.now() + 60_000;
    await world.clock.until(() => world.clock.now() > later, 120_000);
    expect((await world.engine.status()).backlog).toBe(queued);
    expect(queued).toBeLessThan(300);
    world.faults = () => "None";
    await world.clock.until(() => world.made.size === 3000, 3_600_000);
  });

  it("tells its pace, and when everything is written at it", async () => {
    world.put("delivery_logs_20260715.txt", header + lines(3000));
    world.faults = () => (world.made.size < 1000 ? "None" : "Outage");
    await world.start();
    await world.clock.until(() => world.made.size >= 1000, 300_000);
    const send = await world.kind("send");
    expect(send?.recordsPerSecond).toBeGreaterThan(0);
    expect(send?.secondsToDrain).toBeGreaterThan(0);
    world.faults = () => "None";
    await world.clock.until(async () => (await world.kind("send"))?.secondsToDrain === 0, 600_000);
  });

  it("drops what is queued of a kind that is switched off, and keeps the first start over restarts", async () => {
    world.faults = () => "Outage";
    world.put("delivery_logs_20260715.txt", `${header}${lines(3)}9,${contact},2026-06-30 10:00:00,Sent,,DM1\n`);
    await world.start();
    await world.clock.until(async () => (await world.engine.status()).backlog === 3, 300_000);
    await world.kill();
    world.egress = { ...defaults, events: { ...defaults.events, send: false } };
    await world.start();
    await world.clock.until(async () => (await world.engine.status()).backlog === 0, 300_000);
    await world.kill();
    world.egress = defaults;
    world.faults = () => "None";
    world.put("delivery_logs_20260718.txt", header + lines(2, 20));
    await world.start();
    await world.clock.until(() => world.made.size === 2, 300_000);
  });

  it("creates in bulk only what was never tried", async () => {
    world.put("delivery_logs_20260715.txt", header + lines(250));
    const faults: Fault[] = ["LostAfter", "LostAfter", "Outage", "LostAfter"];
    world.faults = () => faults.pop() ?? "None";
    await world.start();
    await world.clock.until(
      async () => world.made.size === 250 && (await world.engine.status()).backlog === 0,
      600_000,
    );
    expect(faults).toEqual([]);
    expect(world.inBulk).toHaveLength(250);
    expect(new Set(world.inBulk).size).toBe(250);
  });

  it("finds contacts by the configured column, a batch with one question, and refuses each event that has none by itself", async () => {
    world.egress = { ...defaults, contactKey: "emailaddress1" };
    world.contacts = (key) =>
      key === "nobody@x" ? [] : key === "two@x" ? [contact, contact.replace("1", "2")] : [contact];
    const some = Array.from({ length: 60 }, (_, n) => line(n, `c${n % 7}@x`)).join("");
    world.put("delivery_logs_20260715.txt", `${header}${some}${line(90, "nobody@x")}${line(91, "two@x")}`);
    const faults: Fault[] = ["Outage", "Throttled"];
    world.faults = () => faults.pop() ?? "None";
    await world.start();
    await world.clock.until(async () => world.made.size === 60 && (await world.engine.status()).backlog === 0, 600_000);
    expect(await world.kind("send")).toMatchObject({ deadLettered: 2 });
    expect(world.asked.length).toBeLessThan(6);
  });
});
