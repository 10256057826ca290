/** Links when keys change, and when the configuration does. */
import { afterEach, expect, it } from "vitest";
import { Family, mappingOf, type Relation } from "./family.ts";

const account: Relation = { table: "account" };
const mandatory: Relation = { table: "contact", parent: "account", mandatory: true };
const toAccount = (id: string) => ({ parent: { table: "account", id } });

let of: Family;
afterEach(() => of.end());

const link = (id: string) => of.target.record("cuscontact", id)?.fields["parent"];
const serial = (id: string) => of.target.record("cusaccount", id)?.serial;

it.each([
  ["an optional", false, ["new"]],
  ["a mandatory", true, ["old", "new"]],
])("%s link follows its target to another key", async (_kind, isMandatory, left) => {
  of = new Family([account, { ...mandatory, mandatory: isMandatory }]);
  of.source.put("account", "a1", { name: "old" });
  of.source.put("contact", "c1", toAccount("a1"));
  const byName = { ...mappingOf(account), key: { column: "fullname", field: "key" } };
  await of.start([byName, mappingOf({ ...mandatory, mandatory: isMandatory })]);
  await of.settle();
  expect(link("c1")).toBe(serial("old"));
  of.source.put("account", "a1", { name: "new" });
  await of.settle();
  expect(await of.refusals("account")).toEqual([]);
  expect(link("c1")).toBe(serial("new"));
  expect(of.target.keys("cusaccount")).toEqual(left);
});

it("what a record waited for is not kept for its sake once it has no links", async () => {
  of = new Family([account, mandatory]);
  of.source.put("account", "a1");
  of.source.put("account", "a2", { isActive: false });
  of.source.put("contact", "c1", toAccount("a1"));
  await of.start();
  await of.settle();
  of.source.put("contact", "c1", toAccount("a2"));
  await of.settle();
  await of.kill();
  await of.start([mappingOf(account), mappingOf({ table: "contact" })]);
  await of.settle();
  of.source.put("account", "a2", { isActive: true });
  await of.settle();
  of.source.delete("account", "a1");
  of.source.delete("account", "a2");
  await of.settle();
  // Nothing tells Campaign any more that this link is to go.
  expect(link("c1")).toBe(serial("a1"));
  expect((await of.refusals("account")).map(({ id, reason }) => [id, reason])).toEqual([["a1", "StillLinked"]]);
  expect(of.target.keys("cusaccount")).toEqual(["a1"]);
});
