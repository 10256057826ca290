/** Whatever people do, calls come to and the worker dies of: no opt-out is lost, and nobody is opted in who did not ask. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Fault, Lives, type Workflow } from "./lives.ts";
import { type FieldName, fields, idOf, type SystemName } from "./systems.ts";

type Step =
  | {
      readonly do: "person";
      readonly system: SystemName;
      readonly who: number;
      readonly field: FieldName;
      readonly value: boolean;
      readonly wavers: boolean;
    }
  | { readonly do: "touch" | "restate" | "remove" | "make" | "delete"; readonly who: number }
  /** Opted out, seen by all, and later opted in again. */
  | { readonly do: "story"; readonly system: SystemName; readonly who: number; readonly field: FieldName }
  | { readonly do: "export" | "kill" }
  | { readonly do: "die"; readonly afterCalls: number; readonly doesLast: boolean }
  | { readonly do: "wait"; readonly milliseconds: number };

const contacts = 2;
const who = fc.nat(contacts - 1);
const person = fc.record({
  do: fc.constant("person" as const),
  system: fc.constantFrom<SystemName>("Dynamics", "Campaign"),
  who,
  field: fc.constantFrom(...fields),
  value: fc.boolean(),
  wavers: fc.boolean(),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: person },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("story" as const),
      system: fc.constantFrom<SystemName>("Dynamics", "Campaign"),
      who,
      field: fc.constantFrom(...fields),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom("touch" as const, "restate" as const, "remove" as const, "make" as const),
      who,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("export" as const, "kill" as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("die" as const),
      afterCalls: fc.integer({ min: 1, max: 60 }),
      doesLast: fc.boolean(),
    }),
  },
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constant("wait" as const),
      milliseconds: fc.constantFrom(1, 30, 90, 400, 1000, 3000, 10_000, 100_000),
    }),
  },
);
const steps = fc.array(step, { maxLength: 25, size: "max" });
const faults = fc.infiniteStream(
  fc.constantFrom<Fault>(
    "None",
    "None",
    "None",
    "None",
    "None",
    "None",
    "Lost",
    "LostAfter",
    "Late",
    "Throttled",
    "Slow",
  ),
);
const runs = { numRuns: Number(process.env["OPT_OUT_SIMULATIONS"] ?? 6) };

async function live(lives: Lives, those: readonly Step[]): Promise<void> {
  const { systems } = lives;
  await lives.start();
  for (const next of those) {
    if (lives.isDead) {
      await lives.kill();
      lives.diesAfterCalls = Number.POSITIVE_INFINITY;
      await lives.start();
    }
    switch (next.do) {
      case "person":
        if (next.wavers) systems.person(next.system, idOf(next.who), next.field, !next.value);
        systems.person(next.system, idOf(next.who), next.field, next.value);
        break;
      case "story":
        for (const value of [true, false]) {
          systems.person(next.system, idOf(next.who), next.field, value);
          await lives.pass(5000);
          systems.export();
          await lives.pass(130_000);
        }
        break;
      case "touch":
        systems.touch(idOf(next.who));
        break;
      case "restate":
        systems.restate(idOf(next.who));
        break;
      case "remove":
        systems.removeProfile(idOf(next.who));
        break;
      case "make":
        systems.makeProfile(idOf(next.who));
        break;
      case "delete":
        systems.deleteContact(idOf(next.who));
        break;
      case "export":
        systems.export();
        break;
      case "kill":
        await lives.kill();
        break;
      case "die":
        await lives.kill();
        Object.assign(lives, { diesAfterCalls: next.afterCalls, doesLast: next.doesLast });
        await lives.start();
        await lives.pass(40_000);
        break;
      case "wait":
        await lives.pass(next.milliseconds);
    }
  }
}

/** People rest, nothing is lost any more, and everything is seen. */
async function quiet(lives: Lives): Promise<void> {
  lives.faults = () => "None";
  await lives.kill();
  lives.diesAfterCalls = Number.POSITIVE_INFINITY;
  for (let n = 0; n < contacts; n++) lives.systems.makeProfile(idOf(n));
  await lives.start();
  await lives.rest();
}

async function lived(
  workflow: Workflow,
  those: readonly Step[],
  stream: Iterator<Fault>,
  judge: (lives: Lives) => void,
) {
  const lives = new Lives(workflow, contacts);
  lives.faults = () => stream.next().value ?? "None";
  try {
    await live(lives, those);
    await quiet(lives);
    judge(lives);
  } finally {
    await lives.end();
  }
}

const every = Array.from({ length: contacts }, (_, n) => fields.map((field) => [idOf(n), field] as const)).flat();

describe.each(["Poll", "Export"] as const)("by %s", (source) => {
  it("both ways: nobody is opted in who did not ask, no opt-out is lost, and both systems come to say the same", async () => {
    let optIns = 0;
    await fc.assert(
      fc.asyncProperty(steps, faults, (those, stream) =>
        lived({ direction: "Bidirectional", source }, those, stream, ({ judge, systems }) => {
          optIns += judge.optIns;
          expect(judge.objections).toEqual([]);
          for (const [id, field] of every) {
            const [inDynamics, inCampaign] = systems.values(id, field);
            if (inDynamics !== undefined) expect(inCampaign).toBe(inDynamics);
            if (judge.last(id, field)?.value === true) expect(inCampaign).toBe(true);
          }
        }),
      ),
      runs,
    );
    if (source === "Poll") expect(optIns).toBe(0);
  });

  it.each(["DynamicsToCampaign", "CampaignToDynamics"] as const)(
    "%s: opts nobody in but by what a person did in the source since, and never writes the source",
    async (direction) => {
      await fc.assert(
        fc.asyncProperty(steps, faults, (those, stream) =>
          lived({ direction, source }, those, stream, ({ judge }) => expect(judge.objections).toEqual([])),
        ),
        runs,
      );
    },
    300_000,
  );

  it.each(["DynamicsToCampaign", "CampaignToDynamics"] as const)(
    "%s: the target comes to say what the source says, while people change the source alone",
    async (direction) => {
      const from = direction === "DynamicsToCampaign" ? "Dynamics" : "Campaign";
      const inSource = steps.map((those) =>
        those.filter((one) => one.do !== "remove" && (!("system" in one) || one.system === from)),
      );
      await fc.assert(
        fc.asyncProperty(inSource, faults, (those, stream) =>
          lived({ direction, source }, those, stream, ({ judge, systems }) => {
            expect(judge.objections).toEqual([]);
            for (const [id, field] of every) {
              const [inDynamics, inCampaign] = systems.values(id, field);
              expect(inCampaign).toBe(inDynamics);
            }
          }),
        ),
        runs,
      );
      // Opt-ins do arrive: what nobody is to be opted in by is no rule that never writes any.
      const story = { do: "story", system: from, who: 0, field: fields[0] } as const;
      const noFaults: Iterator<Fault> = { next: () => ({ done: false, value: "None" }) };
      await lived({ direction, source }, [story], noFaults, ({ judge }) => expect(judge.optIns).toBeGreaterThan(0));
    },
    300_000,
  );
});
