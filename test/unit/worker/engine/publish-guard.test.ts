import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { noVolumes, SmallVolume } from "../queue/small-volume.ts";
import { type Publication, Publishing } from "./publishing.ts";

const id = (n: number) => `00000000-0000-0000-0000-${String(n).padStart(12, "0")}`;

describe("a mapping whose metadata people change", () => {
  let world: Publishing;
  beforeEach(async () => {
    world = new Publishing();
    for (let n = 0; n < 10; n++) world.put(id(n), `Contact ${n}`);
    await world.start();
    await world.settled();
  });
  afterEach(() => world.end());
  const stopped = (message = /./) =>
    world.clock.until(async () => (await world.drifts()).some((drift) => message.test(drift)), 70_000);

  it.each<[Publication, RegExp]>([
    ["DropColumn", /column fullname of the table contact is gone.*String.*goes on by itself/],
    ["RetypeColumn", /column fullname of the table contact .* was String, and is Integer.*replay/],
    ["DropTable", /TableMissing.*goes on by itself/],
    ["TurnTrackingOff", /track changes/],
    ["DropField", /field name of the Campaign resource profile is gone/],
    ["DropResource", /no such resource/],
  ])("pauses after %s, says what it was, keeps its rows, and goes on by itself", async (what, message) => {
    world.publish(what);
    await stopped(message);
    const before = world.target.records.map((record) => ({ ...record }));
    world.put(id(3), "Changed meanwhile");
    world.source.delete(id(4));
    await world.pass(300_000);
    expect(world.target.records).toEqual(before);
    world.publish("Mend");
    world.put(id(5), "Changed afterwards");
    await world.settled();
    expect(await world.drifts()).toEqual([]);
    expect(world.target.with(id(4))).toEqual([]);
  });

  it("writes all of a field that was gone again, also of records that did not change since", async () => {
    world.publish("DropField");
    await stopped();
    expect(world.target.records.every((record) => !("name" in record))).toBe(true);
    world.publish("Mend");
    await world.settled();
    expect(world.target.with(id(9))[0]).toMatchObject({ name: "Contact 9" });
  });

  it("fills a field that was gone also when its mapping was edited before it came back", async () => {
    world.publish("DropField");
    await stopped();
    await world.kill();
    world.publish("Mend");
    const fields = world.mapping.fields.map((one) => ({ ...one, applyUpdates: one.field !== "name" }));
    world.mapping = { ...world.mapping, fields };
    await world.start();
    await world.settled();
  });

  it("fills a constant that was gone also when its field went during a replay", async () => {
    const [, revision] = world.mapping.fields;
    await world.kill();
    for (let n = 0; n < 10; n++) world.put(id(n), "constant");
    world.mapping = {
      ...world.mapping,
      fields: revision === undefined ? [] : [revision],
      constants: [{ field: "name", value: "constant" }],
    };
    for (const record of world.target.records) record["name"] = "constant";
    await world.start();
    await world.settled();
    await world.kill();
    world.mapping = { ...world.mapping, replay: "1" };
    world.lots = (call) => ({ fate: "Done", delayMs: call === "readTracked" ? 9000 : 0 });
    await world.start();
    await world.pass(10_000);
    world.publish("DropField");
    await stopped();
    world.publish("Mend");
    world.lots = () => ({ fate: "Done", delayMs: 0 });
    await world.settled();
  });

  it("knows of a field that was gone though its process died before Dataverse answered, too", async () => {
    world.publish("DropField");
    let isAsked = false;
    world.lots = (call) => {
      isAsked ||= call === "tableMetadata";
      return { fate: "Done", delayMs: call === "tableMetadata" ? 9000 : 0 };
    };
    await world.clock.until(() => isAsked, 70_000);
    await world.pass(1000);
    await world.kill();
    world.publish("Mend");
    world.lots = () => ({ fate: "Done", delayMs: 0 });
    await world.start();
    await world.settled();
  });

  it("sees at its start what was published while it was stopped", async () => {
    await world.kill();
    world.publish("RetypeColumn");
    world.put(id(1), "");
    await world.start();
    await world.clock.until(() => world.failure !== undefined, 10_000);
    expect(world.failure).toMatchObject({ code: "ColumnChanged" });
    world.publish("Mend");
    world.put(id(2), "Filled again");
    await world.restart();
    await world.settled();
  });

  it("writes nothing that was read by metadata that it did not look at", async () => {
    await world.pass(10_000);
    world.publish("RetypeColumn");
    for (let n = 0; n < 10; n++) world.put(id(n), "");
    await world.clock.until(async () => {
      expect(world.target.records.filter(({ name }) => /^\d+$/.test(String(name)))).toEqual([]);
      return (await world.drifts()).length > 0;
    }, 10_000);
  });

  it("calls nobody again when something else is published", async () => {
    const calls = () => [...world.target.history.values()].flat().length;
    const before = calls();
    world.publish("PublishOther");
    await world.pass(200_000);
    expect(calls()).toBe(before);
    expect(await world.drifts()).toEqual([]);
  });

  it("buries no record that is refused for a field that is gone", async () => {
    await world.pass(10_000); // The last check is too old to be believed.
    world.ignoresUnknownFields = false;
    world.publish("DropField");
    for (let n = 0; n < 10; n++) world.put(id(n), `Renamed ${n}`);
    await stopped();
    expect((await world.counts()).pending).toBeGreaterThan(0);
    await world.pass(300_000);
    expect(await world.counts()).toMatchObject({ dead: 0 });
    world.publish("Mend");
    await world.settled();
  });
});

it.skipIf(noVolumes !== undefined)(
  "keeps what it saw while its store had no room as soon as there is some",
  async () => {
    const world = new Publishing();
    const volume = new SmallVolume(world.directory, "8m");
    try {
      for (let n = 0; n < 10; n++) world.put(id(n), `Contact ${n}`);
      await world.start();
      await world.settled();
      volume.fill();
      world.publish("DropField");
      await world.pass(130_000);
      volume.makeRoom();
      await world.pass(200_000);
      await world.kill();
      world.publish("Mend");
      await world.start();
      await world.settled();
    } finally {
      volume.makeRoom();
      await world.kill();
      volume.unmount();
      await world.end();
    }
  },
);

type Step =
  | { readonly kind: "Publish"; readonly what: Publication }
  | { readonly kind: "Put"; readonly record: number }
  | { readonly kind: "Delete"; readonly record: number }
  | { readonly kind: "Restart" }
  | { readonly kind: "Pass"; readonly seconds: number };

const record = fc.integer({ min: 0, max: 9 });
const publication = fc.constantFrom<Publication>(
  ...([
    "DropColumn",
    "RetypeColumn",
    "DropTable",
    "TurnTrackingOff",
    "DropField",
    "DropResource",
    "PublishOther",
  ] as const),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: publication.map((what) => ({ kind: "Publish", what }) as const) },
  { weight: 2, arbitrary: fc.constant({ kind: "Publish", what: "Mend" } as const) },
  { weight: 8, arbitrary: record.map((n) => ({ kind: "Put", record: n }) as const) },
  { weight: 3, arbitrary: record.map((n) => ({ kind: "Delete", record: n }) as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "Restart" } as const) },
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 100 }).map((seconds) => ({ kind: "Pass", seconds }) as const) },
);

/** Longer than two checks are apart: what is put back faster in Campaign nobody can know. */
const noticedAfterMs = 120_000;

it("loses nothing and believes no hash that does not hold, whatever is published when", async () => {
  const property = fc.asyncProperty(
    fc.array(step, { minLength: 1, maxLength: 30 }),
    fc.boolean(),
    fc.boolean(),
    fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 12_000 })), { maxLength: 100 }),
    async (steps, ignores, tells, delays) => {
      const world = new Publishing();
      const left = [...delays];
      world.lots = () => ({ fate: "Done", delayMs: left.shift() ?? 0 });
      world.ignoresUnknownFields = ignores;
      world.tellsVersion = tells;
      let brokenAt = 0;
      const mend = async () => {
        if (!world.isWhole) await world.pass(Math.max(1, brokenAt + noticedAfterMs - world.clock.now()));
        world.publish("Mend");
      };
      try {
        await world.start();
        await world.pass(60_000); // It fits once: what it was then is what it is to be.
        for (const [count, what] of steps.entries()) {
          if (what.kind === "Put") world.put(id(what.record), `name ${count}`);
          else if (what.kind === "Delete") world.source.delete(id(what.record));
          else if (what.kind === "Restart") await world.restart();
          else if (what.kind === "Pass") await world.pass(what.seconds * 1000);
          else if (what.what === "Mend") await mend();
          else {
            if (world.isWhole || what.what !== "PublishOther") brokenAt = world.clock.now();
            world.publish(what.what);
          }
          if (world.failure !== undefined) await world.restart();
        }
        await mend();
        await world.settled();
        expect(world.isSame()).toBe(true);
      } finally {
        await world.end();
      }
    },
  );
  await fc.assert(property, { numRuns: Number(process.env["RUNS"] ?? 40), endOnFailure: false });
});
