/** Records that others point at, when they leave the filter or are deleted, and when they stay nevertheless. */
import { afterEach, describe, expect, it } from "vitest";
import type { IngressMapping } from "../../../../src/api/integration-workflow.ts";
import { done } from "./calls.ts";
import { type Family, mappingOf, type Relation } from "./family.ts";
import { account, endFamilies, family, link, mandatory, optional, serial, toAccount } from "./family-cast.ts";

afterEach(endFamilies);

describe.each([
  ["an optional", optional],
  ["a mandatory", mandatory],
])("%s link to a record that stays when its row leaves the filter", (_kind, contact) => {
  const kept: Relation = { ...account, deleteUnmatched: false };
  const emptied: IngressMapping = {
    ...mappingOf(kept),
    filter: {
      match: "All",
      conditions: [{ column: "active", operator: "Equals", value: "2" }],
      deleteUnmatched: false,
    },
  };

  /** Two targets, a record that points at the first, and later another that does too. */
  async function linkedFamily(): Promise<Family> {
    const of = family(kept, contact);
    for (const id of ["a1", "a2"]) of.source.put("account", id);
    of.source.put("contact", "c1", toAccount("a1"));
    await of.start();
    await of.settle();
    return of;
  }

  it("stays, and others are linked to it too, when the row was changed", async () => {
    const of = await linkedFamily();
    of.source.put("account", "a1", { isActive: false });
    of.source.put("account", "a3", { isActive: false });
    await of.settle();
    const { writes } = of;
    of.source.put("contact", "c1", { name: "changed" });
    of.source.put("contact", "c2", toAccount("a1"));
    of.source.put("contact", "c3", toAccount("a3"));
    await of.settle();
    expect(await of.faults()).toEqual([]);
    expect([link(of, "c1"), link(of, "c2")]).toEqual([serial(of, "a1"), serial(of, "a1")]);
    expect(link(of, "c3")).toBeUndefined();
    expect(of.writes - writes).toBe(contact === optional ? 3 : 2);
    of.source.put("account", "a1", { isActive: true });
    of.source.put("account", "a3", { isActive: true });
    await of.settle();
    expect(await of.faults()).toEqual([]);
    expect(link(of, "c3")).toBe(serial(of, "a3"));
  });

  it("stays, and others are linked to it too, when the filter was edited", async () => {
    const of = await linkedFamily();
    await of.kill();
    of.source.put("contact", "c2", toAccount("a1")); // Before the table was read with the new filter, or after.
    of.source.put("account", "a3");
    of.source.put("contact", "c3", toAccount("a3"));
    await of.start([emptied, mappingOf(contact)]);
    await of.settle();
    of.source.put("contact", "c4", toAccount("a1"));
    await of.settle();
    expect(["c1", "c2", "c4"].map((id) => link(of, id))).toEqual(Array(3).fill(serial(of, "a1")));
    expect(serial(of, "a3")).toBeUndefined();
    expect(link(of, "c3")).toBeUndefined();
    await of.kill();
    await of.start([mappingOf(kept), mappingOf(contact)]);
    await of.settle();
    expect(await of.faults()).toEqual([]);
    expect(link(of, "c3")).toBe(serial(of, "a3"));
  });

  it.each(["LostAfter", "Outage"] as const)(
    "is as Campaign says when nobody heard what became of it (%s)",
    async (fate) => {
      const of = family(kept, contact);
      of.source.put("contact", "c1", toAccount("a1"));
      await of.start();
      await of.pass(20_000);
      of.lots = (call) => ({ fate: call === "insert" ? fate : "Done", delayMs: 0 });
      of.source.put("account", "a1");
      await of.pass(10_000);
      of.source.put("account", "a1", { isActive: false });
      await of.settle();
      of.source.put("contact", "c2", toAccount("a1"));
      await of.settle();
      expect(serial(of, "a1") === undefined).toBe(fate === "Outage");
      expect(await of.faults()).toEqual([]);
    },
  );
});

it("an optional link to a record that stayed goes with it when it is deleted after all", async () => {
  const of = family({ ...account, deleteUnmatched: false }, optional);
  of.source.put("account", "a1");
  of.source.put("contact", "c1", toAccount("a1"));
  await of.start();
  await of.settle();
  of.source.put("account", "a1", { isActive: false });
  await of.settle();
  const { writes } = of;
  await of.kill();
  await of.start([mappingOf(account), mappingOf(optional)]);
  await of.settle();
  expect(serial(of, "a1")).toBeUndefined();
  expect(of.writes - writes).toBe(2);
  expect(await of.faults()).toEqual([]);
});

it("an optional link is made again when the target came back before anybody looked", async () => {
  const of = family(account, optional);
  of.source.put("account", "a1");
  of.source.put("contact", "c1", toAccount("a1"));
  await of.start();
  await of.settle();
  of.source.put("account", "a1", { isActive: false });
  await of.clock.until(() => serial(of, "a1") === undefined, 60_000);
  of.source.put("account", "a1", { isActive: true });
  await of.settle();
  expect(await of.faults()).toEqual([]);
});

it("an optional link is made after all when the deletion of its target was under way and was not done in the end", async () => {
  const of = family(account, optional, { table: "order", parent: "account", mandatory: true });
  of.source.put("account", "a1");
  await of.start();
  await of.settle();
  let isUnderWay = false;
  of.lots = (call) => {
    isUnderWay ||= call === "deleteByKey";
    return call === "deleteByKey" ? { fate: "NotSent", delayMs: 10_000 } : done;
  };
  of.source.delete("account", "a1");
  await of.clock.until(() => isUnderWay, 60_000);
  of.source.put("contact", "c1", toAccount("a1"));
  of.source.put("order", "o1", toAccount("a1"));
  await of.clock.until(() => of.target.record("cuscontact", "c1") !== undefined, 10_000);
  expect(link(of, "c1")).toBeUndefined();
  await of.settle();
  expect((await of.refusals("account")).map(({ reason }) => reason)).toEqual(["StillLinked"]);
  expect(link(of, "c1")).toBe(serial(of, "a1"));
  expect(await of.faults()).toEqual([]);
});

it("a record is not deleted while mandatory links lead to it, says so, and is deleted when they are gone", async () => {
  const of = family(account, mandatory);
  for (const id of ["a1", "a2"]) of.source.put("account", id);
  for (const id of ["c1", "c2"]) of.source.put("contact", id, toAccount("a1"));
  await of.start();
  await of.settle();
  of.source.delete("account", "a1");
  of.source.delete("contact", "c1");
  await of.settle();
  expect(await of.faults()).toEqual([]);
  expect((await of.refusals("account")).map(({ id, reason }) => [id, reason])).toEqual([["a1", "StillLinked"]]);
  of.source.put("contact", "c2", toAccount("a2"));
  await of.settle();
  expect(of.target.keys("cusaccount")).toEqual(["a2"]);
  expect(await of.refusals("account")).toEqual([]);
  expect(await of.faults()).toEqual([]);
});

it("a record that is kept for the sake of others is deleted once their links are optional", async () => {
  const of = family(account, mandatory);
  of.source.put("account", "a1");
  of.source.put("contact", "c1", toAccount("a1"));
  await of.start();
  await of.settle();
  of.source.delete("account", "a1");
  await of.settle();
  expect((await of.refusals("account")).map(({ reason }) => reason)).toEqual(["StillLinked"]);
  await of.kill();
  await of.start([mappingOf(account), mappingOf(optional)]);
  await of.settle();
  expect(await of.refusals("account")).toEqual([]);
  expect(of.target.keys("cusaccount")).toEqual([]);
});

it("records and those that they point at by mandatory links go together, whichever deletion is told first", async () => {
  const of = family(mandatory, account, { table: "order", parent: "contact", mandatory: true });
  of.source.put("account", "a1");
  of.source.put("contact", "c1", toAccount("a1"));
  of.source.put("order", "o1", { parent: { table: "contact", id: "c1" } });
  await of.start();
  await of.settle();
  of.source.delete("account", "a1");
  of.source.delete("contact", "c1");
  await of.pass(10_000);
  of.source.delete("order", "o1");
  await of.settle();
  for (const resource of ["cusaccount", "cuscontact", "cusorder"]) expect(of.target.keys(resource)).toEqual([]);
  expect([...(await of.refusals("account")), ...(await of.refusals("contact"))]).toEqual([]);
});
