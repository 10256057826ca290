/** Records that point at each other, step by step. */
import { afterEach, describe, expect, it } from "vitest";
import type { IngressMapping } from "../../../../src/api/integration-workflow.ts";
import { Family, mappingOf, type Relation } from "./family.ts";
import { badName } from "./family-worlds.ts";

const account: Relation = { table: "account" };
const optional: Relation = { table: "contact", parent: "account" };
const mandatory: Relation = { ...optional, mandatory: true };
const toAccount = (id: string) => ({ parent: { table: "account", id } });

const families: Family[] = [];
afterEach(async () => {
  for (const family of families.splice(0)) await family.end();
});

function family(...relations: readonly Relation[]): Family {
  const made = new Family(relations);
  families.push(made);
  return made;
}

const link = (of: Family, id: string) => of.target.record("cuscontact", id)?.fields["parent"];
const serial = (of: Family, id: string) => of.target.record("cusaccount", id)?.serial;

describe.each([
  ["an optional", optional],
  ["a mandatory", mandatory],
])("%s link", (_kind, contact) => {
  it("leads to its target, whichever of the two comes first", async () => {
    const of = family(contact, account);
    of.source.put("contact", "c1", toAccount("a1"));
    of.source.put("account", "a1");
    await of.start();
    await of.settle();
    of.source.put("contact", "c2", toAccount("a2"));
    await of.pass(20_000);
    of.source.put("account", "a2");
    await of.settle();
    expect(await of.faults()).toEqual([]);
    expect(link(of, "c2")).toBe(serial(of, "a2"));
  });

  it("is made again when the target left the filter and came back", async () => {
    const of = family(account, contact);
    of.source.put("account", "a1");
    of.source.put("contact", "c1", toAccount("a1"));
    await of.start();
    await of.settle();
    of.source.put("account", "a1", { isActive: false });
    await of.settle();
    expect(await of.faults()).toEqual([]);
    of.source.put("account", "a1", { isActive: true });
    await of.settle();
    expect(await of.faults()).toEqual([]);
    expect(link(of, "c1")).toBe(serial(of, "a1"));
  });

  it("follows its column to another target", async () => {
    const of = family(account, contact);
    for (const id of ["a1", "a2"]) of.source.put("account", id);
    of.source.put("contact", "c1", toAccount("a1"));
    await of.start();
    await of.settle();
    of.source.put("contact", "c1", toAccount("a2"));
    await of.settle();
    expect(link(of, "c1")).toBe(serial(of, "a2"));
    expect(await of.faults()).toEqual([]);
  });

  it("comes by itself when its target was refused and is mended", async () => {
    const of = family(account, contact);
    of.source.put("account", "a1", { name: badName });
    of.source.put("contact", "c1", toAccount("a1"));
    await of.start();
    await of.settle();
    expect(await of.faults()).toEqual([]);
    of.source.put("account", "a1", { name: "good" });
    await of.settle();
    expect(await of.faults()).toEqual([]);
    expect(link(of, "c1")).toBe(serial(of, "a1"));
  });
});

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

it("a record without its mandatory target costs no call", async () => {
  const of = family(mandatory, account);
  of.lots = (call) => ({ fate: call === "list" ? "Outage" : "Done", delayMs: 0 }); // Nothing of account is read.
  of.source.put("contact", "c1", toAccount("a1"));
  of.source.put("account", "a1");
  await of.start();
  await of.pass(60_000);
  expect(of.writes).toBe(0);
  of.lots = () => ({ fate: "Done", delayMs: 0 });
  await of.settle();
  expect(await of.faults()).toEqual([]);
});

it("what waits for targets of its own table does not keep them from being read", async () => {
  const of = family({ table: "account", parent: "account", mandatory: false }, mandatory);
  const self = family({ table: "account", parent: "account", mandatory: true });
  for (const each of [of, self]) {
    for (let n = 10; n < 40; n++) each.source.put("account", `a${n}`, toAccount(`a${n + 1}`));
    await each.start();
    await each.settle();
    expect(await each.faults()).toEqual([]);
  }
  expect((await self.refusals("account")).length).toBe(30);
});

it.each([
  ["itself", ["a1"]],
  ["each other", ["a1", "a2"]],
  ["each other in a ring", ["a1", "a2", "a3"]],
])("mandatory links of records to %s are ParentMissing, and optional ones come out linked", async (_what, ring) => {
  for (const isMandatory of [true, false]) {
    const each = family({ table: "account", parent: "account", mandatory: isMandatory });
    for (const [index, id] of ring.entries()) {
      each.source.put("account", id, toAccount(ring[(index + 1) % ring.length] ?? ""));
    }
    await each.start();
    await each.settle();
    expect(await each.faults()).toEqual([]);
    expect((await each.refusals("account")).length).toBe(isMandatory ? ring.length : 0);
  }
});

it("a mandatory link that leads nowhere says which mapping, field and why", async () => {
  const of = family(account, mandatory);
  of.source.put("account", "left", { isActive: false });
  of.source.put("contact", "c1", toAccount("left"));
  of.source.put("contact", "c2", toAccount("gone"));
  of.source.put("contact", "c3", { parent: { table: "contact", id: "c1" } });
  of.source.put("contact", "c4");
  await of.start();
  await of.settle();
  const messages = new Map((await of.refusals("contact")).map(({ id, message }) => [id, message]));
  const start = "mapping contact, mandatory link parent: ";
  expect(Object.fromEntries(messages)).toEqual({
    c1: `${start}its target account left is outside its mapping's filter`,
    c2: `${start}its target account gone does not exist in Dynamics 365, or not for this user`,
    c3: `${start}it points at contact c1, and cusaccount is filled from account`,
    c4: `${start}the column parentid is empty`,
  });
  of.source.put("account", "gone");
  of.source.put("account", "left", { isActive: true });
  await of.settle();
  expect((await of.refusals("contact")).map(({ id }) => id).sort()).toEqual(["c3", "c4"]);
});

it("a link that is written on insert only is completed when its target lands, and left alone afterwards", async () => {
  const of = family(account, { ...optional, applyUpdates: false });
  of.source.put("contact", "c1", toAccount("a1"));
  await of.start();
  await of.settle();
  of.source.put("account", "a1");
  of.source.put("account", "a2");
  await of.settle();
  expect(link(of, "c1")).toBe(serial(of, "a1"));
  of.source.put("contact", "c1", toAccount("a2"));
  await of.settle();
  expect(link(of, "c1")).toBe(serial(of, "a1"));
});

it("an emptied column empties its link", async () => {
  const of = family(account, optional);
  of.source.put("account", "a1");
  of.source.put("contact", "c1", toAccount("a1"));
  await of.start();
  await of.settle();
  of.source.put("contact", "c1", { parent: undefined });
  await of.settle();
  expect(link(of, "c1")).toBe(null);
});

it("a target that a person removed in Campaign costs an optional link, and a mandatory record says so", async () => {
  for (const contact of [optional, mandatory]) {
    const of = family(account, contact);
    of.source.put("account", "a1");
    await of.start();
    await of.settle();
    of.target.remove("cusaccount", "a1");
    of.source.put("contact", "c1", toAccount("a1"));
    await of.settle();
    expect((await of.refusals("contact")).map(({ message }) => message)).toEqual(
      contact === mandatory
        ? ["mapping contact, mandatory link parent: its target account a1 is no longer in Campaign"]
        : [],
    );
    of.source.put("account", "a1", { name: "again" });
    await of.settle();
    expect((await of.refusals("account"))[0]?.reason).toBe("RemovedInCampaign");
    await of.queue.records.redrive({ mapping: "account" }, true);
    await of.settle();
    expect(await of.faults()).toEqual([]);
    expect(link(of, "c1")).toBe(serial(of, "a1"));
  }
});

it("what waits is kept over kills, edits of the mapping and the target's mapping being away", async () => {
  const other: Relation = { table: "other" };
  const of = family(mandatory, account, other);
  of.lots = (call) => ({ fate: call === "list" ? "Outage" : "Done", delayMs: 0 });
  of.source.put("contact", "c1", toAccount("a1"));
  of.source.put("account", "a1");
  await of.start();
  await of.pass(30_000);
  await of.kill();
  await of.start([mappingOf(mandatory), mappingOf(other)]);
  await of.pass(30_000);
  expect(of.writes).toBe(0);
  await of.kill();
  await of.start([mappingOf({ ...mandatory, deleteUnmatched: false }), mappingOf(account), mappingOf(other)]);
  await of.settle();
  expect(await of.faults()).toEqual([]);
});

it("a lookup at two links' distance waits for both", async () => {
  const of = family({ table: "order", parent: "contact", mandatory: true }, { ...optional, mandatory: true }, account);
  for (const id of ["1", "2"]) {
    of.source.put("order", `o${id}`, { parent: { table: "contact", id: `c${id}` } });
    of.source.put("contact", `c${id}`, toAccount(`a${id}`));
    if (id === "1") of.source.put("account", `a${id}`);
  }
  await of.start();
  await of.settle();
  expect(await of.faults()).toEqual([]);
  expect(of.target.keys("cusorder")).toEqual(["o1"]);
  of.source.put("account", "a2");
  await of.settle();
  expect(of.target.keys("cusorder")).toEqual(["o1", "o2"]);
});
