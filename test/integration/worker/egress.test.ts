import { readdirSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { activityTable } from "../exports/activity-table.ts";
import { whyNoSftpServer } from "../sftp/sshd.ts";
import { EgressGround, header, line, mappingOf, names, poll, since } from "./egress-ground.ts";

const whyNot = await whyNoSftpServer();
const kinds = ["send", "open", "click", "bounce"] as const;
const stranger = "99999999-9999-4999-8999-999999999999";

describe.skipIf(whyNot !== undefined)("a worker of type Egress", () => {
  let events: EgressGround;
  beforeEach(async () => {
    events = await EgressGround.make();
  });
  afterEach(() => events?.end());

  const dropTables = async () => {
    for (const kind of kinds) await events.ground.sandbox.control.dropTable({ table: names[kind].table });
  };
  const makeTables = async () => {
    for (const kind of kinds) {
      await events.ground.sandbox.control.addTable({ table: activityTable(names, names[kind].table) });
    }
  };
  const count = (table: string) => events.count(table);
  const put = (name: string, text: string) => events.put(name, text);

  it("makes an activity of every event, tells of lines and contacts that are not there, and does nothing twice", async () => {
    const { contacts } = events;
    const lines = contacts.map((contact, n) => line(n, contact)).join("");
    put(
      "delivery_logs_20260715_120000.txt",
      `${header}${lines}${line(900, contacts[0], "Failed,Hard")}${line(901, stranger)}half a line\n`,
    );
    put(
      "tracking_logs_20260715_120000.txt",
      `trackingLogId,contactId,eventDate,urlType,trackingUrl,deliveryId\n1,${contacts[0]},2026-07-15 11:00:00,Open,,DM190\n` +
        `2,${contacts[0]},2026-07-15 11:01:00,Email click,https://shop.example/?a=1,DM190\n3,${contacts[0]},2026-06-01 11:00:00,Open,,DM190\n`,
    );
    const worker = events.start();
    await poll(() => count(names.send.table)).toBe(50);
    await poll(() => count(names.bounce.table)).toBe(1);
    await poll(() => count(names.open.table)).toBe(1);
    await poll(() => count(names.click.table)).toBe(1);
    await poll(async () => (await mappingOf(worker, "send"))?.deadLettered).toBe(1);
    expect(await mappingOf(worker, "exports")).toMatchObject({ deadLettered: 1 });
    await poll(async () => (await worker.get("/readyz")).status).toBe(200);
    const rested = { backlog: 0, schemaDrift: [], lastSyncTime: expect.any(String) };
    await poll(() => worker.status()).toMatchObject(rested);
    expect((await worker.get("/metrics")).body).toContain(
      'integration_workflow_worker_written_records_total{mapping="send"} 50',
    );
    for (const personal of [contacts[0] ?? "", stranger, "shop.example"]) expect(worker.log).not.toContain(personal);
    expect(await worker.stop()).toBe(0);
    expect(readdirSync(events.path(""))).toEqual([
      "delivery_logs_20260715_120000.txt",
      "tracking_logs_20260715_120000.txt",
    ]);

    // Everything is exported again, with one event more, for a worker that starts anew.
    put("delivery_logs_20260716_120000.txt", `${header}${lines}${line(60, contacts[1])}`);
    const again = events.start();
    await poll(() => count(names.send.table)).toBe(51);
    await poll(async () => (await again.status()).backlog).toBe(0);
    expect(await count(names.send.table)).toBe(51);
    expect(await count(names.open.table)).toBe(1);
  });

  it("loses nothing and repeats nothing when it is killed in the middle", async () => {
    const { contacts } = events;
    const lines = Array.from({ length: 3000 }, (_, n) => line(n, contacts[n % contacts.length])).join("");
    put("delivery_logs_20260715_120000.txt", header + lines);
    for (const atLeast of [1, 700, 1800]) {
      const worker = events.start();
      await poll(() => count(names.send.table)).toBeGreaterThanOrEqual(atLeast);
      await worker.kill();
    }
    const worker = events.start();
    await poll(() => count(names.send.table), 60_000).toBe(3000);
    await poll(async () => (await worker.status()).backlog).toBe(0);
    expect(await mappingOf(worker, "send")).toMatchObject({ deadLettered: 0 });
  });

  it("writes nothing that came about before its first start unless it is told since when", async () => {
    put("delivery_logs_20260715_120000.txt", header + line(1, events.contacts[0]));
    const worker = events.start({});
    await poll(() => worker.logged("export.read")[0]).toMatchObject({ ending: "Done" });
    await poll(async () => (await worker.get("/readyz")).status).toBe(200);
    expect(await worker.status()).toMatchObject({ backlog: 0 });
    expect(await count(names.send.table)).toBe(0);
  });

  it("ends with 78 when the server is another than was pinned, or no activity has a table", async () => {
    await dropTables();
    const withoutTables = events.start();
    expect(await withoutTables.exit()).toBe(78);
    expect(withoutTables.lastWords()).toMatchObject({ reason: "TableMissing" });
    await makeTables();
    const stranger = events.start({ since }, { hostKey: events.server.rsaHostKey.replace(/.{8}$/, "AAAAAAAA") });
    expect(await stranger.exit()).toBe(78);
    expect(stranger.lastWords()).toMatchObject({ reason: "HostKeyMismatch" });
  });

  it("is not ready while the server does not answer, and never ends for that", async () => {
    events.leadTo(1);
    const worker = events.start();
    await poll(async () => (await worker.get("/readyz")).body).toContain("SftpUnreachable");
    expect(await worker.stop()).toBe(0);
  });

  it("tells what became of an event, and makes refused ones once their contact is there", async () => {
    put("delivery_logs_20260715_120000.txt", header + line(1, stranger) + line(2, events.contacts[0]));
    const worker = events.start();
    await poll(async () => (await mappingOf(worker, "send"))?.deadLettered).toBe(1);
    const ask = async (key: string) =>
      JSON.parse((await worker.get(`/records?key=${key}&mapping=send`)).body).records[0];
    expect(await ask("1")).toMatchObject({ fate: "Refused", refused: { reason: "ContactMissing" } });
    expect((await ask("1")).summary).toContain("line 2 of the file delivery_logs_20260715_120000.txt");
    expect(await ask("2")).toMatchObject({ fate: "Written", foundBy: ["CampaignKey"] });
    expect(await ask(events.contacts[0] ?? "")).toMatchObject({ fate: "Written", foundBy: ["ContactKey"] });
    expect(await ask("3")).toMatchObject({ fate: "NotSeen" });
    await events.ground.sandbox.control.insertRows({
      table: "contact",
      rows: [{ id: stranger, cells: { lastname: "Late" } }],
    });
    const answer = await fetch(`${await worker.url()}/dead-letters/redrive`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ key: "1" }),
    });
    expect(await answer.json()).toMatchObject({ redriven: 1 });
    await poll(() => count(names.send.table)).toBe(2);
    await poll(async () => (await mappingOf(worker, "send"))?.deadLettered).toBe(0);
  });

  it("finds contacts by an alternate key, whoever has no such contact alone is refused", async () => {
    const { control } = events.ground.sandbox;
    const rows = events.contacts
      .slice(0, 3)
      .map((id, n) => ({ id, cells: { emailaddress1: `o'neil+${n}@example.com` } }));
    await control.updateRows({ table: "contact", rows });
    put(
      "delivery_logs_20260715_120000.txt",
      header + line(1, "O'NEIL+0@example.com") + line(2, "nobody@example.com") + line(3, "o'neil+2@example.com"),
    );
    const worker = events.start({ since, contactKey: "emailaddress1" });
    await poll(() => count(names.send.table)).toBe(2);
    await poll(async () => (await mappingOf(worker, "send"))?.deadLettered).toBe(1);
    for await (const { cells } of control.rows({ table: names.send.table })) {
      expect(events.contacts.slice(0, 3)).toContain((cells["regardingobjectid"] as { id: string }).id);
    }
    expect(worker.log).not.toContain("neil");
    expect(await worker.stop()).toBe(0);
    const wrong = events.start({ since, contactKey: "new_number" });
    expect(await wrong.exit()).toBe(78);
    expect(wrong.lastWords()).toMatchObject({
      reason: "ColumnMissing",
      message: expect.stringContaining("the table contact has no column new_number"),
    });
  });
});
