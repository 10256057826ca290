/** A worker of type Egress as a process, between a real SFTP server and the sandbox's Dataverse. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type SchemaNode, withDefaults } from "../../../src/api/defaults.ts";
import type { WorkflowSpec } from "../../../src/api/integration-workflow.ts";
import { egress as schema } from "../../../src/api/schema/egress.ts";
import { activityTable } from "../exports/activity-table.ts";
import { type SftpServer, startSftpServer, whyNoSftpServer } from "../sftp/sshd.ts";
import { Ground, type WorkerProcess } from "./harness.ts";

const whyNot = await whyNoSftpServer();
const kinds = ["send", "open", "click", "bounce"] as const;
const since = "2026-07-01T00:00:00Z";
// A schema's defaults are what its type says.
const { activities: names } = withDefaults(schema as SchemaNode, {}) as NonNullable<WorkflowSpec["egress"]>;
const header =
  "deliveryLogId,contactId,eventDate,status,failureType,campaignId,campaignName,deliveryId,deliveryName,mirrorPageUrl\n";
const stranger = "99999999-9999-4999-8999-999999999999";

describe.skipIf(whyNot !== undefined)("a worker of type Egress", () => {
  let server: SftpServer;
  let ground: Ground;
  const contacts: string[] = [];
  beforeEach(async () => {
    server = await startSftpServer();
    mkdirSync(join(server.home, "exports"));
    ground = await Ground.make({ contacts: 50 });
    contacts.length = 0;
    for await (const { id } of ground.sandbox.control.rows({ table: "contact" })) contacts.push(id);
  });
  afterEach(async () => {
    await ground.end();
    await server.stop();
  });

  const makeTables = async () => {
    for (const kind of kinds) {
      await ground.sandbox.control.addTable({ table: activityTable(names, names[kind].table) });
    }
  };
  const start = (egress: object = { since }, hostKey = server.hostKey) =>
    ground.startEgress(
      {
        host: "127.0.0.1",
        port: server.port,
        username: server.username,
        path: "exports",
        hostKey,
        credentialsSecretRef: { name: "campaign-sftp" },
        format: { timeZone: "Europe/Paris", delimiter: ",", encoding: "utf-8", dateFormat: "yyyy-MM-dd HH:mm:ss" },
      },
      server.privateKey,
      egress,
      { flags: ["--still-seconds", "0.5"] },
    );
  const put = (name: string, text: string) => writeFileSync(join(server.home, "exports", name), text);
  const line = (id: number, contact: string | undefined, status = "Sent,") =>
    `${id},${contact ?? ""},2026-07-15 10:00:00,${status},CMP12,2026LoyaltyCamp,DM190,"Spring, again",https://t.example/m\n`;
  const poll = <T>(look: () => Promise<T> | T, timeout = 30_000) => expect.poll(look, { timeout, interval: 100 });
  const count = async (table: string) => {
    let rows = 0;
    for await (const _ of ground.sandbox.control.rows({ table })) rows += 1;
    return rows;
  };
  const kind = async (worker: WorkerProcess, name: string) =>
    (await worker.status()).mappings.find((mapping) => mapping.name === name);

  it("makes an activity of every event, tells of lines and contacts that are not there, and does nothing twice", async () => {
    await makeTables();
    const events = contacts.map((contact, n) => line(n, contact)).join("");
    put(
      "delivery_logs_20260715_120000.txt",
      `${header}${events}${line(900, contacts[0], "Failed,Hard")}${line(901, stranger)}half a line\n`,
    );
    put(
      "tracking_logs_20260715_120000.txt",
      `trackingLogId,contactId,eventDate,urlType,trackingUrl,deliveryId\n1,${contacts[0]},2026-07-15 11:00:00,Open,,DM190\n` +
        `2,${contacts[0]},2026-07-15 11:01:00,Email click,https://shop.example/?a=1,DM190\n3,${contacts[0]},2026-06-01 11:00:00,Open,,DM190\n`,
    );
    const worker = start();
    await poll(() => count(names.send.table)).toBe(50);
    await poll(() => count(names.bounce.table)).toBe(1);
    await poll(() => count(names.open.table)).toBe(1);
    await poll(() => count(names.click.table)).toBe(1);
    await poll(async () => (await kind(worker, "send"))?.deadLettered).toBe(1);
    expect(await kind(worker, "exports")).toMatchObject({ deadLettered: 1 });
    await poll(async () => (await worker.get("/readyz")).status).toBe(200);
    expect(await worker.status()).toMatchObject({ backlog: 0, schemaDrift: [], lastSyncTime: expect.any(String) });
    expect((await worker.get("/metrics")).body).toContain(
      'integration_workflow_worker_written_records_total{mapping="send"} 50',
    );
    for (const personal of [contacts[0] ?? "", stranger, "shop.example"]) expect(worker.log).not.toContain(personal);
    expect(await worker.stop()).toBe(0);

    // Everything is exported again, with one event more, for a worker that starts anew.
    put("delivery_logs_20260716_120000.txt", `${header}${events}${line(60, contacts[1])}`);
    const again = start();
    await poll(() => count(names.send.table)).toBe(51);
    await poll(async () => (await again.status()).backlog).toBe(0);
    expect(await count(names.send.table)).toBe(51);
    expect(await count(names.open.table)).toBe(1);
  });

  it("loses nothing and repeats nothing when it is killed in the middle", async () => {
    await makeTables();
    const events = Array.from({ length: 3000 }, (_, n) => line(n, contacts[n % contacts.length])).join("");
    put("delivery_logs_20260715_120000.txt", header + events);
    for (const atLeast of [1, 700, 1800]) {
      const worker = start();
      await poll(() => count(names.send.table)).toBeGreaterThanOrEqual(atLeast);
      await worker.kill();
    }
    const worker = start();
    await poll(() => count(names.send.table), 60_000).toBe(3000);
    await poll(async () => (await worker.status()).backlog).toBe(0);
    expect(await kind(worker, "send")).toMatchObject({ deadLettered: 0 });
  });

  it("writes nothing that came about before its first start unless it is told since when", async () => {
    await makeTables();
    put("delivery_logs_20260715_120000.txt", header + line(1, contacts[0]));
    const worker = start({});
    await poll(() => worker.logged("export.read")[0]).toMatchObject({ ending: "Done" });
    await poll(async () => (await worker.get("/readyz")).status).toBe(200);
    expect(await worker.status()).toMatchObject({ backlog: 0 });
    expect(await count(names.send.table)).toBe(0);
  });

  it("ends with 78 when the server is another than was pinned, or no activity has a table", async () => {
    const withoutTables = start();
    expect(await withoutTables.exit()).toBe(78);
    expect(withoutTables.lastWords()).toMatchObject({ reason: "TableMissing" });
    await makeTables();
    const stranger = start({ since }, server.rsaHostKey.replace(/.{8}$/, "AAAAAAAA"));
    expect(await stranger.exit()).toBe(78);
    expect(stranger.lastWords()).toMatchObject({ reason: "HostKeyMismatch" });
  });

  it("is not ready while the server does not answer, and never ends for that", async () => {
    await makeTables();
    await server.stop();
    const worker = start();
    await poll(async () => (await worker.get("/readyz")).body).toContain("SftpUnreachable");
    expect(await worker.stop()).toBe(0);
    server = await startSftpServer();
  });
});
