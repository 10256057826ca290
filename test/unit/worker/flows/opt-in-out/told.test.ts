import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CampaignReading, DynamicsReading } from "../../../../../src/worker/flows/opt-in-out/contact.ts";
import { keptOf, keptText } from "../../../../../src/worker/flows/opt-in-out/kept.ts";
import {
  contactIdOf,
  mergeTold,
  type Told,
  toldOf,
  toldText,
} from "../../../../../src/worker/flows/opt-in-out/told.ts";

const field = "denyListEmail";
const inDynamics = (version: bigint, value: boolean | undefined): DynamicsReading => ({
  state: "Read",
  fresh: false,
  version,
  modifiedAt: 1,
  values: new Map([[field, value]]),
});
const inCampaign = (value: boolean | undefined, changedAt?: number): CampaignReading => ({
  state: "Read",
  fresh: false,
  profileCreated: undefined,
  values: new Map([[field, { value, changedAt }]]),
});
const merged = (...those: readonly [Told, ...Told[]]) => {
  const [first, ...rest] = those.map(toldText);
  return toldOf(rest.reduce(mergeTold, first ?? ""));
};

describe("what was told of a contact", () => {
  it("is told by its text", () => {
    const told = fc.record(
      {
        dynamics: fc.oneof(
          fc.constant("Look" as const),
          fc
            .tuple(fc.bigInt({ min: 0n, max: 2n ** 63n }), fc.boolean())
            .map(([version, one]) => inDynamics(version, one)),
        ),
        campaign: fc
          .tuple(fc.boolean(), fc.option(fc.nat(), { nil: undefined }))
          .map(([one, at]) => inCampaign(one, at)),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(told, (one) => {
        expect(toldOf(toldText(one))).toEqual(one);
      }),
    );
    expect(toldOf(toldText({ campaign: inCampaign(undefined, 5) })).campaign).toEqual(inCampaign(undefined, 5));
  });

  it("keeps an export's times when Dynamics tells something afterwards, and the other way round", () => {
    const campaign = inCampaign(false, 7);
    const dynamics = inDynamics(3n, true);
    expect(merged({ campaign }, { dynamics })).toEqual({ campaign, dynamics });
    expect(merged({ dynamics }, { campaign })).toEqual({ campaign, dynamics });
  });

  it("is Dynamics' newest version, in whichever order they come, and a look when it may be gone", () => {
    const [older, newer] = [inDynamics(3n, true), inDynamics(9n, false)];
    for (const order of [
      [older, newer],
      [newer, older],
    ] as const) {
      expect(merged({ dynamics: order[0] }, { dynamics: order[1] }).dynamics).toEqual(newer);
    }
    expect(merged({ dynamics: "Look" }, { dynamics: newer }).dynamics).toBe("Look");
    expect(merged({ dynamics: newer }, { dynamics: "Look" }).dynamics).toBe("Look");
  });

  it("is Campaign's value that was changed last; without times the last that was told, which keeps the time of its like", () => {
    const [older, newer] = [inCampaign(true, 5), inCampaign(false, 9)];
    expect(merged({ campaign: older }, { campaign: newer }).campaign).toEqual(newer);
    expect(merged({ campaign: newer }, { campaign: older }).campaign).toEqual(newer);
    expect(merged({ campaign: newer }, { campaign: inCampaign(false) }).campaign).toEqual(newer);
    expect(merged({ campaign: newer }, { campaign: inCampaign(true) }).campaign).toEqual(inCampaign(true));
  });

  it("is a look when Campaign told one thing and another, and not when: a file may be read after one that is newer", () => {
    const [out, not] = [inCampaign(true, 9), inCampaign(false)];
    expect(merged({ campaign: out }, { campaign: not }).dynamics).toBe("Look");
    expect(merged({ campaign: not }, { campaign: out }).dynamics).toBe("Look");
    expect(merged({ campaign: out }, { campaign: inCampaign(false, 9) }).dynamics).toBe("Look");
    expect(merged({ campaign: out }, { campaign: inCampaign(true) }).dynamics).toBeUndefined();
  });

  it("is a look when two profiles were told with the contact's id", () => {
    const of = (profileCreated: string): Told => ({ campaign: { ...inCampaign(false), profileCreated } });
    expect(merged(of("2026-01-01"), of("2026-02-02")).dynamics).toBe("Look");
    expect(merged(of("2026-01-01"), of("2026-01-01")).dynamics).toBeUndefined();
    expect(merged(of("2026-01-01"), { campaign: inCampaign(false) }).dynamics).toBeUndefined();
  });
});

it("keeps what is agreed as text, and nothing of nothing", () => {
  const agreement = {
    values: new Map([[field, true]]),
    unanswered: new Set(["denyListPhone"]),
    profileCreated: "then",
    contactCreated: "before then",
    ownWrite: { version: 2n ** 60n, foreignModifiedAt: undefined },
  };
  const kept = { agreement, parked: { since: 5, fields: [field] } };
  expect(keptOf(keptText(kept) ?? "")).toEqual(kept);
  const nothing = { values: new Map(), unanswered: new Set<string>(), profileCreated: undefined };
  expect(keptText({ agreement: nothing })).toBeUndefined();
});

it("takes a profile's key for a contact's id only if it is one", () => {
  expect(contactIdOf(" 60C4E274-0d87-e711-80e5-00155db19e6d ")).toBe("60c4e274-0d87-e711-80e5-00155db19e6d");
  for (const other of ["", "C-17", null, 5, "60c4e274-0d87-e711-80e5-00155db19e6d'"])
    expect(contactIdOf(other)).toBeUndefined();
});
