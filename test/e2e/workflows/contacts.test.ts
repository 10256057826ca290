import { afterAll, beforeAll, expect, test } from "vitest";
import { differences, loadContacts } from "./contacts.ts";
import { type Ground, prepareGround } from "./ground.ts";
import { contactsWorkflow, untilState, untilStatus, workflow } from "./workflow.ts";

const namespace = "contacts";
let ground: Ground;
const seconds = (count: number) => ({ timeout: count * 1000, interval: 200 });

beforeAll(async () => {
  ground = await prepareGround(namespace);
  await loadContacts(ground.sandbox);
});
afterAll(() => ground.close());

test("every contact arrives in Campaign once, field by field, while the backlog grows and drains to 0", async () => {
  const { kubectl, sandbox } = ground;
  await kubectl.apply(contactsWorkflow({ name: "contacts", engineCallsPerSecond: 800, ...ground }));
  await untilState(kubectl, "contacts", "STARTING");
  await untilState(kubectl, "contacts", "RUNNING");
  await untilStatus(kubectl, "contacts", "a backlog", ({ backlog = 0 }) => backlog > 0);

  const all = await sandbox.countRows({ table: "contact" });
  await expect.poll(() => sandbox.countRecords({ resource: "profile" }), seconds(240)).toBe(all);
  await untilStatus(kubectl, "contacts", "no backlog", ({ backlog }) => backlog === 0);
  expect(await differences(sandbox)).toEqual([]);

  let writes = 0;
  for await (const { entries } of sandbox.allWrites({ resource: "profile" })) writes += entries.length;
  expect(writes, "writes in Campaign").toBe(all);
  const { status } = await workflow(kubectl, "contacts");
  expect(status.transitions?.map(({ from, to }) => `${from} to ${to}`).slice(0, 1)).toEqual(["STARTING to RUNNING"]);
  expect(await kubectl.run(["get", "iw", "contacts"])).toMatch(/contacts\s+Ingress\s+RUNNING\s+0\s+false/);
  await kubectl.run(["wait", "--for=condition=Ready", "iw/contacts", "--timeout=60s"]);
});

test("a contact that is changed, added or deleted in Dataverse is so in Campaign within seconds", async () => {
  const { kubectl, sandbox } = ground;
  const ids: string[] = [];
  for await (const { id } of sandbox.rows({ table: "contact" })) if (ids.push(id) === 2) break;
  const [changed = "", deleted = ""] = ids;
  const added = "0c0ffee0-0000-4000-8000-000000000001";
  await sandbox.updateRows({ table: "contact", rows: [{ id: changed, cells: { lastname: "Łukasiewicz" } }] });
  await sandbox.insertRows({ table: "contact", rows: [{ id: added, cells: { firstname: "Ada", gendercode: 2 } }] });
  await sandbox.deleteRows({ table: "contact", ids: [deleted] });

  const lastName = async (key: string) =>
    (await sandbox.findRecords({ resource: "profile", key }))[0]?.values["lastName"];
  await expect.poll(() => lastName(changed), seconds(60)).toBe("Łukasiewicz");
  const gone = async () => (await sandbox.findRecords({ resource: "profile", key: deleted })).length;
  await expect.poll(gone, seconds(60)).toBe(0);
  await expect.poll(() => differences(sandbox), seconds(60)).toEqual([]);
  await untilStatus(kubectl, "contacts", "no backlog", ({ backlog }) => backlog === 0);
});
