import { readFileSync } from "node:fs";
import { parse } from "csv-parse/sync";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { deliveryLogColumns, trackingLogColumns } from "../../../src/sandbox/exports/export-text.ts";
import type { SandboxOptions } from "../../../src/sandbox/options.ts";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { readerOfTimes } from "../../../src/worker/flows/egress/date-format.ts";
import { type EventKind, eventOf, exportKind } from "../../../src/worker/flows/egress/events.ts";

/** Campaign's export workflows, as the documentation tells customers to set them up. */

const start = Date.UTC(2026, 6, 15, 8);
let now = start;
let sandbox: RunningSandbox;

async function open(options: Partial<SandboxOptions> = {}): Promise<void> {
  now = start;
  sandbox = await startSandbox({ contacts: 0, now: () => now, ...options }, silentLogger);
}

beforeEach(() => open());
afterEach(() => sandbox.close());

const control = () => sandbox.control;
const keyOf = (n: number) => `0f4b5c6d-1111-4222-8333-${String(n).padStart(12, "0")}`;
const profiles = (count: number, more: object = {}) =>
  control().insertRecords({
    resource: "profile",
    records: Array.from({ length: count }, (_, n) => ({ externalId: keyOf(n), ...more })),
  });
type Row = Readonly<Record<string, string>>;
const rowsOf = async (name: string, delimiter = ","): Promise<readonly Row[]> =>
  parse(await control().readExport({ name }), { columns: true, delimiter });
const page = (name: string) => readFileSync(new URL(`../../../docs/${name}`, import.meta.url), "utf8");
const certain = { openRate: 1, clickRate: 1, hardBounceRate: 0, softBounceRate: 0 };
const dead = { hardBounceRate: 1, lateBounceRate: 0 };

describe("the documentation of the export workflows", () => {
  const documented = (text: string, heading: string): readonly string[] => {
    const table = text.slice(text.indexOf(heading)).split("\n\n")[0] ?? "";
    return [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, name = ""]) => name);
  };

  it("has the columns that the sandbox writes: the needed ones, and those for names", () => {
    const text = page("how-to/export-workflows.md");
    const also = ["campaignId", "campaignName", "deliveryName", "mirrorPageUrl"];
    for (const name of also) expect(text).toContain(`\`${name}\``);
    const sent = documented(text, "| label, delivery logs |");
    const tracked = documented(text, "| label, tracking logs |");
    expect(sent.length).toBeGreaterThan(5);
    expect([...sent, ...also].toSorted()).toEqual(deliveryLogColumns.toSorted());
    expect([...tracked, ...also].toSorted()).toEqual(trackingLogColumns.toSorted());
    expect(text).toContain(deliveryLogColumns.slice(0, 5).join(","));
  });

  it("has the columns of the opt-out export, each field with its time", async () => {
    const [header = ""] = (await control().exportOptOuts({})).text.split("\n");
    const names = header.split(",");
    const [key = "", ...others] = documented(page("explanation/opt-in-out.md"), "| column | is |");
    expect(names[0]).toBe(key);
    for (const name of others) expect(names).toContain(name);
    expect(names.slice(1).filter((_, index) => index % 2 === 1)).toEqual(
      names.slice(1).flatMap((name, index) => (index % 2 === 0 ? [`${name}Time`] : [])),
    );
    expect(names).toHaveLength(17);
  });
});

describe("a delivery", () => {
  it("becomes lines that are read as the events that were told, by whoever follows the page", async () => {
    await profiles(400);
    const rates = { openRate: 0.5, clickRate: 0.5, hardBounceRate: 0.1, softBounceRate: 0.1, lateBounceRate: 0.5 };
    const { deliveryIds, ...told } = await control().sendDelivery({ name: 'Spring, "again"', deliveries: 3, ...rates });
    expect(deliveryIds).toEqual(["DM101", "DM102", "DM103"]);
    const names = await control().runExports();
    expect(names).toEqual([
      "delivery_logs_20260715_080000.txt",
      "tracking_logs_20260715_080000.txt",
      "opt_outs_20260715_080000.txt",
    ]);
    const readTime = readerOfTimes("yyyy-MM-dd HH:mm:ss", "UTC");
    if (typeof readTime === "string") throw new Error(readTime);
    const kinds = new Set<EventKind>(["send", "open", "click", "bounce"]);
    const counts: Record<string, number> = { send: 0, open: 0, click: 0, bounce: 0 };
    for (const name of names.slice(0, 2)) {
      const rows = await rowsOf(name);
      const { kind } = exportKind(Object.keys(rows[0] ?? {}));
      if (kind !== "DeliveryLogs" && kind !== "TrackingLogs") throw new Error(`${name} is read as ${kind}`);
      for (const row of rows) {
        const outcome = eventOf(row, kind, { kinds, since: new Date(start), readTime });
        if (outcome.is === "Refused") throw new Error(`${name}: ${outcome.why} ${outcome.column}`);
        if (outcome.is !== "Event") continue;
        counts[outcome.event.kind] = (counts[outcome.event.kind] ?? 0) + 1;
        expect(outcome.event).toMatchObject({ deliveryName: 'Spring, "again"', campaignId: "CMP1" });
      }
    }
    expect(counts).toEqual({ send: told.sends, open: told.opens, click: told.clicks, bounce: told.hardBounces });
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(20);
  });

  it("goes to nobody who is opted out of email, and to whom it is told to", async () => {
    await profiles(3);
    await control().updateRecord({ resource: "profile", key: keyOf(0), values: { denyListEmail: true } });
    await control().updateRecord({ resource: "profile", key: keyOf(1), values: { denyList: true } });
    await control().insertRecords({ resource: "profile", records: [{ lastName: "No contact" }] });
    expect(await control().sendDelivery(certain)).toMatchObject({ sends: 1, opens: 1, clicks: 1, hardBounces: 0 });
    expect(await control().sendDelivery({ ...certain, contactKeys: ["a", "b"] })).toMatchObject({ sends: 2 });
    expect(await control().sendDelivery({ ...certain, count: 0 })).toMatchObject({ sends: 0 });
    const [name = ""] = await control().runExports();
    expect((await rowsOf(name)).map((row) => row["contactId"])).toEqual([keyOf(2), "a", "b"]);
  });

  it("is exported as it comes about: opens and late bounces by later runs, a bounce with its message's id", async () => {
    await control().sendDelivery({ ...dead, lateBounceRate: 1, contactKeys: ["late"], spreadSeconds: 600 });
    await control().sendDelivery({ ...certain, contactKeys: ["opens"], spreadSeconds: 600 });
    const [first = ""] = await control().runExports();
    const sent = await rowsOf(first);
    await control().removeExport({ name: first });
    expect(sent.map((row) => [row["contactId"], row["status"], row["eventDate"]])).toEqual([
      ["late", "Sent", "2026-07-15 08:00:00"],
      ["opens", "Sent", "2026-07-15 08:00:00"],
    ]);
    now += 600_000;
    const [logs = "", tracks = "", ...others] = await control().runExports();
    expect([logs, tracks, others]).toEqual([
      "delivery_logs_20260715_081000.txt",
      "tracking_logs_20260715_081000.txt",
      [],
    ]);
    expect(await rowsOf(logs)).toMatchObject([
      { deliveryLogId: sent[0]?.["deliveryLogId"], contactId: "late", status: "Failed", failureType: "Hard" },
    ]);
    expect((await rowsOf(tracks)).map((row) => row["urlType"])).toEqual(["Open", "Email click"]);
    now += 600_000;
    expect(await control().runExports()).toEqual([]);
  });
});

describe("the opt-out export", () => {
  it("tells all that is known at first, then whose opt-outs changed, with the time of each", async () => {
    await profiles(2, { ccpaOptOut: true });
    await control().insertRecords({ resource: "profile", records: [{ lastName: "No contact" }] });
    now += 1; // What comes about in the moment of a run is told by the next as well.
    const [first = ""] = await control().runExports();
    expect(await rowsOf(first)).toHaveLength(2);
    now = start + 60_000;
    await control().updateRecord({ resource: "profile", key: keyOf(1), values: { denyListEmail: true } });
    await control().updateRecord({ resource: "profile", key: keyOf(0), values: { lastName: "Other" } });
    now += 1000;
    const [second = ""] = await control().runExports();
    expect(await rowsOf(second)).toEqual([
      expect.objectContaining({
        contactId: keyOf(1),
        denyListEmail: "true",
        denyListEmailTime: "2026-07-15 08:01:00",
        denyListPhone: "false",
        denyListPhoneTime: "2026-07-15 08:00:00",
        ccpaOptOut: "true",
      }),
    ]);
    now += 1000;
    expect(await control().runExports()).toEqual([]);
    expect((await control().exportOptOuts({ since: start + 60_000 })).text.split("\n")).toHaveLength(3);
  });

  it("calls the fields as the instance does, and writes times as the workflow's time zone has them", async () => {
    await sandbox.close();
    await open({ optOutNames: "blackList" });
    await profiles(1);
    await control().setExports({ timeZone: "Europe/Paris", delimiter: ";" });
    const [name = ""] = await control().runExports();
    expect(name).toBe("opt_outs_20260715_100000.txt");
    const expected = { contactId: keyOf(0), blackList: "false", blackListEmailTime: "2026-07-15 10:00:00" };
    expect(await rowsOf(name, ";")).toMatchObject([expected]);
    await expect(control().setExports({ timeZone: "Paris" })).rejects.toThrow("no time zone");
  });
});

describe("a file of an export", () => {
  const send = (lines: number) =>
    control().sendDelivery({ ...certain, openRate: 0, contactKeys: Array.from({ length: lines }, (_, n) => keyOf(n)) });
  /** Names and sizes seen until the run has ended. */
  const watch = async () => {
    const seen = new Set<string>();
    let isOver = false;
    const run = control()
      .runExports()
      .finally(() => {
        isOver = true;
      });
    const look = async () => {
      for (const { name, sizeBytes } of await control().listExports()) seen.add(`${name} ${sizeBytes}`);
    };
    while (!isOver) {
      await look();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await run;
    await look();
    return [...seen].filter((one) => one.startsWith("delivery"));
  };

  it("is renamed when it is whole, or grows in place", async () => {
    await control().setExports({ chunkBytes: 4096, pauseMilliseconds: 1 });
    await send(500);
    const renamed = await watch();
    expect(renamed.filter((one) => !one.includes(".txt.tmp "))).toHaveLength(1);
    expect(renamed.length).toBeGreaterThan(5);
    await control().setExports({ writing: "inPlace" });
    await send(500);
    now += 1000;
    const grown = (await watch()).filter((one) => one.includes("080001.txt "));
    expect(grown.length).toBeGreaterThan(5);
  });

  it("does not write over the one of the same second, and may have very many lines", async () => {
    await send(1);
    await send(30_000);
    const [first = ""] = await control().runExports();
    await send(1);
    const [second = ""] = await control().runExports();
    expect([first, second]).toEqual(["delivery_logs_20260715_080000.txt", "delivery_logs_20260715_080000_2.txt"]);
    expect((await control().readExport({ name: first })).split("\n")).toHaveLength(30_003);
  });

  it("comes by itself when the workflows are on a schedule, as do deliveries", async () => {
    await sandbox.close();
    sandbox = await startSandbox({ contacts: 0, exportEverySeconds: 0.02, deliveryEverySeconds: 0.02 }, silentLogger);
    await profiles(20);
    const names = async () => (await control().listExports()).map(({ name }) => name.replace(/_\d.*/, ""));
    await expect.poll(names).toEqual(expect.arrayContaining(["opt_outs", "delivery_logs", "tracking_logs"]));
    await control().setExports({ deliveryEverySeconds: 0 });
    expect(await control().setExports({ everySeconds: 0 })).toMatchObject({ everySeconds: 0, writing: "rename" });
  });
});
