import { afterEach, describe, expect, it } from "vitest";
import type { Campaign, CampaignFields } from "../../../../src/worker/campaign/interface.ts";
import { StubbornRefusals } from "../../../../src/worker/engine/stubborn-refusals.ts";
import { CampaignError } from "../../../../src/worker/http/service-error.ts";
import { EngineGround, idOf } from "./engine-ground.ts";

let ground: EngineGround | undefined;
afterEach(async () => {
  await ground?.end();
  ground = undefined;
});

describe("records that people removed in Campaign", () => {
  it("are refused one by one, however many: that is no wave of Campaign's, and the rest goes on", async () => {
    ground = await EngineGround.make(60);
    const { clock, engine, source, target } = ground;
    await ground.settled();
    const removed = target.records.splice(0, 50).map(({ externalId }) => String(externalId));
    for (const id of removed) source.put(id, "Changed");
    await clock.until(async () => (await ground?.counts())?.dead === 50, 30_000);
    expect(engine.notReady()).toBeUndefined();
    for (const { externalId } of target.records) source.put(String(externalId), "Changed");
    await clock.until(() => target.records.every(({ name }) => name === "Changed"), 30_000);
    // Campaign has a record a moment before the queue has let go of it.
    await clock.until(async () => (await ground?.counts())?.pending === 0, 30_000);
    await ground.settled();
    expect(target.records).toHaveLength(10);
    expect(await ground.counts()).toMatchObject({ pending: 0, dead: 50 });
  });
});

/** Names that are "too long" are answered with a 500 that is in no list. */
function refusingLongNames(campaign: Campaign): Campaign {
  const refuseLong = ({ name }: CampaignFields) => {
    if (!String(name).startsWith("too long")) return;
    const answer = "Campaign refused the update of a record (500, RST-360011): An error has occurred";
    throw new CampaignError(answer, { code: "EngineError", outcome: "Unknown", status: 500 });
  };
  return {
    ...campaign,
    insert: async (resource, fields, signal) => {
      refuseLong(fields);
      await campaign.insert(resource, fields, signal);
    },
    updateByKey: async (key, fields, signal) => {
      const isThere = (await campaign.findByKey(key, signal)).length > 0;
      if (isThere) refuseLong(fields);
      return campaign.updateByKey(key, fields, signal);
    },
  };
}

describe("records that Campaign's engine refuses with a 500 of no known cause", () => {
  it("hold up nobody: a change is written at once though hundreds of them wait", async () => {
    ground = await EngineGround.make(320, { campaign: refusingLongNames, settings: { lookAgainMs: 1000 } });
    const { clock, source } = ground;
    for (let n = 20; n < 320; n++) source.put(idOf(n), `too long ${n}`);
    await clock.until(() => ground?.target.records.length === 20, 60_000);
    await clock.until(() => clock.now() > 200_000, 400_000); // They are tried again by now.
    source.put(idOf(0), "Urgent");
    await clock.until(() => ground?.nameOf(0) === "Urgent", 6000);
    expect(ground.engine.notReady()).toBeUndefined();
  });

  it("are buried with what the engine said when others were written meanwhile, again and again", async () => {
    ground = await EngineGround.make(5, { campaign: refusingLongNames });
    const { clock, source } = ground;
    await ground.settled();
    source.put(idOf(4), "too long");
    for (let n = 0; (await ground.counts()).dead === 0 && n < 100; n++) {
      source.put(idOf(0), `Change ${n}`);
      await clock.until(() => ground?.nameOf(0) === `Change ${n}`, 60_000);
      const until = clock.now() + 30_000;
      await clock.until(() => clock.now() > until, 60_000);
    }
    await ground.settled();
    expect(await ground.counts()).toMatchObject({ pending: 0, dead: 1 });
    // What may have been written is deleted with its source all the same.
    source.delete(idOf(4));
    await clock.until(() => ground?.nameOf(4) === undefined, 60_000);
  });

  it("stay queued while nothing else is written: then it may be the engine", async () => {
    ground = await EngineGround.make(5, { campaign: refusingLongNames });
    const { clock, source } = ground;
    await ground.settled();
    source.put(idOf(3), "too long");
    source.put(idOf(4), "too long too");
    await clock.until(() => clock.now() > 3_600_000, 4_000_000);
    expect(await ground.counts()).toMatchObject({ pending: 2, dead: 0 });
    source.put(idOf(4), "short");
    await clock.until(() => ground?.nameOf(4) === "short", 300_000);
  });
});

describe("a stubborn refusal", () => {
  it("is one answer, again and again, each time after another record was written", () => {
    const refusals = new StubbornRefusals(3);
    const refusedAfterAWrite = (id: string, answer: string) => {
      refusals.written();
      return refusals.refused(id, answer);
    };
    expect([1, 2, 3].map(() => refusedAfterAWrite("a", "500"))).toEqual([false, false, true]);
    expect(refusedAfterAWrite("b", "500")).toBe(false);
    expect([1, 2, 3, 4].map(() => refusals.refused("b", "500"))).not.toContain(true);
    expect(refusedAfterAWrite("b", "500")).toBe(false);
    expect(refusedAfterAWrite("b", "another")).toBe(false);
    expect(refusedAfterAWrite("b", "another")).toBe(false);
    refusals.forget("b");
    expect(refusedAfterAWrite("b", "another")).toBe(false);
  });
});
