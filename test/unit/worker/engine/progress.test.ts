import { afterEach, describe, expect, it } from "vitest";
import type { MappingStatus } from "../../../../src/api/integration-workflow.ts";
import { type Logger, silentLogger } from "../../../../src/telemetry/log.ts";
import { DataverseError } from "../../../../src/worker/http/service-error.ts";
import { EngineGround, type EngineGroundOptions } from "./engine-ground.ts";

const contacts = 1000;
const minuteMs = 60_000;
/** 64 records in hand and a second a call: about 16 seconds. */
const slowly: EngineGroundOptions = { settings: { pageSize: 100, highWaterRecords: 300, lowWaterRecords: 200 } };

let ground: EngineGround;
afterEach(() => ground.end());

async function mapping(): Promise<MappingStatus | undefined> {
  return (await ground.engine.status()).mappings[0];
}

async function readTo(records: number): Promise<MappingStatus | undefined> {
  await ground.clock.until(async () => ((await mapping())?.read ?? 0) >= records, minuteMs);
  return mapping();
}

describe("progress", () => {
  it("of a first load says how much is read of how much, how fast it is written, and when it will be over", async () => {
    ground = await EngineGround.make(contacts, slowly);
    const status = await readTo(500);
    expect(status).toMatchObject({ phase: "Snapshot", reading: { read: status?.read, estimatedTotal: contacts } });
    expect(status?.recordsPerSecond).toBeGreaterThan(0);
    expect(status?.secondsToDrain).toBeGreaterThan(0);
    await ground.settled();
    expect(await mapping()).toMatchObject({ read: contacts, written: contacts, backlog: 0, secondsToDrain: 0 });
    expect(await mapping()).not.toHaveProperty("reading");
    const over = ground.clock.now() + minuteMs;
    await ground.clock.until(() => ground.clock.now() >= over, 2 * minuteMs);
    expect((await mapping())?.recordsPerSecond).toBe(0);
  });

  it("makes no number up: without a count nobody says how long, and a count that fails stops nothing", async () => {
    const refused = new DataverseError("not known here", { code: "Refused", outcome: "Refused" });
    ground = await EngineGround.make(contacts, {
      ...slowly,
      dataverse: (dataverse) => ({ ...dataverse, estimatedRecords: () => Promise.reject(refused) }),
    });
    const status = await readTo(500);
    expect(status?.reading).toEqual({ read: status?.read });
    expect(status).not.toHaveProperty("secondsToDrain");
    await ground.settled();
    expect((await mapping())?.written).toBe(contacts);
  });

  it("drops a count that the reading has passed: it is of yesterday", async () => {
    ground = await EngineGround.make(contacts, {
      ...slowly,
      dataverse: (dataverse) => ({ ...dataverse, estimatedRecords: async () => 250 }),
    });
    const early = await readTo(200);
    if (early?.read === 200) expect(early.reading).toEqual({ read: 200, estimatedTotal: 250 });
    const late = await readTo(300);
    expect(late?.reading).toEqual({ read: late?.read });
  });

  it("is logged once a minute while records move, and never when none do", async () => {
    const told: Record<string, unknown>[] = [];
    const logger: Logger = {
      ...silentLogger,
      info: (event, fields) => {
        if (event === "mapping.progress") told.push({ ...fields });
      },
    };
    const campaign: EngineGroundOptions["campaign"] = (client) => ({
      ...client,
      insert: async (...args) => {
        await new Promise<void>((resolve) => ground.clock.schedule(10_000, resolve));
        return client.insert(...args);
      },
    });
    ground = await EngineGround.make(contacts, { ...slowly, campaign, logger });
    const startedAt = ground.clock.now();
    await ground.settled();
    const minutes = (ground.clock.now() - startedAt) / minuteMs;
    expect(minutes).toBeGreaterThan(3);
    expect(told.length).toBeGreaterThanOrEqual(Math.floor(minutes));
    expect(told.length).toBeLessThanOrEqual(Math.ceil(minutes) + 1);
    const keys = ["backlog", "mapping", "read", "recordsPerSecond", "secondsToDrain", "written"];
    expect(Object.keys(told[2] ?? {})).toEqual(expect.arrayContaining(keys));
    const count = told.length;
    const over = ground.clock.now() + 10 * minuteMs;
    await ground.clock.until(() => ground.clock.now() >= over, 20 * minuteMs);
    expect(told.length).toBe(count);
  });
});
