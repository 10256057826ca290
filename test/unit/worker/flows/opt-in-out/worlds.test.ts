import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Direction, System } from "../../../../../src/worker/flows/opt-in-out/contact.ts";
import { type Fault, type FieldName, fields, type Message, World } from "./world.ts";

type Step =
  /** `wavers`: says the opposite first. */
  | {
      readonly do: "person";
      readonly system: System;
      readonly field: FieldName;
      readonly value: boolean;
      readonly wavers: boolean;
    }
  | { readonly do: "edit" | "export" | "remove" | "make" | "crash" | "all" | "restate" }
  | { readonly do: "wait"; readonly milliseconds: number }
  | { readonly do: "deliver"; readonly from: System; readonly which: number; readonly again: boolean }
  | { readonly do: "step"; readonly fault: Fault };

const system = fc.constantFrom<System>("Dynamics", "Campaign");
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("person" as const),
      system,
      field: fc.constantFrom(...fields),
      value: fc.boolean(),
      wavers: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("edit" as const, "restate" as const) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom("export" as const, "all" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("remove" as const, "make" as const, "crash" as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("wait" as const), milliseconds: fc.constantFrom(1, 400, 1000, 86_400_000) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("deliver" as const), from: system, which: fc.nat(20), again: fc.boolean() }),
  },
  {
    weight: 14,
    arbitrary: fc.record({
      do: fc.constant("step" as const),
      fault: fc.constantFrom<Fault>("none", "none", "none", "none", "lost, and done", "lost, and not done"),
    }),
  },
);

function live(direction: Direction, steps: readonly Step[]): World {
  const world = new World(direction);
  let turn: Generator<void, void, Fault> | undefined;
  for (const next of steps) {
    switch (next.do) {
      case "person":
        if (next.wavers) world.person(next.system, next.field, !next.value);
        world.person(next.system, next.field, next.value);
        break;
      case "edit":
        world.touch();
        break;
      case "restate":
        world.restate();
        break;
      case "export":
        world.export();
        break;
      case "remove":
        world.removeProfile();
        break;
      case "make":
        world.makeProfile();
        break;
      case "wait":
        world.now += next.milliseconds;
        break;
      case "all":
        while (turn?.next("none").done === false);
        turn = undefined;
        deliverAll(world);
        break;
      case "crash":
        turn = undefined;
        break;
      case "deliver": {
        const messages = (next.again ? world.told : world.pending).filter(({ from }) => from === next.from);
        const message = messages[next.which % messages.length];
        if (turn === undefined && message !== undefined) turn = begun(world, message);
        break;
      }
      case "step":
        if (turn?.next(next.fault).done === true) turn = undefined;
    }
  }
  return world;
}

function begun(world: World, message: Message): Generator<void, void, Fault> {
  return world.turn(message);
}

/** People rest, nothing is lost any more, and all that waits is delivered. */
function quiet(world: World): World {
  world.makeProfile();
  deliverAll(world);
  if (world.pending.length > 0) throw new Error("it does not come to rest");
  return world;
}

function deliverAll(world: World): void {
  for (let rounds = world.pending.length + 20; rounds > 0; rounds--) {
    world.export();
    const [message] = world.pending;
    if (message === undefined) return;
    const turn = world.turn(message);
    while (turn.next("none").done !== true);
  }
}

const lives = fc.array(step, { maxLength: 120, size: "max" });
const runs = { numRuns: Number(process.env["OPT_OUT_LIVES"] ?? 3000) };

function last(world: World, field: FieldName) {
  return world.acts.filter((act) => act.field === field && act.order > world.judgedFrom).at(-1);
}

function lastOf({ pending }: World): Message {
  const message = pending.at(-1);
  if (message === undefined) throw new Error("nothing waits");
  return message;
}

function valuesOf(world: World) {
  return fields.map((field) => ({
    field,
    inDynamics: world.dynamics.cells[field].value,
    inCampaign: world.campaign?.cells[field].value,
  }));
}

it.each(["Bidirectional", "DynamicsToCampaign", "CampaignToDynamics"] as const)(
  "the lives that are looked at have opt-ins in them: %s",
  (direction) => {
    const worlds = fc.sample(lives, { numRuns: 300, seed: 1 }).map((steps) => quiet(live(direction, steps)));
    expect(worlds.filter(({ optIns }) => optIns > 0).length).toBeGreaterThan(15);
  },
);

describe("both ways, whatever people do, the worker dies of, and calls and messages come to", () => {
  it("nobody is opted in who did not ask for it, and both systems come to say the same", () => {
    fc.assert(
      fc.property(lives, (steps) => {
        const world = quiet(live("Bidirectional", steps));
        expect(world.objections).toEqual([]);
        for (const { field, inDynamics, inCampaign } of valuesOf(world)) {
          expect(inCampaign).toBe(inDynamics);
          if (last(world, field)?.value === true) expect(inDynamics).toBe(true);
        }
      }),
      runs,
    );
  });

  it("an opt-in in Campaign gets over, when nobody touches the contact after it", () => {
    const world = new World("Bidirectional");
    const day = 86_400_000;
    const [email] = fields;
    world.person("Dynamics", email, true);
    quiet(world);
    expect(world.campaign?.cells[email].value).toBe(true);
    world.now += day;
    world.person("Campaign", email, false);
    quiet(world);
    expect(world.dynamics.cells[email].value).toBe(false);
    world.now += day;
    world.person("Campaign", email, true);
    quiet(world);
    expect(world.dynamics.cells[email].value).toBe(true);
    // The worker wrote the contact last, and its own time does not stand against the next opt-in.
    world.now += 1;
    world.person("Campaign", email, false);
    quiet(world);
    expect(world.dynamics.cells[email].value).toBe(false);
  });
});

it("an opt-out between the look at Dynamics and the write, however late, is kept", () => {
  for (let looked = 0; looked < 8; looked++) {
    const world = new World("Bidirectional");
    const [email] = fields;
    world.person("Dynamics", email, true);
    quiet(world);
    world.now += 1000;
    world.person("Campaign", email, false);
    world.now += 1000;
    world.export();
    const turn = world.turn(lastOf(world));
    for (let step = 0; step < looked; step++) turn.next("none");
    if (!world.dynamics.cells[email].value) continue; // It was written before: then the person has opted in.
    world.person("Dynamics", email, false);
    world.person("Dynamics", email, true);
    while (turn.next("none").done !== true);
    quiet(world);
    expect(world.objections).toEqual([]);
    expect(valuesOf(world)[0]).toEqual({ field: email, inDynamics: true, inCampaign: true });
  }
});

it("a time that an import gave to an old opt-in does not beat an opt-out", () => {
  const world = new World("Bidirectional");
  const [email, phone] = fields;
  quiet(world);
  world.person("Dynamics", email, true);
  world.now += 1000;
  world.restate();
  world.person("Campaign", phone, true); // So that the export says something new.
  world.export();
  const turn = world.turn(lastOf(world));
  while (turn.next("none").done !== true);
  expect(world.objections).toEqual([]);
  expect(valuesOf(world)).toEqual(fields.map((field) => ({ field, inDynamics: true, inCampaign: true })));
});

it("an opt-out that waited for its profile, or whose profile was removed meanwhile, is written when there is one", () => {
  for (const direction of ["Bidirectional", "DynamicsToCampaign"] as const) {
    const world = new World(direction);
    const [email, phone] = fields;
    world.person("Dynamics", email, true);
    quiet(world);
    world.removeProfile();
    world.person("Dynamics", phone, true);
    deliverAll(world);
    expect(world.pending).not.toEqual([]);
    quiet(world);
    expect(world.campaign?.cells[email].value).toBe(true);
    expect(world.campaign?.cells[phone].value).toBe(true);
  }
});

describe.each(["DynamicsToCampaign", "CampaignToDynamics"] as const)("%s", (direction) => {
  const source = direction === "DynamicsToCampaign" ? "Dynamics" : "Campaign";

  it("opts nobody in but by what a person did in the source since the last time, and never writes the source", () => {
    fc.assert(
      fc.property(lives, (steps) => {
        expect(quiet(live(direction, steps)).objections).toEqual([]);
      }),
      runs,
    );
  });

  it("the target comes to say what the source says, while people change the source alone", () => {
    const inSource = lives.map((steps) =>
      steps.filter((one) => one.do !== "remove" && (one.do !== "person" || one.system === source)),
    );
    fc.assert(
      fc.property(inSource, (steps) => {
        const world = quiet(live(direction, steps));
        expect(world.objections).toEqual([]);
        for (const { inDynamics, inCampaign } of valuesOf(world)) expect(inCampaign).toBe(inDynamics);
      }),
      runs,
    );
  });
});
