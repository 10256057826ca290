/** Records that point at each other, step by step. */
import { afterEach, describe, expect, it } from "vitest";
import { mappingOf, type Relation } from "./family.ts";
import { account, endFamilies, family, link, mandatory, optional, serial, toAccount } from "./family-cast.ts";
import { badName } from "./family-worlds.ts";

afterEach(endFamilies);

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
