/** What the simulation meets too seldom, step by step. */
import { afterEach, expect, it } from "vitest";
import type { IngressMapping } from "../../../../src/api/integration-workflow.ts";
import { CampaignError } from "../../../../src/worker/http/service-error.ts";
import { done, type Fate, type Lots } from "./calls.ts";
import { Publishing } from "./publishing.ts";
import { byNumber, leaseMs, mapping, Simulation } from "./simulation.ts";

const running: Simulation[] = [];

afterEach(async () => {
  for (const simulation of running.splice(0)) await simulation.end();
});

/** With these contacts written. */
async function settled(asked: IngressMapping, ids: readonly string[]): Promise<Simulation> {
  const simulation = new Simulation(asked, () => done);
  running.push(simulation);
  for (const id of ids) simulation.source.put(id, "before");
  await simulation.start();
  await simulation.settle();
  return simulation;
}

/** The first calls of these methods, in order; every other is done at once. */
function fates(...planned: readonly [call: Parameters<Lots>[0], fate: Fate, delayMs?: number][]): Lots {
  const left = [...planned];
  return (call) => {
    const [next] = left;
    if (next?.[0] !== call) return done;
    left.shift();
    return { fate: next[1], delayMs: next[2] ?? 0 };
  };
}

/** Answers to reading the table or its changes take so long, one after the other; then they are quick. */
function reads(...delaysMs: readonly number[]): Lots {
  const left = [...delaysMs];
  return (call) => (call === "readTracked" ? { fate: "Done", delayMs: left.shift() ?? 0 } : done);
}

it("a row that was deleted and made again stays, though its deletion comes on a page after it was written", async () => {
  const simulation = await settled(mapping, ["id-0", "id-1", "id-2", "id-3"]);
  simulation.source.isDeletedLast = true;
  for (const id of ["id-1", "id-2", "id-3"]) {
    simulation.source.delete(id);
    simulation.source.put(id, "again");
  }
  simulation.lots = reads(0, 5000);
  await simulation.pass(20_000);
  expect(simulation.isSame()).toBe(true);
});

it("a row that was made again while the table was read stays, though its deletion is told when it is written", async () => {
  const simulation = new Simulation(mapping, reads(5000, 0, 5000));
  running.push(simulation);
  for (let n = 0; n < 6; n++) simulation.source.put(`id-${n}`, "before");
  await simulation.start();
  await simulation.clock.until(() => simulation.calls.includes("readTracked"), 60_000);
  simulation.source.delete("id-5");
  simulation.source.put("id-5", "again");
  await simulation.pass(30_000);
  expect(simulation.isSame()).toBe(true);
});

it.each([
  ["LostAfter", false],
  ["LandsLate", false],
  ["LostAfter", true],
] as const)("a row comes back after our own deletion of it was not answered (%s, killed: %s)", async (fate, killed) => {
  const simulation = await settled(mapping, ["id-0"]);
  simulation.source.delete("id-0");
  simulation.lots = fates(["deleteByKey", fate, 1000]);
  await simulation.clock.until(() => simulation.calls.includes("deleteByKey"), 60_000);
  simulation.source.put("id-0", "back");
  if (killed) {
    await simulation.kill();
    await simulation.start();
  }
  await simulation.settle();
  expect(simulation.isSame()).toBe(true);
});

it("two slow calls of one turn outlast no lease: what lands late is not doubled", async () => {
  const simulation = await settled(mapping, []);
  simulation.source.put("id-0", "new");
  simulation.lots = fates(["insert", "Outage", 0], ["updateByKey", "Done", leaseMs / 2], ["insert", "LandsLate", 1000]);
  await simulation.clock.until(() => simulation.calls.filter((call) => call === "insert").length === 2, 200_000);
  await simulation.settle();
  expect(simulation.isSame()).toBe(true);
});

it("of two rows with one key the record stays when one is deleted, and is the other's", async () => {
  const simulation = await settled(byNumber, []);
  simulation.source.put("id-0", "older", "n");
  simulation.source.put("id-1", "newer", "n");
  await simulation.settle();
  simulation.source.delete("id-1");
  await simulation.settle();
  expect(simulation.target.with("n")).toMatchObject([{ name: "older" }]);
  simulation.source.delete("id-0");
  await simulation.settle();
  expect(simulation.target.with("n")).toEqual([]);
});

it("a row that takes over the key of one that goes keeps it, and so do two that change keys", async () => {
  const simulation = await settled(byNumber, ["id-0", "id-1", "id-2"]);
  simulation.source.delete("id-1");
  simulation.source.put("id-0", "merged", "of id-1");
  await simulation.settle();
  simulation.source.put("id-0", "changed", "of id-2");
  simulation.source.put("id-2", "changed", "of id-1");
  await simulation.settle();
  expect(simulation.isSame()).toBe(true);
});

it("a call for a key waits until another row's call for it can no longer land", async () => {
  const simulation = await settled(byNumber, ["id-0", "id-1"]);
  simulation.source.delete("id-1");
  simulation.lots = fates(["deleteByKey", "LandsLate", 1000]);
  await simulation.clock.until(() => simulation.calls.includes("deleteByKey"), 60_000);
  simulation.source.put("id-0", "merged", "of id-1");
  await simulation.settle();
  expect(simulation.isSame()).toBe(true);
});

it("a mapping that Campaign refused goes on when nobody is left to be refused", async () => {
  const simulation = await settled({ ...mapping, applyDeletes: false }, ["id-0"]);
  simulation.source.put("id-0", "refused");
  const refusal = new CampaignError("no right", {
    code: "Forbidden",
    outcome: "Refused",
    status: 403,
  });
  simulation.lots = (call) => {
    if (call === "updateByKey") throw refusal;
    return done;
  };
  await simulation.clock.until(() => simulation.notReady()?.reason === "Forbidden", 60_000);
  simulation.source.delete("id-0");
  await simulation.clock.until(() => simulation.notReady() === undefined, 300_000);
});

it("what a replay makes again has its constants, also where Campaign makes a record of an update", async () => {
  const world = new Publishing();
  try {
    world.mapping = {
      ...mapping,
      fields: mapping.fields.filter(({ field }) => field !== "name"),
      constants: [{ field: "name", value: "constant" }],
    };
    for (const id of ["id-1", "id-2"]) world.put(id, "constant");
    await world.start();
    await world.settled();
    await world.kill();
    world.target.makesMissing = true;
    world.target.records.shift();
    const [kept] = world.target.records;
    if (kept !== undefined) kept["name"] = "by hand";
    world.mapping = { ...world.mapping, replay: "1" };
    await world.start();
    await world.pass(60_000);
    expect(world.target.records.map(({ name }) => name).sort()).toEqual(["by hand", "constant"]);
  } finally {
    await world.end();
  }
});
