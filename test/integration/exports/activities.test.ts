/** From a file on a real SFTP server to activities in the sandbox's Dataverse, by the parts that Egress is made of. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type SchemaNode, withDefaults } from "../../../src/api/defaults.ts";
import type { WorkflowSpec } from "../../../src/api/integration-workflow.ts";
import { egress } from "../../../src/api/schema/egress.ts";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { systemClock } from "../../../src/telemetry/clock.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import type { DataverseClient } from "../../../src/worker/dataverse/client.ts";
import { ExportsReader } from "../../../src/worker/exports/reader.ts";
import { type Activity, activityOf } from "../../../src/worker/flows/egress/activity.ts";
import { readerOfTimes } from "../../../src/worker/flows/egress/date-format.ts";
import { type EventKind, eventOf, exportKind } from "../../../src/worker/flows/egress/events.ts";
import type { FileProgress } from "../../../src/worker/flows/egress/files.ts";
import { SftpServer as SftpClient } from "../../../src/worker/sftp/client.ts";
import { type Workspace, workspace } from "../../unit/worker/http/workspace.ts";
import { type SftpServer, startSftpServer, whyNoSftpServer } from "../sftp/sshd.ts";

const whyNot = await whyNoSftpServer();
const never = new AbortController().signal;
const kinds = ["send", "open", "click", "bounce"] as const;
const stranger = "99999999-9999-4999-8999-999999999999";
// A schema's defaults are what its type says.
const { activities: names } = withDefaults(egress as SchemaNode, {}) as NonNullable<WorkflowSpec["egress"]>;

describe.skipIf(whyNot !== undefined)("exported logs become activities", () => {
  let server: SftpServer;
  let sandbox: RunningSandbox;
  let clients: Workspace;
  let sftp: SftpClient;
  let secret: string;
  const contacts: string[] = [];

  beforeAll(async () => {
    server = await startSftpServer();
    mkdirSync(join(server.home, "exports"));
    sandbox = await startSandbox({ contacts: 3 }, silentLogger);
    for await (const { id } of sandbox.control.rows({ table: "contact" })) contacts.push(id);
    clients = await workspace({
      dataverseUrl: sandbox.dataverseUrl,
      dynamics: { ...sandbox.credentials, tokenUrl: sandbox.dataverseTokenUrl },
      campaign: {},
    });
    secret = mkdtempSync(join(tmpdir(), "exports-secret-"));
    writeFileSync(join(secret, "privateKey"), server.privateKey);
    sftp = new SftpClient({
      address: { host: "127.0.0.1", port: server.port, username: server.username, hostKey: server.hostKey },
      credentials: { side: "campaign.sftp", directory: secret, secretName: "campaign-sftp" },
      timeoutSeconds: 20,
      clock: systemClock,
      random: Math.random,
      logger: silentLogger,
    });
  });
  afterAll(async () => {
    await sftp?.close();
    await clients?.close();
    await sandbox?.close();
    await server?.stop();
    if (secret !== undefined) rmSync(secret, { recursive: true });
  });

  /** One worker's life: everything that is ready becomes activities. What it tells is what became of each. */
  async function live(): Promise<Record<string, number>> {
    const readTime = readerOfTimes("yyyy-MM-dd HH:mm:ss", "Europe/Paris");
    if (typeof readTime === "string") throw new Error(readTime);
    const rules = { kinds: new Set<EventKind>(kinds), since: new Date("2026-07-01T00:00:00Z"), readTime };
    const { userId } = await clients.dataverse.whoAmI(never);
    const { rows, lookups } = clients.dataverse as DataverseClient; // What `connect` makes.
    const regarding = new Map<EventKind, string | undefined>();
    for (const kind of kinds) {
      const { table } = names[kind];
      regarding.set(kind, await lookups.navigationProperty(table, "regardingobjectid", "contact", never));
    }
    const pending: Activity[] = [];
    const told: Record<string, number> = {};
    const tell = (what: string) => {
      told[what] = (told[what] ?? 0) + 1;
    };
    const files = new Map<string, FileProgress>();
    let nowMs = 0;
    const reader = new ExportsReader({
      sftp,
      folder: "exports",
      format: { delimiter: ",", encoding: "utf-8" },
      headerOf: (columns) => {
        const { kind } = exportKind(columns);
        return kind === "Other" ? "Other" : "Export";
      },
      store: {
        progress: () => Promise.resolve([...files.values()]),
        keep: ({ file, rows }) => {
          files.set(file.name, file);
          const { kind } = exportKind(file.position.columns ?? []);
          if (kind !== "DeliveryLogs" && kind !== "TrackingLogs") return Promise.resolve();
          for (const { content } of rows) {
            const outcome = eventOf(content, kind, rules);
            if (outcome.is !== "Event") tell(outcome.why);
            else {
              const activity = activityOf(outcome.event, {
                instanceUrl: "https://mc.adobe.io/contoso/campaign",
                names,
                ownerId: userId,
                contactId: outcome.event.contactKey,
                regardingProperty: regarding.get(outcome.event.kind) ?? "",
              });
              pending.push(activity);
            }
          }
          return Promise.resolve();
        },
      },
      nowMs: () => nowMs,
      logger: silentLogger,
    });
    await reader.round(never);
    nowMs += 60_000;
    await reader.round(never);
    for (const table of new Set(pending.map((activity) => activity.table))) {
      const metadata = await clients.dataverse.tableMetadata(table, [], never);
      const made = await rows.createNew(
        metadata,
        pending.filter((activity) => activity.table === table),
        never,
      );
      for (const one of made) tell(typeof one === "string" ? one : one.code);
    }
    return told;
  }

  it("once, however often they are exported, and what a person edited stays", async () => {
    const [anna, ben] = contacts;
    const sent = (id: number, contact: string | undefined, status = "Sent,") =>
      `${id},${contact ?? ""},2026-07-15 10:00:00,${status},CMP12,2026LoyaltyCamp,DM190,"Spring, again",https://t.example/m\n`;
    const deliveries =
      "deliveryLogId,contactId,eventDate,status,failureType,campaignId,campaignName,deliveryId,deliveryName,mirrorPageUrl\n" +
      sent(1, anna) +
      sent(2, ben, "Failed,Hard") +
      sent(3, stranger) +
      sent(4, "") +
      sent(6, ben, "Failed,Soft");
    const tracking =
      "trackingLogId,contactId,eventDate,urlType,trackingUrl,deliveryId\n" +
      `1,${anna},2026-07-15 11:00:00,Open,,DM190\n2,${anna},2026-07-15 11:01:00,Email click,https://shop.example/?a=1&b=ü,DM190\n` +
      `3,${anna},2026-06-30 11:01:00,Open,,DM190\n4,${anna},2026-07-15 11:02:00,Opt-out,https://shop.example/bye,DM190\n`;
    const put = (name: string, text: string) => writeFileSync(join(server.home, "exports", name), text);
    put("delivery_logs_20260715_120000.txt", deliveries);
    put("tracking_logs_20260715_120000.txt", tracking);
    expect(await live()).toEqual({
      Created: 4,
      Refused: 1,
      ProfileWithoutContact: 1,
      NoSuchEvent: 2,
      BeforeSince: 1,
    });
    const [click] = await all("adobe_emailurlclick");
    expect(click?.cells).toMatchObject({
      subject: "DM190",
      regardingobjectid: { table: "contact", id: anna },
      adobe_occurredat: "2026-07-15T09:01:00Z",
      adobe_trackingurl: "https://shop.example/?a=1&b=ü",
    });
    const [send] = await all("adobe_emailsend");
    expect(send?.cells).toMatchObject({ subject: "CMP12 DM190", adobe_campaignname: "2026LoyaltyCamp" });
    await sandbox.control.updateRows({
      table: "adobe_emailsend",
      rows: [{ id: send?.id ?? "", cells: { subject: "seen" } }],
    });

    // The message to Anna bounces after all, and everything is exported again by a worker that remembers nothing.
    put("delivery_logs_20260716_120000.txt", deliveries.replace("Sent,,", "Failed,Hard,"));
    expect(await live()).toMatchObject({ There: 5, Created: 1 });
    expect((await all("adobe_emailsend")).map(({ cells }) => cells["subject"])).toEqual(["seen"]);
    expect(await all("adobe_emailbounce")).toHaveLength(2);
  });

  async function all(table: string) {
    const rows = [];
    for await (const row of sandbox.control.rows({ table })) rows.push(row);
    return rows;
  }
});
