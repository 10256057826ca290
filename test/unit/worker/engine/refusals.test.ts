import { afterEach, describe, expect, it, onTestFinished } from "vitest";
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

describe("a record that the engine refuses while nothing else is written", () => {
  it("is buried in the end, when Campaign answered everything else all the while", async () => {
    ground = await EngineGround.make(5, { campaign: refusingLongNames, settings: { stubbornForMs: 1_800_000 } });
    const { clock, source } = ground;
    await ground.settled();
    source.put(idOf(3), "too long");
    await clock.until(() => clock.now() > 1_700_000, 1_800_000);
    expect(await ground.counts()).toMatchObject({ pending: 1, dead: 0 });
    await clock.until(async () => (await ground?.counts())?.dead === 1, 300_000);
    expect(await ground.counts()).toMatchObject({ pending: 0 });
  });
});

describe("a writer that leaves Campaign alone", () => {
  it("goes on when Campaign answers the question that readiness asks, and not half a minute later", async () => {
    let isAway = false;
    const away = async () => {
      if (isAway) throw new CampaignError("away", { code: "Outage", outcome: "NotSent" });
    };
    ground = await EngineGround.make(5, {
      settings: { readyWindowMs: 3000 },
      campaign: (campaign) => ({
        ...campaign,
        resourceMetadata: (...args) => away().then(() => campaign.resourceMetadata(...args)),
        updateByKey: (...args) => away().then(() => campaign.updateByKey(...args)),
      }),
    });
    const { clock, source } = ground;
    await ground.settled();
    for (let round = 0; round < 5; round++) {
      isAway = true;
      source.put(idOf(0), `Change ${round}`);
      const downUntil = clock.now() + 300_000 + round * 4700; // Another moment of the pause, each time.
      await clock.until(() => clock.now() > downUntil, 400_000);
      isAway = false;
      // A record's own backoff may be longer than the writer's pause: another one is due at once.
      source.put(idOf(1), `News ${round}`);
      await clock.until(() => ground?.nameOf(1) === `News ${round}`, 6000);
    }
  });
});

describe("a stubborn refusal", () => {
  const limits = { stubbornRefusals: 3, stubbornForMs: 1000, waveRefusals: 4 };
  const silent = { now: 0, answeredAt: undefined };

  it("is one answer, again and again, each time after another record was written", () => {
    const refusals = new StubbornRefusals(limits);
    const refusedAfterAWrite = (id: string, answer: string) => {
      refusals.written();
      return refusals.refused(id, answer, silent) !== undefined;
    };
    expect([1, 2, 3].map(() => refusedAfterAWrite("a", "500"))).toEqual([false, false, true]);
    expect(refusedAfterAWrite("b", "500")).toBe(false);
    expect([1, 2, 3, 4].map(() => refusals.refused("b", "500", silent))).toEqual(Array(4).fill(undefined));
    expect(refusedAfterAWrite("b", "500")).toBe(false);
    expect(refusedAfterAWrite("b", "another")).toBe(false);
    expect(refusedAfterAWrite("b", "another")).toBe(false);
    refusals.forget("b");
    expect(refusedAfterAWrite("b", "another")).toBe(false);
  });

  /** Refusals at these times, with an answer to something else just before each. */
  const refusedAt = (refusals: StubbornRefusals, id: string, times: readonly number[], answer = "500") =>
    times.map((now) => refusals.refused(id, answer, { now, answeredAt: now - 1 }) !== undefined);

  it("is also one for long and often enough, while Campaign answered something else before each", () => {
    expect(refusedAt(new StubbornRefusals(limits), "a", [0, 400, 998, 1000])).toEqual([false, false, false, true]);
    expect(refusedAt(new StubbornRefusals(limits), "a", [0, 5000, 5002])).toEqual([false, false, true]);
  });

  it("is none that Campaign's silence, another answer or an outage came between: the time begins anew", () => {
    const silence = new StubbornRefusals(limits);
    refusedAt(silence, "a", [0, 400, 800]);
    expect(silence.refused("a", "500", { now: 1200, answeredAt: 799 })).toBeUndefined();
    expect(refusedAt(silence, "a", [1600, 2000, 2198, 2200])).toEqual([false, false, false, true]);
    const another = new StubbornRefusals(limits);
    refusedAt(another, "a", [0, 400, 800]);
    expect(refusedAt(another, "a", [1200, 1600, 2000, 2200], "501")).toEqual([false, false, false, true]);
    const outage = new StubbornRefusals(limits);
    refusedAt(outage, "a", [0, 400, 800]);
    outage.forget("a");
    expect(refusedAt(outage, "a", [1200, 1600, 2000, 2200])).toEqual([false, false, false, true]);
  });

  it("is none while as many records as a wave has meet it: then it is the engine", () => {
    const refusals = new StubbornRefusals(limits);
    for (let now = 0; now < 5000; now += 100) {
      for (const id of ["a", "b", "c", "d"]) expect(refusedAt(refusals, id, [now])).toEqual([false]);
    }
    refusals.forget("d");
    expect(refusedAt(refusals, "a", [5000])).toEqual([true]);
  });
});

describe("a record that is new to the workflow", () => {
  const calls: string[] = [];
  const noting = (campaign: Campaign): Campaign => ({
    ...campaign,
    findByKey: (...args) => {
      calls.push("look");
      return campaign.findByKey(...args);
    },
    insert: (...args) => {
      calls.push("insert");
      return campaign.insert(...args);
    },
    updateByKey: (...args) => {
      calls.push("update");
      return campaign.updateByKey(...args);
    },
  });

  it.each([
    { keepsKeysUnique: true, forNew: ["insert"], forKnown: ["insert", "look", "update"] },
    { keepsKeysUnique: false, forNew: ["look", "insert"], forKnown: ["look", "update"] },
  ])(
    "is looked for first unless Campaign keeps keys unique ($keepsKeysUnique), and adopted when somebody made it",
    async ({ keepsKeysUnique, forNew, forKnown }) => {
      ground = await EngineGround.make(3, { campaign: noting });
      ground.target.keepsKeysUnique = keepsKeysUnique;
      await ground.settled();
      calls.splice(0);
      ground.source.put(idOf(7), "New");
      await ground.clock.until(() => ground?.nameOf(7) === "New", 60_000);
      expect(calls.splice(0)).toEqual(forNew);
      ground.target.makeByHand(idOf(8));
      ground.source.put(idOf(8), "Known");
      await ground.clock.until(() => ground?.nameOf(8) === "Known", 60_000);
      expect(calls.splice(0)).toEqual(forKnown);
      expect(ground.target.with(idOf(8))).toHaveLength(1);
    },
  );
});

it("a wave of refusals is one though records come between them for which nobody was asked", async () => {
  let isRefused = false;
  const ground = await EngineGround.make(100, {
    dataverse: (client) => ({
      ...client,
      readTracked: async (...question) => {
        const page = await client.readTracked(...question);
        // What changed may be of no concern to Campaign.
        return { ...page, records: page.records.map((record) => ({ ...record, row: { ...record.row, revision: 1 } })) };
      },
    }),
    campaign: (client) => ({
      ...client,
      updateByKey: (...question) =>
        isRefused
          ? Promise.reject(new CampaignError("no right", { code: "Refused", outcome: "Refused", status: 400 }))
          : client.updateByKey(...question),
    }),
  });
  onTestFinished(() => ground.end());
  await ground.settled();
  isRefused = true;
  for (let n = 0; n < 100; n++) ground.source.put(idOf(n), n % 2 === 0 ? `Renamed ${n}` : `Contact ${n}`);
  await ground.clock.until(async () => (await ground.engine.status()).mappings[0]?.phase === "Paused", 60_000);
  expect((await ground.counts()).dead).toBeLessThan(30);
  isRefused = false;
  await ground.clock.until(() => ground.nameOf(98) === "Renamed 98", 200_000);
});
