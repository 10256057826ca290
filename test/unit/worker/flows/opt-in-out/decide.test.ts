import { describe, expect, it } from "vitest";
import {
  type Agreement,
  type CampaignReading,
  type Direction,
  type DynamicsReading,
  nothingAgreed,
  withExportedTimes,
} from "../../../../../src/worker/flows/opt-in-out/contact.ts";
import { decide, type Situation } from "../../../../../src/worker/flows/opt-in-out/decide.ts";
import { type Agreed, covers, every, type Time, table, type Value } from "./table.ts";

const modifiedAt = Date.parse("2026-11-22T10:00:00Z");
const times = { none: undefined, earlier: modifiedAt - 1000, equal: modifiedAt, later: modifiedAt + 1000 } as const;

function dynamicsSays(
  values: Record<string, boolean | undefined>,
  more: Partial<DynamicsReading> = {},
): DynamicsReading {
  return { state: "Read", fresh: true, version: 7n, modifiedAt, values: new Map(Object.entries(values)), ...more };
}

function campaignSays(
  values: Record<string, boolean | undefined>,
  time: Time = "later",
  more: Partial<CampaignReading> = {},
): CampaignReading {
  const entries = Object.entries(values).map(([field, value]) => [field, { value, changedAt: times[time] }] as const);
  return { state: "Read", fresh: true, profileCreated: "2026-01-01", values: new Map(entries), ...more };
}

function agreedOn(values: Record<string, boolean>, more: Partial<Agreement> = {}): Agreement {
  return { values: new Map(Object.entries(values)), unanswered: new Set(), profileCreated: "2026-01-01", ...more };
}

const email = "denyListEmail";
const phone = "denyListPhone";

function situation(parts: Partial<Situation>): Situation {
  return {
    direction: "Bidirectional",
    fields: [email],
    agreement: nothingAgreed,
    dynamics: { state: "Unread" },
    campaign: { state: "Unread" },
    ...parts,
  };
}

function outcome(parts: Partial<Situation>): string {
  const decision = decide(situation(parts));
  if (decision.kind === "Read") return `read ${decision.systems.join(" and ")}`;
  const words = decision.verdicts.map(({ write, rule }) =>
    write === undefined ? `nothing, ${rule}` : `${String(write.value).toUpperCase()} to ${write.system}, ${rule}`,
  );
  return `${decision.kind === "Park" ? "park: " : ""}${words.join("; ")}`;
}

function inTheTable(direction: Direction, agreed: Agreed, dynamics: Value, campaign: Value, time: Time): string {
  return outcome({
    direction,
    agreement: agreedOn(agreed === "none" ? {} : { [email]: agreed === "TRUE" }),
    dynamics: dynamicsSays({ [email]: dynamics === "TRUE" }),
    campaign: campaignSays({ [email]: campaign === "TRUE" }, time),
  });
}

/** Adobe's rule by itself; without an attribute's time it says nothing. */
function adobesRule(dynamics: Value, campaign: Value, time: Time): Value {
  if (time === "later") return campaign;
  return dynamics === "TRUE" || campaign === "TRUE" ? "TRUE" : "FALSE";
}

const combinations = every.agreed.flatMap((agreed) =>
  every.value.flatMap((dynamics) =>
    every.value.flatMap((campaign) => every.time.map((time) => ({ agreed, dynamics, campaign, time }))),
  ),
);

describe.each(Object.keys(table) as Direction[])("%s", (direction) => {
  it.each(combinations)(
    "agreed $agreed, Dynamics $dynamics, Campaign $campaign, time $time: one row says it",
    (one) => {
      const rows = table[direction].filter(
        ([agreed, dynamics, campaign, time]) =>
          covers(agreed, one.agreed) &&
          covers(dynamics, one.dynamics) &&
          covers(campaign, one.campaign) &&
          covers(time, one.time),
      );
      expect(rows).toHaveLength(1);
      const [row] = rows;
      expect(inTheTable(direction, one.agreed, one.dynamics, one.campaign, one.time)).toBe(`${row?.[4]}, ${row?.[5]}`);
    },
  );
});

it.each(combinations)(
  "opts nobody in whom Adobe's rule keeps out: agreed $agreed, Dynamics $dynamics, Campaign $campaign, time $time",
  ({ agreed, dynamics, campaign, time }) => {
    const said = inTheTable("Bidirectional", agreed, dynamics, campaign, time);
    if (said.startsWith("FALSE")) expect(adobesRule(dynamics, campaign, time)).toBe("FALSE");
    expect(said).not.toContain("FALSE to Campaign");
  },
);

describe("both ways, what is read before anything is written", () => {
  const agreement = agreedOn({ [email]: false });
  const stale = { fresh: false };

  it("is nothing while the side that was heard of says what was agreed", () => {
    expect(outcome({ agreement, dynamics: dynamicsSays({ [email]: false }, stale) })).toBe("nothing, Unchanged");
    expect(outcome({ agreement, campaign: campaignSays({ [email]: false }, "later", stale) })).toBe(
      "nothing, Unchanged",
    );
  });

  it("is both sides, when one changed, or nothing was agreed", () => {
    const dynamics = dynamicsSays({ [email]: true }, stale);
    const campaign = campaignSays({ [email]: false }, "later", stale);
    expect(outcome({ agreement, dynamics })).toBe("read Dynamics and Campaign");
    expect(outcome({ campaign })).toBe("read Dynamics and Campaign");
    expect(outcome({ dynamics })).toBe("read Dynamics and Campaign");
    expect(outcome({ agreement, dynamics: { ...dynamics, fresh: true }, campaign })).toBe("read Campaign");
    expect(outcome({ agreement, dynamics, campaign: { ...campaign, fresh: true } })).toBe("read Dynamics");
    expect(outcome({ agreement })).toBe("read Dynamics and Campaign");
  });

  it("is nothing when both were heard of and say the same: that is agreed, unless a write was not answered", () => {
    const heard = {
      dynamics: dynamicsSays({ [email]: true }, stale),
      campaign: { ...campaignSays({ [email]: true }, "later", stale), profileCreated: "then" },
    };
    expect(outcome(heard)).toBe("nothing, Same");
    const unanswered = { ...agreement, profileCreated: "then", unanswered: new Set([email]) };
    expect(outcome({ ...heard, agreement: unanswered })).toBe("read Dynamics and Campaign");
    // Of an export it is not known of which profile it speaks.
    const { profileCreated: _, ...exported } = heard.campaign;
    expect(outcome({ ...heard, campaign: { ...exported, profileCreated: undefined } })).toBe(
      "read Dynamics and Campaign",
    );
  });

  it("is both sides when both were heard of and say the same other than what was agreed: what was heard may be older", () => {
    for (const agreed of [false, true]) {
      const values = { [email]: !agreed };
      const parts = {
        agreement: agreedOn({ [email]: agreed }),
        dynamics: dynamicsSays(values, stale),
        campaign: campaignSays(values, "earlier", stale),
      };
      expect(outcome(parts)).toBe("read Dynamics and Campaign");
    }
  });

  it("is both sides for all fields, when one field changed", () => {
    const dynamics = dynamicsSays({ [email]: false, [phone]: true }, stale);
    const both = { fields: [email, phone], agreement: agreedOn({ [email]: false, [phone]: false }) };
    expect(outcome({ ...both, dynamics })).toBe("read Dynamics and Campaign");
  });
});

it("decides all fields of a contact together", () => {
  const said = outcome({
    fields: [email, phone],
    agreement: agreedOn({ [email]: true, [phone]: false }),
    dynamics: dynamicsSays({ [email]: true, [phone]: true }),
    campaign: campaignSays({ [email]: false, [phone]: false }),
  });
  expect(said).toBe("FALSE to Dynamics, CampaignLater; TRUE to Campaign, OptedOutInDynamics");
});

describe("the time of Dynamics' record", () => {
  const optedInAt = (time: Time | number, more: Partial<Situation>) => {
    const campaign = campaignSays({ [email]: false });
    const changedAt = typeof time === "number" ? time : times[time];
    return outcome({
      agreement: agreedOn({ [email]: true }),
      dynamics: dynamicsSays({ [email]: true }),
      campaign: { ...campaign, values: new Map([[email, { value: false, changedAt }]]) },
      ...more,
    });
  };

  it("has whole seconds: the same second is equal", () => {
    expect(optedInAt(modifiedAt + 999, {})).toBe("TRUE to Campaign, DynamicsLaterOrEqual");
  });

  it("does not count when the version is of our own write: then the one of before does", () => {
    const withOwnWrite = (foreignModifiedAt: number, version = 7n) =>
      optedInAt("earlier", { agreement: agreedOn({ [email]: true }, { ownWrite: { version, foreignModifiedAt } }) });
    expect(withOwnWrite(modifiedAt - 5000)).toBe("FALSE to Dynamics, CampaignLater");
    expect(withOwnWrite(modifiedAt - 1000)).toBe("TRUE to Campaign, DynamicsLaterOrEqual");
    expect(withOwnWrite(modifiedAt - 5000, 6n)).toBe("TRUE to Campaign, DynamicsLaterOrEqual");
  });

  it("is later than anything when it is not known", () => {
    const dynamics = dynamicsSays({ [email]: true }, { modifiedAt: undefined });
    expect(optedInAt("later", { dynamics })).toBe("TRUE to Campaign, DynamicsLaterOrEqual");
  });
});

it("agrees nothing with a profile that was made again", () => {
  const parts = {
    agreement: agreedOn({ [email]: true }),
    dynamics: dynamicsSays({ [email]: true }),
    campaign: campaignSays({ [email]: false }, "later", { profileCreated: "2026-11-22" }),
  };
  expect(outcome(parts)).toBe("TRUE to Campaign, NoAgreedValue");
  expect(outcome({ ...parts, direction: "CampaignToDynamics" })).toBe("nothing, NoAgreedValue");
});

it("agrees no opt-out with a contact that was deleted and made again under its id", () => {
  const agreement = agreedOn({ [email]: true }, { contactCreated: "2026-01-01T10:00:00Z" });
  const again = dynamicsSays({ [email]: false }, { contactCreated: "2026-11-22T10:00:00Z" });
  const parts = { agreement, dynamics: again, campaign: campaignSays({ [email]: true }) };
  expect(outcome({ ...parts, direction: "DynamicsToCampaign" })).toBe("nothing, NoAgreedValue");
  expect(outcome(parts)).toBe("TRUE to Dynamics, NoAgreedValue");
  const unanswered = { ...agreement, values: new Map(), unanswered: new Set([email]) };
  expect(outcome({ ...parts, agreement: unanswered, direction: "DynamicsToCampaign" })).toBe("nothing, NoAgreedValue");

  const same = dynamicsSays({ [email]: false }, { contactCreated: "2026-01-01T10:00:00Z" });
  expect(outcome({ ...parts, dynamics: same, direction: "DynamicsToCampaign" })).toBe(
    "FALSE to Campaign, SourceChanged",
  );
  // Neither told by a feed that began before the column was asked for.
  const untold = dynamicsSays({ [email]: false });
  expect(outcome({ ...parts, dynamics: untold, direction: "DynamicsToCampaign" })).toBe(
    "FALSE to Campaign, SourceChanged",
  );
});

describe("a side without a value", () => {
  it("opts nobody in, either way", () => {
    const agreement = agreedOn({ [email]: true });
    const out = dynamicsSays({ [email]: true });
    const none = campaignSays({ [email]: undefined });
    expect(outcome({ agreement, dynamics: out, campaign: none })).toBe("TRUE to Campaign, NoValue");
    expect(outcome({ agreement, dynamics: out, campaign: none, direction: "CampaignToDynamics" })).toBe(
      "nothing, NoValue",
    );
    const empty = dynamicsSays({ [email]: undefined });
    expect(outcome({ agreement, dynamics: empty, direction: "DynamicsToCampaign" })).toBe("nothing, NoValue");
  });

  it("gets the other's opt-out", () => {
    const dynamics = dynamicsSays({ [email]: undefined });
    expect(outcome({ dynamics, campaign: campaignSays({ [email]: true }) })).toBe("TRUE to Dynamics, NoAgreedValue");
  });
});

describe("without a profile", () => {
  const campaign = { state: "Missing" } as const;

  it("an opt-out of Dynamics waits, and nothing else does", () => {
    for (const direction of ["Bidirectional", "DynamicsToCampaign"] as const) {
      const waits = outcome({ direction, campaign, dynamics: dynamicsSays({ [email]: true }) });
      expect(waits).toBe("park: nothing, ProfileMissing");
      const done = outcome({ direction, campaign, dynamics: dynamicsSays({ [email]: false }) });
      expect(done).toBe("nothing, ProfileMissing");
      expect(outcome({ direction, campaign })).toBe("read Dynamics");
    }
  });

  it("Campaign has nothing to tell", () => {
    const dynamics = dynamicsSays({ [email]: true });
    expect(outcome({ direction: "CampaignToDynamics", campaign, dynamics })).toBe("nothing, ProfileMissing");
  });
});

it("does nothing for a contact that Dynamics does not have", () => {
  const parts = { dynamics: { state: "Missing" }, campaign: campaignSays({ [email]: true }) } as const;
  expect(outcome(parts)).toBe("nothing, ContactMissing");
  expect(outcome({ ...parts, direction: "CampaignToDynamics" })).toBe("nothing, ContactMissing");
});

describe("Dynamics to Campaign", () => {
  const direction = "DynamicsToCampaign";

  it("never asks Campaign, and Dynamics once more before anything goes out", () => {
    const agreement = agreedOn({ [email]: true });
    expect(outcome({ direction, agreement })).toBe("read Dynamics");
    const stale = dynamicsSays({ [email]: false }, { fresh: false });
    expect(outcome({ direction, agreement, dynamics: stale })).toBe("read Dynamics");
    expect(outcome({ direction, agreement, dynamics: { ...stale, fresh: true } })).toBe(
      "FALSE to Campaign, SourceChanged",
    );
  });

  it("leaves an opt-out of Campaign's alone when something else of the contact changes", () => {
    const dynamics = dynamicsSays({ [email]: false }, { fresh: false });
    expect(outcome({ direction, agreement: agreedOn({ [email]: false }), dynamics })).toBe("nothing, Unchanged");
    expect(outcome({ direction, dynamics })).toBe("nothing, NoAgreedValue");
  });
});

it("takes an exported time with the value that it was exported with, and with no other", () => {
  const timeOf = (fresh: boolean, exported: boolean) => {
    const told = campaignSays({ [email]: exported }, "earlier", { fresh: false });
    return withExportedTimes(campaignSays({ [email]: fresh }, "none"), told).values.get(email)?.changedAt;
  };
  expect(timeOf(false, false)).toBe(times.earlier);
  expect(timeOf(true, false)).toBeUndefined();
});
