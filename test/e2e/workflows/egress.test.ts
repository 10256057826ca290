import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { ControlRow } from "../../../src/sandbox/control/interface.ts";
import { loadContacts } from "./contacts.ts";
import { hurried, startExports } from "./exports.ts";
import { type Ground, prepareGround } from "./ground.ts";
import { killProcesses } from "./processes.ts";
import { pods, untilState, untilStatus } from "./workflow.ts";

const name = "events";
const since = "2026-07-01T00:00:00Z";
const kinds = ["send", "open", "click", "bounce"] as const;
const tables = {
  send: "adobe_emailsend",
  open: "adobe_emailopen",
  click: "adobe_emailurlclick",
  bounce: "adobe_emailbounce",
};
const patience = { timeout: 240_000, interval: 200 };
let ground: Ground;
let exports: Awaited<ReturnType<typeof startExports>>;
const contacts: string[] = [];

/** Every event that was exported so far and must be an activity, once. */
const happened = new Set<string>();

beforeAll(async () => {
  ground = await prepareGround("egress");
  await loadContacts(ground.sandbox, 200);
  for await (const { id } of ground.sandbox.rows({ table: "contact" })) contacts.push(id);
  exports = await startExports(ground.kubectl);
});
afterAll(async () => {
  ground?.close();
  await exports?.stop();
});

function egressWorkflow(): object {
  const { dynamicsUrl, campaignUrl } = ground;
  return {
    apiVersion: "integrationworkflow.io/v1",
    kind: "IntegrationWorkflow",
    metadata: { name },
    spec: {
      state: "Running",
      type: "Egress",
      dynamics: { url: dynamicsUrl, credentialsSecretRef: { name: "dynamics" } },
      campaign: {
        url: campaignUrl,
        credentialsSecretRef: { name: "campaign" },
        engineCallsPerSecond: 20,
        sftp: exports.sftp,
      },
      egress: { since },
      worker: { template: { env: hurried } },
    },
  };
}

const deliveryHeader =
  "deliveryLogId,contactId,eventDate,status,failureType,campaignId,campaignName,deliveryId,deliveryName";
const trackingHeader = "trackingLogId,contactId,eventDate,urlType,trackingUrl,deliveryId";
const at = (second: number) => new Date(Date.parse("2026-07-15T08:00:00Z") + second * 1000).toISOString();
const inFile = (time: string) => time.slice(0, 19).replace("T", " ");
const contact = (log: number) => contacts[log % contacts.length] ?? "";
const mark = (kind: string, who: string, time: string, url = "") => `${kind} ${who} ${time} ${url}`;

/** A line of the delivery logs, and the event that it tells of. Each log has a second of its own. */
function delivery(log: number, status: "Sent," | "Failed,Hard" | "Failed,Soft", later = 0): string {
  const time = at(log + later);
  if (status === "Sent,") happened.add(mark("send", contact(log), time));
  if (status === "Failed,Hard") happened.add(mark("bounce", contact(log), time));
  return `${log},${contact(log)},${inFile(time)},${status},CMP12,Loyalty,DM190,"Summer, again"`;
}

function tracking(log: number, url?: string): string {
  const time = at(log);
  happened.add(mark(url === undefined ? "open" : "click", contact(log), time, url));
  return `${log},${contact(log)},${inFile(time)},${url === undefined ? "Open," : `Email click,${url}`},DM190`;
}

async function activities(): Promise<readonly string[]> {
  const found: string[] = [];
  for (const kind of kinds) {
    for await (const row of ground.sandbox.rows({ table: tables[kind] })) found.push(markOf(kind, row));
  }
  return found;
}

/** An activity in the words of the ledger: what it is, whose, when, and the address that was clicked. */
function markOf(kind: string, { cells }: ControlRow): string {
  const { regardingobjectid: regarding, adobe_occurredat: time, adobe_trackingurl: url } = cells;
  const who = regarding !== null && typeof regarding === "object" && "id" in regarding ? regarding.id : "nobody";
  return mark(kind, who, new Date(String(time)).toISOString(), typeof url === "string" ? url : "");
}

const count = (kind: keyof typeof tables) => ground.sandbox.countRows({ table: tables[kind] });

/** Every difference between what happened and the activities; none when each event is one. */
async function differences(): Promise<readonly string[]> {
  const found = new Map<string, number>();
  for (const activity of await activities()) found.set(activity, (found.get(activity) ?? 0) + 1);
  const all = [...happened.union(found)];
  return all.flatMap((event) => {
    const times = found.get(event) ?? 0;
    if (!happened.has(event)) return [`did not happen, and is there: ${event}`];
    return times === 1 ? [] : [`is there ${times} times: ${event}`];
  });
}

async function untilAllHappened(): Promise<void> {
  await vi.waitFor(async () => expect((await activities()).length).toBeGreaterThanOrEqual(happened.size), patience);
  await untilStatus(ground.kubectl, name, "no backlog", ({ state, backlog }) => state === "RUNNING" && backlog === 0);
  expect(await differences()).toEqual([]);
}

test("events of exported files are activities on their contacts, each once: sends, opens, clicks and bounces", async () => {
  const { kubectl } = ground;
  exports.put("delivery_logs_20260715_120000.txt", [
    deliveryHeader,
    ...Array.from({ length: 150 }, (_, log) => delivery(log, "Sent,")),
    delivery(150, "Failed,Hard"),
    delivery(151, "Failed,Hard"),
    delivery(152, "Failed,Soft"),
    `153,${contact(153)},2026-06-30 23:59:59,Sent,,CMP12,Loyalty,DM190,before the time that is asked for`,
  ]);
  exports.put("tracking_logs_20260715_120000.txt", [
    trackingHeader,
    ...Array.from({ length: 40 }, (_, log) => tracking(1000 + log)),
    ...Array.from({ length: 10 }, (_, log) => tracking(2000 + log, `https://shop.example.com/?item=${log}`)),
  ]);
  await kubectl.apply(egressWorkflow());
  await untilState(kubectl, name, "RUNNING");
  await untilAllHappened();
  expect([await count("send"), await count("open"), await count("click"), await count("bounce")]).toEqual([
    150, 40, 10, 2,
  ]);
  for await (const { cells } of ground.sandbox.rows({ table: tables.send })) {
    expect(cells).toMatchObject({
      subject: "CMP12 DM190",
      adobe_campaignname: "Loyalty",
      adobe_deliveryname: "Summer, again",
    });
  }
  const shown = () => kubectl.run(["get", "iw", name]);
  await expect.poll(shown, patience).toMatch(/events\s+Egress\s+RUNNING\s+0\s+false/);
});

test("a second export that repeats every line and tells of later bounces makes activities of what is new alone", async () => {
  exports.put("delivery_logs_20260716_120000.txt", [
    deliveryHeader,
    ...Array.from({ length: 145 }, (_, log) => delivery(log, "Sent,")),
    // The same logs, changed since: they were sent, and came back an hour later.
    ...Array.from({ length: 5 }, (_, log) => delivery(145 + log, "Failed,Hard", 3600)),
    delivery(200, "Sent,"),
  ]);
  exports.put("tracking_logs_20260716_120000.txt", [
    trackingHeader,
    ...Array.from({ length: 40 }, (_, log) => tracking(1000 + log)),
    tracking(1100),
  ]);
  await untilAllHappened();
  expect([await count("send"), await count("open"), await count("click"), await count("bounce")]).toEqual([
    151, 41, 10, 7,
  ]);
});

test("a worker that is killed five times while it writes loses no event and makes none twice", async () => {
  const { kubectl, sandbox } = ground;
  const all = 6000;
  const before = await count("send");
  // Answers come late, so that a kill leaves calls behind that nobody waits for and that Dataverse still does.
  const fault = await sandbox.addFault({
    side: "dataverse",
    method: "POST",
    action: { kind: "slow", milliseconds: 300 },
  });
  exports.put("delivery_logs_20260717_120000.txt", [
    deliveryHeader,
    ...Array.from({ length: all }, (_, log) => delivery(10_000 + log, "Sent,")),
  ]);
  for (let kill = 0; kill < 5; kill += 1) {
    // Enough may be there already, from before the last kill: then the next worker is waited for.
    await vi.waitFor(async () => {
      const alive = await pods(kubectl, name);
      expect(await count("send")).toBeGreaterThan(before + (kill * all) / 6);
      const killed = alive.map(({ metadata }) => killProcesses(metadata.uid, "worker"));
      expect(Math.max(0, ...killed), "killed processes").toBeGreaterThan(0);
    }, patience);
    expect(await count("send"), "there is more to write").toBeLessThan(before + all);
    // A new pod has no crash back-off: the next moment comes soon.
    await kubectl.run([
      "delete",
      "pod",
      "-l",
      `integrationworkflow.io/workflow=${name}`,
      "--force",
      "--grace-period=0",
    ]);
  }
  await untilAllHappened();
  await sandbox.removeFault({ id: fault });
});
