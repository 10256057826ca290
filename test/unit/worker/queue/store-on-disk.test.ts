import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { prepare } from "../../../../src/worker/engine/transitions.ts";
import { applicationId, migrations } from "../../../../src/worker/queue/sqlite/schema.ts";
import { recordsPerPage, upsert } from "./pages.ts";
import { commit, known, leaseOne, QueueGround } from "./queue-ground.ts";

let ground: QueueGround;
beforeEach(() => {
  ground = new QueueGround();
});
afterEach(() => ground.end());

describe("the store on disk", () => {
  const owner = {
    organizationId: "org-1",
    campaignUrl: "https://mc.adobe.io/contoso/campaign",
    workflow: { name: "contacts", namespace: "crm", uid: "1" },
  };

  it("goes on for the same workflow under a new uid, and for nobody else", async () => {
    const queue = await ground.open();
    await queue.claim(owner);
    await queue.claim({ ...owner, workflow: { ...owner.workflow, uid: "2" } });
    const code = "StoreBelongsToAnother";
    await expect(queue.claim({ ...owner, organizationId: "org-2" })).rejects.toMatchObject({ code });
    await expect(queue.claim({ ...owner, campaignUrl: "https://other.example" })).rejects.toMatchObject({ code });
    const other = { ...owner, workflow: { ...owner.workflow, name: "leads" } };
    await expect(queue.claim(other)).rejects.toThrow(/workflow crm\/contacts, not crm\/leads/);
  });

  it("refuses a store of a newer version, and one that is something else", async () => {
    await (await ground.open()).close();
    const path = join(ground.directory, "queue.db");
    const database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 99; UPDATE meta SET value = '99' WHERE key = 'oldest_reader'");
    database.close();
    await expect(ground.open()).rejects.toMatchObject({ code: "StoreTooNew" });
    writeFileSync(path, "this is not a database, and long enough to be looked at as one".repeat(100));
    await expect(ground.open()).rejects.toMatchObject({ code: "StoreUnreadable" });
  });

  it("uses a store of a newer version that says it can be used by older programs", async () => {
    await (await ground.open()).close();
    const database = new DatabaseSync(join(ground.directory, "queue.db"));
    database.exec("PRAGMA user_version = 98");
    database.close();
    expect(await (await ground.open()).checkpoints()).toEqual([]);
  });

  it("brings a store of the first version on, with a pause and a deletion that it held", async () => {
    const database = new DatabaseSync(join(ground.directory, "queue.db"));
    database.exec(migrations[0] ?? "");
    database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = 1;
      INSERT INTO meta VALUES ('fingerprint_key', 'k');
      INSERT INTO checkpoint (mapping, mapping_hash, generation, replay, pause_reason, pause_message, pause_since)
        VALUES ('contact', 'h.h', 1, 'once', 'MassDeletion', 'many', 1);
      INSERT INTO counters (mapping) VALUES ('contact');
      INSERT INTO pending (mapping, id, operation, generation, first_read_at, ready_at) VALUES ('contact', 'a', 1, 1, 1, 1)`);
    database.close();
    const queue = await ground.open();
    expect(await queue.checkpoints()).toMatchObject([{ replay: "once", pause: { replay: "once" } }]);
    const record = await leaseOne(queue);
    expect(record).toMatchObject({ id: "a", operation: "Upsert" });
    expect(record).not.toHaveProperty("version");
  });

  it("does not know when an older program wrote a record", async () => {
    const database = new DatabaseSync(join(ground.directory, "queue.db"));
    for (const migration of migrations.slice(0, 2)) database.exec(migration);
    database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = 2;
      INSERT INTO meta VALUES ('fingerprint_key', 'k');
      INSERT INTO written (mapping, id, certainty, version, generation, seen) VALUES ('contact', 'a', 0, 5, 1, 1)`);
    database.close();
    const queue = await ground.open();
    const [found] = await queue.records.look("contact", { id: "a", targetKey: "a" });
    expect(found).toMatchObject({ foundBy: ["Id", "TargetKey"], written: { version: 5n } });
    expect(found?.written).not.toHaveProperty("writtenAt");
  });

  it("takes up what was parked and an older program, which knows of no parking, had", async () => {
    const queue = await ground.open();
    await commit(queue, [upsert("c", 1n)]);
    const record = await leaseOne(queue);
    await queue.askParents(record, [{ mapping: "account", id: "a", isMandatory: true, onlyIfOwed: false }]);
    await queue.settle(record, { kind: "Park" });
    expect((await queue.counts()).get("contact")).toMatchObject({ pending: 1, parked: 1 });
    await queue.close();
    const database = new DatabaseSync(join(ground.directory, "queue.db"));
    database.exec("UPDATE pending SET token = 1, ready_at = first_read_at + 1000 WHERE parked = 1");
    database.close();
    const next = await ground.open();
    expect((await next.counts()).get("contact")).toMatchObject({ pending: 1, parked: 0 });
    expect((await leaseOne(next)).id).toBe("c");
  });

  it("goes on with nothing of a mapping whose drop was interrupted", async () => {
    const queue = await ground.open();
    await commit(queue, [upsert("a", 1n)]);
    const dropped = queue.dropMapping("contact").catch((error: unknown) => error);
    await queue.close();
    expect(await dropped).toBeInstanceOf(Error);
    const [left] = await (await ground.open()).checkpoints();
    expect(left).toBeDefined();
    if (left !== undefined) expect(prepare(left, "h.h")).toEqual({ kind: "StartOver" });
  });

  it("holds nothing of a payload once it is written and the log truncated", async () => {
    const queue = await ground.open();
    await commit(queue, [upsert("a", 1n, '{"email":"jane.doe@example.com"}')]);
    const record = await leaseOne(queue);
    await queue.settle(record, { kind: "Written", written: known(record), sent: true });
    await queue.close();
    for (const file of ["queue.db", "queue.db-wal"]) {
      const bytes = readIfThere(join(ground.directory, file));
      expect(bytes.includes("jane.doe"), file).toBe(false);
    }
  });

  it("loses no committed page and tears none, however often its process is killed", async () => {
    let committed = -1;
    for (let kill = 0; kill < 6; kill++) {
      committed = await killWhileWriting(ground.directory, committed + 1);
      const queue = await ground.open();
      const [checkpoint] = await queue.checkpoints();
      const pages = Number(checkpoint?.snapshot?.nextLink?.replace("after-", ""));
      // The last one may be on disk and not yet have been told.
      expect([committed, committed + 1]).toContain(pages);
      expect((await queue.counts()).get("contact")?.pending).toBe((pages + 1) * recordsPerPage);
      committed = pages;
      await queue.close();
    }
  });

  it("lets a second process wait, and has it at once when the first was killed", async () => {
    const first = spawnWriter(ground.directory, 0);
    await once(first.stdout, "data");
    await expect(ground.open(AbortSignal.timeout(800))).rejects.toThrow(/timeout/i);
    const waiting = ground.open();
    first.kill("SIGKILL");
    await waiting;
  });
});

function readIfThere(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}

function spawnWriter(store: string, from: number) {
  const args = [fileURLToPath(new URL("./crash-writer.ts", import.meta.url)), store, String(from)];
  return spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
}

/** @returns the last page that the process said was on disk */
async function killWhileWriting(store: string, from: number): Promise<number> {
  const writer = spawnWriter(store, from);
  let told = "";
  await new Promise<void>((resolve) => {
    writer.stdout.on("data", (chunk: Buffer) => {
      told += chunk.toString();
      if (told.split("\n").length > 15) resolve();
    });
  });
  writer.kill("SIGKILL");
  await once(writer, "close");
  const pages = told
    .split("\n")
    .slice(0, -1)
    .filter((line) => line !== "open");
  return Number(pages.at(-1) ?? from - 1);
}
