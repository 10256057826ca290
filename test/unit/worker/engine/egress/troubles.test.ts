/** What Egress does about refusals, and when a system is not as it must be or does not answer. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DataverseError } from "../../../../../src/worker/http/service-error.ts";
import { header, lines, World } from "./world.ts";

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world.end());

describe("Egress", () => {
  it("buries events of missing contacts one by one, and holds a wave of another refusal", async () => {
    world.put("delivery_logs_20260715.txt", header + lines(50));
    const details = { code: "Refused", outcome: "Refused" } as const;
    world.refusal = () => new DataverseError("no contact", { ...details, serviceCode: "0x80040217" });
    await world.start();
    await world.clock.until(async () => (await world.kind("send"))?.deadLettered === 50, 300_000);
    world.refusal = () => new DataverseError("mandatory column", { ...details, serviceCode: "0x80040203" });
    world.put("delivery_logs_20260717.txt", header + lines(50, 100));
    await world.clock.until(async () => (await world.kind("send"))?.phase === "Paused", 300_000);
    expect((await world.kind("send"))?.deadLettered).toBeLessThan(50 + 20);
    world.refusal = () => undefined;
    await world.clock.until(async () => (await world.engine.status()).backlog === 0, 600_000);
    expect(world.made.size).toBeGreaterThan(30);
  });

  it("holds a wave of refusals that come a few at a time", async () => {
    const details = { code: "Refused", outcome: "Refused", serviceCode: "0x80040203" } as const;
    world.refusal = () => new DataverseError("mandatory column", details);
    await world.start();
    const send = async () => await world.kind("send");
    for (let n = 0; n < 24; n += 4) {
      world.put(`delivery_logs_202607${10 + n}.txt`, header + lines(4, n));
      await world.clock.until(async () => ((await send())?.read ?? 0) > n, 300_000);
      await world.clock.until(async () => (await send())?.backlog === 0 || (await send())?.phase === "Paused", 300_000);
    }
    expect(await world.kind("send")).toMatchObject({ phase: "Paused", reason: "RefusalWave" });
    expect((await world.kind("send"))?.deadLettered).toBeLessThan(20);
    world.refusal = () => undefined;
    await world.clock.until(async () => (await world.kind("send"))?.backlog === 0, 600_000);
    expect(await world.kind("send")).toMatchObject({ phase: "Incremental" });
  });

  it("pauses a kind whose table no longer leads to contacts, keeps its events, and goes on by itself", async () => {
    world.put("delivery_logs_20260715.txt", header + lines(5));
    await world.start();
    await world.clock.until(() => world.made.size === 5, 300_000);
    world.hasRegarding = false;
    await world.clock.until(async () => (await world.kind("send"))?.phase === "Paused", 300_000);
    world.put("delivery_logs_20260716.txt", header + lines(5, 5));
    await world.clock.until(async () => (await world.kind("send"))?.backlog === 5, 300_000);
    expect((await world.engine.status()).schemaDrift).toContainEqual({
      mapping: "send",
      message: expect.stringContaining("no relationship from regardingobjectid to contact"),
    });
    expect(world.failure).toBeUndefined();
    world.hasRegarding = true;
    await world.clock.until(() => world.made.size === 10, 300_000);
    expect(await world.kind("send")).toMatchObject({ phase: "Incremental", backlog: 0, deadLettered: 0 });
  });

  it("cannot run when no activity's table leads to contacts, and says which table is meant", async () => {
    world.hasRegarding = false;
    await world.start();
    await world.clock.until(() => world.failure !== undefined, 60_000);
    expect(world.failure).toMatchObject({
      code: "RegardingMissing",
      message: expect.stringContaining("egress.activities.send.table"),
    });
  });

  it("is not ready while the server does not answer, and reads when it is back", async () => {
    world.isServerThere = false;
    world.put("delivery_logs_20260715.txt", header + lines(3));
    await world.start();
    await world.clock.until(() => world.engine.notReady()?.reason === "SftpUnreachable", 60_000);
    world.isServerThere = true;
    await world.clock.until(() => world.made.size === 3, 300_000);
    expect(world.engine.notReady()).toBeUndefined();
    expect(world.failure).toBeUndefined();
  });

  it("is not ready, and stays so, while a file is listed and its reading has no answer", async () => {
    world.stuckFile = "delivery_logs_20260715.txt";
    world.put(world.stuckFile, header + lines(3));
    await world.start();
    const trouble = () => world.engine.notReady()?.reason;
    await world.clock.until(() => trouble() === "SftpTimedOut", 300_000);
    const later = world.clock.now() + 300_000;
    const told = new Set<string | undefined>();
    await world.clock.until(() => {
      told.add(trouble());
      return world.clock.now() > later;
    }, 400_000);
    expect([...told]).toEqual(["SftpTimedOut"]);
    world.stuckFile = undefined;
    await world.clock.until(() => world.made.size === 3 && trouble() === undefined, 300_000);
  });
});
