import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { type Caller, dataverseCaller } from "../../sandbox/callers.ts";

const open: RunningSandbox[] = [];

afterEach(async () => {
  for (const sandbox of open.splice(0)) await sandbox.close();
});

async function start(contacts: number): Promise<{ sandbox: RunningSandbox; caller: Caller }> {
  const sandbox = await startSandbox({ contacts }, silentLogger);
  open.push(sandbox);
  return { sandbox, caller: await dataverseCaller(sandbox) };
}

/** A client that does what the documentation asks, and keeps a copy of the table. */
class Mirror {
  readonly lastNames = new Map<string, string | null>();
  deltaLink: string | undefined;
  itemsInLastDelta = 0;
  readonly #caller: Caller;
  readonly #pageSize: number;
  #next: string | undefined;
  #upserted = new Set<string>();

  constructor(caller: Caller, pageSize: number) {
    this.#caller = caller;
    this.#pageSize = pageSize;
  }

  /** Reads one page of whatever comes next. */
  async readPage(): Promise<void> {
    const fresh = this.#next === undefined;
    const target = this.#next ?? this.deltaLink ?? "contacts?$select=lastname";
    if (fresh) {
      this.itemsInLastDelta = 0;
      this.#upserted = new Set();
    }
    const headers = { prefer: `odata.track-changes,odata.maxpagesize=${this.#pageSize}` };
    const { status, json } = await this.#caller.call("GET", target, { headers });
    expect(status).toBe(200);
    expect(json.value.length).toBeLessThanOrEqual(this.#pageSize);
    for (const item of json.value) await this.#apply(item);
    this.itemsInLastDelta += json.value.length;
    this.#next = json["@odata.nextLink"];
    this.deltaLink = json["@odata.deltaLink"] ?? this.deltaLink;
    expect(json["@odata.nextLink"] === undefined).toBe(json["@odata.deltaLink"] !== undefined);
  }

  async readUntilQuiet(): Promise<void> {
    do await this.readPage();
    while (this.#next !== undefined || this.deltaLink === undefined || this.itemsInLastDelta > 0);
  }

  /** A row that is both written and deleted in one round is looked up: the round cannot tell which came last. */
  async #apply(item: { contactid: string; id?: string; reason?: string; lastname: string | null }): Promise<void> {
    if (item.reason !== "deleted") {
      this.lastNames.set(item.contactid, item.lastname);
      this.#upserted.add(item.contactid);
      return;
    }
    const id = item.id ?? "";
    const { status, json } = this.#upserted.has(id) ? await this.#caller.call("GET", `contacts(${id})`) : gone;
    if (status === 404) this.lastNames.delete(id);
    else this.lastNames.set(id, json.lastname);
  }
}

const gone = { status: 404, json: undefined };

type Step =
  | { readonly kind: "page" }
  | { readonly kind: "insert"; readonly key: number }
  | { readonly kind: "update"; readonly at: number; readonly name: string }
  | { readonly kind: "delete"; readonly at: number };

const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constant<Step>({ kind: "page" }) },
    { weight: 2, arbitrary: fc.nat(15).map((key): Step => ({ kind: "insert", key })) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("update" as const), at: fc.nat(20), name: fc.string() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("delete" as const), at: fc.nat(20) }) },
  ),
  { maxLength: 40 },
);

async function change(sandbox: RunningSandbox, step: Exclude<Step, { kind: "page" }>, ids: string[]): Promise<void> {
  const { control } = sandbox;
  if (step.kind === "insert") {
    const digit = step.key.toString(16);
    const id = `${digit}0000000-0000-4000-8000-00000000000${digit}`;
    if ((await control.row({ table: "contact", id })) === undefined) {
      await control.insertRows({ table: "contact", rows: [{ id, cells: { lastname: "new" } }] });
      if (!ids.includes(id)) ids.push(id);
    }
    return;
  }
  const id = ids[step.at % Math.max(1, ids.length)];
  if (id === undefined || (await control.row({ table: "contact", id })) === undefined) return;
  if (step.kind === "delete") await control.deleteRows({ table: "contact", ids: [id] });
  else await control.updateRows({ table: "contact", rows: [{ id, cells: { lastname: step.name } }] });
}

async function table(sandbox: RunningSandbox): Promise<Map<string, unknown>> {
  const rows = new Map<string, unknown>();
  for await (const row of sandbox.control.rows({ table: "contact" })) rows.set(row.id, row.cells["lastname"] ?? null);
  return rows;
}

describe("a tracked read", () => {
  it("gives, by its snapshot and its deltas together, exactly the live table, whatever changes between pages", async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 5 }), fc.nat(8), async (sequence, pageSize, contacts) => {
        const { sandbox, caller } = await start(contacts);
        const mirror = new Mirror(caller, pageSize);
        const ids = [...(await table(sandbox)).keys()];
        for (const step of sequence) {
          if (step.kind === "page") await mirror.readPage();
          else await change(sandbox, step, ids);
        }
        await mirror.readUntilQuiet();
        expect(new Map([...mirror.lastNames].sort())).toEqual(new Map([...(await table(sandbox))].sort()));
        await sandbox.close();
      }),
      { numRuns: 60 },
    );
  });

  it("gives a delta link of the moment at which the snapshot started", async () => {
    const { sandbox, caller } = await start(4);
    const headers = { prefer: "odata.track-changes,odata.maxpagesize=2" };
    const first = await caller.call("GET", "contacts?$select=lastname", { headers });
    const seen: string = first.json.value[0].contactid;
    await sandbox.control.updateRows({ table: "contact", rows: [{ id: seen, cells: { lastname: "Changed" } }] });
    const last = await caller.call("GET", first.json["@odata.nextLink"], { headers });
    const delta = await caller.call("GET", last.json["@odata.deltaLink"]);
    expect(delta.json.value).toMatchObject([{ contactid: seen, lastname: "Changed" }]);
    expect(delta.json["@odata.context"]).toMatch(/#contacts\(lastname\)\/\$delta$/);
  });

  it("meets or misses rows that are made while it reads, and has every one of them in the delta", async () => {
    const { sandbox, caller } = await start(3);
    const headers = { prefer: "odata.track-changes,odata.maxpagesize=2" };
    const first = await caller.call("GET", "contacts", { headers });
    const made = ["10000000-0000-4000-8000-000000000001", "f0000000-0000-4000-8000-000000000001"];
    await sandbox.control.insertRows({ table: "contact", rows: made.map((id) => ({ id, cells: {} })) });
    const last = await caller.call("GET", first.json["@odata.nextLink"], { headers });
    const ids = (json: { value: { contactid: string }[] }) => json.value.map((row) => row.contactid);
    expect(ids(last.json)).toContain(made[1]);
    expect(ids(last.json)).not.toContain(made[0]);
    const delta = await caller.call("GET", last.json["@odata.deltaLink"]);
    expect(ids(delta.json)).toEqual(made);
  });

  it("pages on from rows to deletions without losing the oldest deletion", async () => {
    const { sandbox, caller } = await start(4);
    const headers = { prefer: "odata.track-changes,odata.maxpagesize=2" };
    const all = await caller.call("GET", "contacts", { headers: { prefer: "odata.track-changes" } });
    const [gone] = await sandbox.control.changeMany({ table: "contact", count: 1, operation: "delete" });
    await sandbox.control.changeMany({ table: "contact", count: 2, operation: "update", cells: { fax: "{n}" } });
    const rows = await caller.call("GET", all.json["@odata.deltaLink"], { headers });
    expect(rows.json.value).toMatchObject([{ fax: "0" }, { fax: "1" }]);
    const deletions = await caller.call("GET", rows.json["@odata.nextLink"], { headers });
    expect(deletions.json.value).toMatchObject([{ id: gone, reason: "deleted" }]);
    expect(deletions.json).toHaveProperty(["@odata.deltaLink"]);
  });

  it("shows a row that was deleted and made again once, and in the delta also as deleted", async () => {
    const { sandbox, caller } = await start(2);
    const all = await caller.call("GET", "contacts", { headers: { prefer: "odata.track-changes" } });
    const id: string = all.json.value[0].contactid;
    await sandbox.control.deleteRows({ table: "contact", ids: [id] });
    await sandbox.control.insertRows({ table: "contact", rows: [{ id, cells: { lastname: "Again" } }] });
    const { json } = await caller.call("GET", "contacts?$select=lastname");
    expect(json.value).toHaveLength(2);
    const delta = await caller.call("GET", all.json["@odata.deltaLink"]);
    expect(delta.json.value).toMatchObject([
      { contactid: id, lastname: "Again" },
      { id, reason: "deleted" },
    ]);
  });

  it("counts what waits behind a delta link", async () => {
    const { sandbox, caller } = await start(5);
    const { json } = await caller.call("GET", "contacts", { headers: { prefer: "odata.track-changes" } });
    await sandbox.control.changeMany({ table: "contact", count: 3, operation: "update", cells: { lastname: "N{n}" } });
    await sandbox.control.changeMany({ table: "contact", count: 1, skip: 4, operation: "delete" });
    const link: string = json["@odata.deltaLink"];
    const count = await caller.call("GET", link.replace("/contacts?", "/contacts/$count?"));
    expect(Number(count.text)).toBe(4);
  });

  it.each(["$filter=statecode eq 0", "$orderby=lastname", "$expand=parentcustomerid_account", "$top=3"])(
    "is refused with %s",
    async (option) => {
      const { caller } = await start(1);
      const { status, json } = await caller.call("GET", `contacts?${option}`, {
        headers: { prefer: "odata.track-changes" },
      });
      expect(status).toBe(400);
      expect(json.error.message).toBe(
        `The "${option.slice(1).split("=")[0]}" query parameter isn't supported when Change Tracking is enabled.`,
      );
    },
  );

  it("is refused for a table without change tracking", async () => {
    const { sandbox, caller } = await start(1);
    await sandbox.control.setChangeTracking({ table: "contact", enabled: false });
    const { status } = await caller.call("GET", "contacts", { headers: { prefer: "odata.track-changes" } });
    expect(status).toBe(400);
  });

  it("refuses a delta token that has expired, by order, by age, and after its column was dropped", async () => {
    let now = Date.UTC(2026, 0, 1);
    const sandbox = await startSandbox(
      { contacts: 2, now: () => now, tokenLifetimeSeconds: 30 * 86_400 },
      silentLogger,
    );
    open.push(sandbox);
    const caller = await dataverseCaller(sandbox);
    const link = async (): Promise<string> => {
      const { json } = await caller.call("GET", "contacts?$select=fax", { headers: { prefer: "odata.track-changes" } });
      return json["@odata.deltaLink"];
    };
    const expired = { status: 400, json: { error: { code: "0x80044352" } } };
    const byOrder = await link();
    await sandbox.control.expireDeltaTokens({ table: "contact" });
    expect(await caller.call("GET", byOrder)).toMatchObject(expired);
    const byAge = await link();
    now += 6.9 * 86_400_000;
    expect(await caller.call("GET", byAge)).toMatchObject({ status: 200 });
    now += 0.2 * 86_400_000;
    expect(await caller.call("GET", byAge)).toMatchObject(expired);
    const byColumn = await link();
    await sandbox.control.dropColumn({ table: "contact", column: "fax" });
    expect(await caller.call("GET", byColumn)).toMatchObject(expired);
  });

  it("does not show a column that was added after its first page, for its link keeps the old list", async () => {
    const { sandbox, caller } = await start(1);
    const { json } = await caller.call("GET", "contacts?$select=lastname", {
      headers: { prefer: "odata.track-changes" },
    });
    await sandbox.control.setColumn({ table: "contact", column: { name: "new_tier", type: "String" } });
    await sandbox.control.changeMany({ table: "contact", count: 1, operation: "update", cells: { new_tier: "gold" } });
    const delta = await caller.call("GET", json["@odata.deltaLink"]);
    expect(Object.keys(delta.json.value[0])).toEqual(["@odata.etag", "lastname", "contactid"]);
  });

  it("meets the live table in the end while others insert, update and delete after every page", async () => {
    const { sandbox, caller } = await start(60);
    const churn = { table: "contact", inserts: 2, updates: 4, deletes: 2, cells: { lastname: "Churn {n}" } };
    await sandbox.control.setPageChurn(churn);
    const mirror = new Mirror(caller, 7);
    for (let page = 0; page < 40; page += 1) await mirror.readPage();
    const before = await table(sandbox);
    expect([...before.values()].filter((name) => String(name).startsWith("Churn")).length).toBeGreaterThan(20);
    await sandbox.control.setPageChurn({ table: "contact" });
    await mirror.readUntilQuiet();
    expect(new Map([...mirror.lastNames].sort())).toEqual(new Map([...(await table(sandbox))].sort()));
    expect((await table(sandbox)).size).toBe(before.size);
  });

  it("ends a delta round at the version at which it began, whatever changes meanwhile", async () => {
    const { sandbox, caller } = await start(10);
    const headers = { prefer: "odata.track-changes,odata.maxpagesize=2" };
    const all = await caller.call("GET", "contacts?$select=fax", { headers: { prefer: "odata.track-changes" } });
    await sandbox.control.changeMany({ table: "contact", count: 6, operation: "update", cells: { fax: "{n}" } });
    await sandbox.control.setPageChurn({ table: "contact", updates: 4, cells: { fax: "late" } });
    let target: string | undefined = all.json["@odata.deltaLink"];
    const read: string[] = [];
    for (let page = 0; page < 4 && target !== undefined; page += 1) {
      const { json } = await caller.call("GET", target, { headers });
      read.push(...json.value.map((one: { fax: string }) => one.fax));
      target = json["@odata.nextLink"];
    }
    expect(target).toBeUndefined();
    expect(read).not.toContain("late");
  });
});
