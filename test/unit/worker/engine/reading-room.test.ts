import { expect, it } from "vitest";
import { Family } from "./family.ts";

it("reading again goes on where many records are to be deleted when the table is read", async () => {
  const family = new Family([{ table: "account" }]);
  for (let n = 10; n < 40; n++) family.source.put("account", `a${n}`);
  await family.start();
  await family.settle();
  await family.kill();
  for (let n = 10; n < 40; n++) family.source.put("account", `a${n}`, { isActive: false });
  family.source.expireTokens();
  await family.start();
  await family.settle();
  expect(await family.faults()).toEqual([]);
  await family.end();
});
