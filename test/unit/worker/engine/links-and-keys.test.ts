/** Links when keys change, and when the configuration does. */
import { afterEach, expect, it } from "vitest";
import { mappingOf } from "./family.ts";
import { account, endFamilies, family, link, mandatory, serial, toAccount } from "./family-cast.ts";

afterEach(endFamilies);

it.each([
  ["an optional", false, ["new"]],
  ["a mandatory", true, ["old", "new"]],
])("%s link follows its target to another key", async (_kind, isMandatory, left) => {
  const of = family(account, { ...mandatory, mandatory: isMandatory });
  of.source.put("account", "a1", { name: "old" });
  of.source.put("contact", "c1", toAccount("a1"));
  const byName = { ...mappingOf(account), key: { column: "fullname", field: "key" } };
  await of.start([byName, mappingOf({ ...mandatory, mandatory: isMandatory })]);
  await of.settle();
  expect(link(of, "c1")).toBe(serial(of, "old"));
  of.source.put("account", "a1", { name: "new" });
  await of.settle();
  expect(await of.refusals("account")).toEqual([]);
  expect(link(of, "c1")).toBe(serial(of, "new"));
  expect(of.target.keys("cusaccount")).toEqual(left);
});

it("what a record waited for is not kept for its sake once it has no links", async () => {
  const of = family(account, mandatory);
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
  expect(link(of, "c1")).toBe(serial(of, "a1"));
  expect((await of.refusals("account")).map(({ id, reason }) => [id, reason])).toEqual([["a1", "StillLinked"]]);
  expect(of.target.keys("cusaccount")).toEqual(["a1"]);
});
