/** Ingress into an instance that was moved to Campaign v8, as far as Adobe documents what it answers. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { contactMapping, Ground } from "./harness.ts";

let ground: Ground;
beforeEach(async () => {
  ground = await Ground.make({ contacts: 60 });
  await ground.sandbox.control.setCampaignBehaviour({ dialect: "V8" });
});
afterEach(() => ground.end());
const poll = <T>(look: () => Promise<T> | T) => expect.poll(look, { timeout: 30_000, interval: 50 });

it("contacts are made, adopted, changed and deleted; one that Campaign refuses with an empty phrase holds up nobody", async () => {
  const { control } = ground.sandbox;
  const update = (id: string, cells: Readonly<Record<string, string>>) =>
    control.updateRows({ table: "contact", rows: [{ id, cells }] });
  const ids: string[] = [];
  for await (const { id } of control.rows({ table: "contact" })) ids.push(id);
  const [adopted = "", changed = "", deleted = "", bad = ""] = ids;
  await control.insertRecords({ resource: "profile", records: [{ externalId: adopted, lastName: "Was here" }] });
  await update(bad, { description: "none of its values" });
  const mapping = {
    ...contactMapping,
    fields: [
      ...contactMapping.fields.filter(({ field }) => field !== "gender"),
      { column: "description", field: "gender", applyUpdates: true },
    ],
  };
  const worker = ground.start([mapping], { dialect: "V8" });
  await poll(() => control.countRecords({ resource: "profile" })).toBe(59);
  await poll(async () => (await worker.status()).backlog).toBe(1);
  const profile = async (key: string) => (await control.findRecords({ resource: "profile", key }))[0]?.values;
  expect((await profile(adopted))?.["lastName"]).not.toBe("Was here");

  await update(changed, { firstname: "Changed" });
  await control.deleteRows({ table: "contact", ids: [deleted] });
  await poll(async () => (await profile(changed))?.["firstName"]).toBe("Changed");
  await poll(() => profile(deleted)).toBeUndefined();

  await update(bad, { description: "female" });
  await poll(async () => (await profile(bad))?.["gender"]).toBe("female");
  await poll(async () => (await worker.status()).backlog).toBe(0);
  expect(await worker.stop()).toBe(0);
});

it("a field of location that is to be updated keeps its mapping from running, with the way out", async () => {
  const city = { column: "address1_city", field: "location.city", applyUpdates: true };
  const worker = ground.start([{ ...contactMapping, fields: [city] }], { dialect: "V8" });
  expect(await worker.exit()).toBe(78);
  expect(worker.lastWords()).toMatchObject({
    reason: "FieldNotUpdatable",
    message: expect.stringContaining(
      "takes location.city when a record is made, and refuses it in an update: set applyUpdates: false",
    ),
  });
  const insertOnly = ground.start([{ ...contactMapping, fields: [{ ...city, applyUpdates: false }] }], {
    dialect: "V8",
  });
  await poll(() => ground.sandbox.control.countRecords({ resource: "profile" })).toBe(60);
  expect(await insertOnly.stop()).toBe(0);
});
