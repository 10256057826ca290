/** What `npm start` runs: the workflows of examples/sandbox, and what its hints let a person try. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { examples, sandboxArguments } from "../../../cluster/demo.ts";
import { someone } from "../../../cluster/hints.ts";
import { untilSettled, type Workflow } from "../../../cluster/settling.ts";
import { type Ground, prepareGround } from "./ground.ts";

/** Where the examples look for the sandbox. */
const namespace = "integration-workflow";
const soon = { timeout: 60_000, interval: 200 };
let ground: Ground;

beforeAll(async () => {
  ground = await prepareGround(namespace, sandboxArguments);
  await ground.kubectl.in("crm").run(["apply", "--filename", examples]);
});
afterAll(async () => {
  await ground?.kubectl.run(["delete", "namespace", "crm", "--wait=true", "--timeout=180s"]);
  ground?.close();
});

const count = (kind: string) => ground.sandbox.countRows({ table: `adobe_${kind}` });
const contact = async () => (await ground.sandbox.row({ table: "contact", id: someone.id }))?.cells;
const profile = async () =>
  (await ground.sandbox.findRecords({ resource: "profile", key: someone.id })).map(({ values }) => values);

test("all three run within three minutes, with nothing left to write", async () => {
  const list = async () => {
    const { items } = await ground.kubectl.in("crm").json<{ items: readonly Workflow[] }>(["get", "iw"]);
    return items;
  };
  await untilSettled(list, { seconds: 180, secondsBetweenLooks: 1, describeCommand: "kubectl" }, () => {});
  expect((await list()).map(({ metadata, spec, status }) => [metadata.name, spec.type, status?.state])).toEqual([
    ["campaign-to-dynamics-365", "Egress", "RUNNING"],
    ["dynamics-365-to-campaign", "Ingress", "RUNNING"],
    ["opt-in-out", "OptInOut", "RUNNING"],
  ]);
  const contacts = await ground.sandbox.countRows({ table: "contact" });
  expect(await ground.sandbox.countRecords({ resource: "profile" })).toBe(contacts);
});

test("a contact that changes is changed in Campaign, an email that is sent is an activity", async () => {
  const { sandbox } = ground;
  await sandbox.updateRows({ table: "contact", rows: [{ id: someone.id, cells: { lastname: "Turner" } }] });
  await expect.poll(profile, soon).toMatchObject([{ lastName: "Turner" }]);
  const before = await count("emailsend");
  const { sends } = await sandbox.sendDelivery({ count: 50 });
  expect(sends).toBeGreaterThan(20);
  await expect.poll(() => count("emailsend"), soon).toBeGreaterThanOrEqual(before + sends);
  await expect.poll(() => count("emailopen"), soon).toBeGreaterThan(0);
});

test("an opt-out goes from Dynamics 365 to Campaign, and one from Campaign to Dynamics 365", async () => {
  const { sandbox } = ground;
  expect(await contact()).toMatchObject({ donotbulkemail: false, donotphone: false });
  await sandbox.updateRows({ table: "contact", rows: [{ id: someone.id, cells: { donotbulkemail: true } }] });
  await sandbox.updateRecord({ resource: "profile", key: someone.id, values: { denyListPhone: true } });
  await expect.poll(profile, soon).toMatchObject([{ denyListEmail: true, denyListPhone: true }]);
  await expect.poll(contact, soon).toMatchObject({ donotbulkemail: true, donotphone: true });
});
