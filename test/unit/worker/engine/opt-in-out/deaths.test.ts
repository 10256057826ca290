/** A worker that dies between any two steps of a turn, and a call that is not answered: what people say meanwhile counts. */
import { describe, expect, it } from "vitest";
import { Lives } from "./lives.ts";
import { fields, idOf } from "./systems.ts";

/** Everything that a turn does but for its lease, and everything that reading does. */
const steps = {
  "a turn": ["readRecord", "findByKey", "append", "begin", "updateByKey", "update", "end"],
  reading: ["readTracked", "newest", "page", "tell", "files"],
} as const;
const deaths = (["a turn", "reading"] as const).flatMap((of) =>
  Array.from({ length: of === "reading" ? 7 : 9 }, (_, n) =>
    [true, false].map((doesLast) => ({ of, afterCalls: n + 1, doesLast })),
  ).flat(),
);

describe.each([
  { direction: "Bidirectional", source: "Poll", from: "Dynamics" },
  { direction: "Bidirectional", source: "Export", from: "Campaign" },
  { direction: "DynamicsToCampaign", source: "Poll", from: "Dynamics" },
  { direction: "CampaignToDynamics", source: "Poll", from: "Campaign" },
] as const)(
  "$direction by $source: a change in $from that is taken back while the worker is dead",
  ({ direction, source, from }) => {
    it.each(deaths)("comes out right, when it died at call $afterCalls of $of, done: $doesLast", async (death) => {
      const lives = new Lives({ direction, source }, 1);
      const { systems, judge } = lives;
      const [id, [email, phone]] = [idOf(0), fields];
      const said = async (inEmail: boolean, inPhone: boolean) => {
        systems.person(from, id, email, inEmail);
        systems.person(from, id, phone, inPhone);
        await lives.pass(3000);
        systems.export();
      };
      try {
        await lives.start();
        await said(true, false);
        await lives.rest();
        await lives.kill();
        const { of, afterCalls: diesAfterCalls, doesLast } = death;
        Object.assign(lives, { countedCalls: steps[of], diesAfterCalls, doesLast });
        await said(false, true);
        await lives.start();
        await lives.pass(200_000);
        await lives.kill();
        await said(true, false);
        lives.diesAfterCalls = Number.POSITIVE_INFINITY;
        await lives.start();
        await lives.rest();
        expect(judge.objections).toEqual([]);
        expect(systems.values(id, email)).toEqual([true, true]);
        const [inDynamics, inCampaign] = systems.values(id, phone);
        expect(inCampaign).toBe(inDynamics);
        // In one direction, an opt-in of the source goes over as well.
        if (direction !== "Bidirectional") expect(inDynamics).toBe(false);
      } finally {
        await lives.end();
      }
    });
  },
);

describe.each([
  { direction: "Bidirectional", source: "Export", from: "Campaign" },
  { direction: "DynamicsToCampaign", source: "Poll", from: "Dynamics" },
  { direction: "CampaignToDynamics", source: "Poll", from: "Campaign" },
] as const)("$direction by $source: an opt-in whose call has no answer", ({ direction, source, from }) => {
  it.each(["Lost", "LostAfter", "Late"] as const)("does no harm to the opt-out that follows it: %s", async (fault) => {
    const lives = new Lives({ direction, source }, 1);
    const { systems, judge } = lives;
    const [id, [email]] = [idOf(0), fields];
    const write = direction === "DynamicsToCampaign" ? "updateByKey" : "update";
    let writes = 0;
    try {
      await lives.start();
      systems.person(from, id, email, true);
      await lives.rest();
      await lives.pass(2000);
      lives.faults = (call) => (call === write && ++writes === 1 ? fault : "None");
      systems.person(from, id, email, false);
      systems.export();
      while (writes === 0) await lives.clock.step();
      systems.person(from, id, email, true);
      systems.export();
      await lives.rest();
      expect(judge.objections).toEqual([]);
      expect(systems.values(id, email)).toEqual([true, true]);
    } finally {
      await lives.end();
    }
  });
});

describe.each([
  { direction: "Bidirectional", source: "Export", from: "Campaign" },
  { direction: "Bidirectional", source: "Poll", from: "Dynamics" },
  { direction: "DynamicsToCampaign", source: "Poll", from: "Dynamics" },
  { direction: "CampaignToDynamics", source: "Poll", from: "Campaign" },
] as const)(
  "$direction by $source: what changes in $from while a write of the contact is under way",
  ({ direction, source, from }) => {
    it("goes over as well", async () => {
      const lives = new Lives({ direction, source }, 1);
      const { systems, judge } = lives;
      const [id, [email, phone]] = [idOf(0), fields];
      const write = from === "Dynamics" ? "updateByKey" : "update";
      let writes = 0;
      try {
        await lives.start();
        await lives.rest();
        lives.faults = (call) => (call === write && ++writes === 1 ? "Slowest" : "None");
        systems.person(from, id, email, true);
        systems.export();
        while (writes === 0) await lives.clock.step();
        systems.person(from, id, phone, true);
        systems.export();
        await lives.rest();
        expect(judge.objections).toEqual([]);
        for (const field of fields) expect(systems.values(id, field)).toEqual([true, true]);
      } finally {
        await lives.end();
      }
    });
  },
);

it("both ways: an opt-out in Dynamics of the moment in which an opt-in is written there stays", async () => {
  const lives = new Lives({ direction: "Bidirectional", source: "Export" }, 1);
  const { systems, judge } = lives;
  const [id, [email]] = [idOf(0), fields];
  let writes = 0;
  try {
    await lives.start();
    systems.person("Dynamics", id, email, true);
    await lives.rest();
    await lives.pass(2000);
    lives.faults = (call) => (call === "update" && ++writes === 1 ? "Slow" : "None");
    systems.person("Campaign", id, email, false);
    systems.export();
    while (writes === 0) await lives.clock.step();
    systems.person("Dynamics", id, email, false);
    systems.person("Dynamics", id, email, true);
    await lives.rest();
    expect(judge.objections).toEqual([]);
    expect(systems.values(id, email)).toEqual([true, true]);
  } finally {
    await lives.end();
  }
});

it("both ways: an opt-in in Campaign goes over, later than anybody touched the contact, and over a life's end", async () => {
  const lives = new Lives({ direction: "Bidirectional", source: "Export" }, 1);
  const { systems, judge } = lives;
  const [id, [email]] = [idOf(0), fields];
  try {
    await lives.start();
    for (const system of ["Dynamics", "Campaign"] as const) {
      systems.person(system, id, email, true);
      await lives.rest();
      expect(systems.values(id, email)).toEqual([true, true]);
      await lives.kill();
      systems.person("Campaign", id, email, false);
      await lives.start();
      await lives.rest();
      expect(systems.values(id, email)).toEqual([false, false]);
    }
    expect(judge.objections).toEqual([]);
  } finally {
    await lives.end();
  }
});

it("writes nothing while the audit cannot be kept, says so, and goes on by itself", async () => {
  const lives = new Lives({ direction: "Bidirectional", source: "Poll" }, 1);
  const { systems, judge, clock } = lives;
  const [id, [email]] = [idOf(0), fields];
  try {
    await lives.start();
    await lives.rest();
    lives.isAuditBroken = true;
    systems.person("Dynamics", id, email, true);
    await clock.until(() => lives.engine.notReady()?.reason === "AuditNotKept", 300_000);
    await lives.pass(100_000);
    expect(systems.values(id, email)).toEqual([true, false]);
    lives.isAuditBroken = false;
    await lives.rest();
    expect(lives.engine.notReady()).toBeUndefined();
    expect(systems.values(id, email)).toEqual([true, true]);
    expect(judge.objections).toEqual([]);
  } finally {
    await lives.end();
  }
});

it("by Poll: an opt-out is seen that comes within the second of a change that was seen", async () => {
  const lives = new Lives({ direction: "Bidirectional", source: "Poll" }, 1);
  const { systems, judge, clock } = lives;
  const [id, [email, phone]] = [idOf(0), fields];
  try {
    await lives.start();
    await lives.rest();
    let pages = 0;
    lives.faults = (call) => {
      const millisecond = clock.now() % 1000;
      if (call === "page" && millisecond < 300 && ++pages === 1) {
        systems.person("Campaign", id, phone, true);
        // The first one is over by then.
        clock.schedule(990 - millisecond, () => systems.person("Campaign", id, email, true));
      }
      return "None";
    };
    await clock.until(() => pages > 0, 300_000);
    await lives.rest();
    expect(judge.objections).toEqual([]);
    for (const field of fields) expect(systems.values(id, field)).toEqual([true, true]);
  } finally {
    await lives.end();
  }
});

it("by Poll: tells all profiles once more when the store no longer has how far they were told", async () => {
  const lives = new Lives({ direction: "CampaignToDynamics", source: "Poll" }, 1);
  const told = async () => (await lives.queue.counts()).get("contact")?.totalRead;
  try {
    await lives.start();
    await lives.rest();
    const before = (await told()) ?? 0;
    await lives.queue.dropMapping("profile");
    await lives.pass(100_000);
    expect(await told()).toBe(before + 1);
  } finally {
    await lives.end();
  }
});

it("by Export: takes a file for news that says word for word what one before it said", async () => {
  const lives = new Lives({ direction: "CampaignToDynamics", source: "Export" }, 1);
  const { systems, judge } = lives;
  const [id, [email]] = [idOf(0), fields];
  try {
    await lives.start();
    await lives.rest();
    for (const [n, value] of [true, false, true].entries()) {
      systems.person("Campaign", id, email, value);
      const profile = systems.profiles.get(id);
      if (profile !== undefined) profile.isExported = true; // By this file, which has no times.
      systems.files.set(`untimed_${n}.txt`, `contactId,${fields.join(",")}\n${id},${value},false\n`);
      await lives.rest();
      expect(systems.values(id, email)).toEqual([value, value]);
    }
    expect(judge.objections).toEqual([]);
  } finally {
    await lives.end();
  }
});
