import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/telemetry/clock.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { ExportsReader } from "../../../src/worker/exports/reader.ts";
import type { ExportsStore, Portion } from "../../../src/worker/exports/store.ts";
import type { FileProgress } from "../../../src/worker/flows/egress/files.ts";
import { SftpServer as SftpClient } from "../../../src/worker/sftp/client.ts";
import { type Relay, startRelay } from "../sftp/relay.ts";
import { type SftpServer, startSftpServer, whyNoSftpServer } from "../sftp/sshd.ts";

const whyNot = await whyNoSftpServer();
if (whyNot !== undefined) console.log(`the tests against a real SFTP server are skipped: ${whyNot}`);

/** A store in memory, that can fail as one on a volume does. */
class Notes implements ExportsStore {
  readonly files = new Map<string, FileProgress>();
  readonly ids: string[] = [];
  readonly refused: string[] = [];
  readonly texts = new Set<string>();
  failsAfter = Number.POSITIVE_INFINITY;

  progress() {
    return Promise.resolve([...this.files.values()]);
  }

  keep({ file, rows }: Portion) {
    this.failsAfter -= 1;
    if (this.failsAfter < 0) return Promise.reject(new Error("the volume is full"));
    this.files.set(file.name, file);
    for (const { line, content } of rows) {
      if (typeof content === "string") this.refused.push(`${file.name}:${line} ${content}`);
      else {
        this.ids.push(content["id"] ?? "");
        this.texts.add(content["text"] ?? "");
      }
    }
    return Promise.resolve();
  }
}

describe.skipIf(whyNot !== undefined)("the exports on a real SFTP server", () => {
  const patient = new AbortController().signal;
  let server: SftpServer;
  let relay: Relay;
  let folder: string;
  let secret: string;
  let sftp: SftpClient;
  let store: Notes;
  let reader: ExportsReader;
  let nowMs: number;

  beforeAll(async () => {
    server = await startSftpServer();
    relay = await startRelay(server.port);
    secret = mkdtempSync(join(tmpdir(), "exports-secret-"));
    writeFileSync(join(secret, "privateKey"), server.privateKey);
  });
  afterAll(async () => {
    await relay?.close();
    await server?.stop();
    rmSync(secret, { recursive: true, force: true });
  });
  beforeEach(() => {
    folder = join(server.home, "exports");
    mkdirSync(folder);
    sftp = new SftpClient({
      address: { host: "127.0.0.1", port: relay.port, username: server.username, hostKey: server.hostKey },
      credentials: { side: "campaign.sftp", directory: secret, secretName: "campaign-sftp" },
      timeoutSeconds: 20,
      clock: systemClock,
      random: () => 0.99,
      logger: silentLogger,
    });
    store = new Notes();
    nowMs = 0;
    start();
  });
  afterEach(async () => {
    await sftp.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A worker's life begins: what was seen is forgotten, what was kept is not. */
  function start(delimiter = ","): void {
    reader = new ExportsReader({
      sftp,
      folder: "exports",
      format: { delimiter, encoding: "utf-8" },
      store,
      headerOf: ([first = ""]) => (first === "id" ? "Export" : first === "ids" ? { incomplete: "poor" } : "Other"),
      nowMs: () => nowMs,
      logger: silentLogger,
    });
  }

  const path = (name: string) => join(folder, name);
  const put = (name: string, text: string) => writeFileSync(path(name), text);
  const round = async () => (await reader.round(patient)).endings;
  /** Two listings, so far apart that what stands still is ready. */
  async function settled(seconds = 60) {
    await round();
    nowMs += seconds * 1000;
    return await round();
  }
  const lines = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, index) => `${from + index},${"x".repeat(90)}\n`).join("");
  const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => String(from + index));

  it("are read once they stood still for a minute, in the order of the times in their names, once", async () => {
    put("tracking_20260301_080000.txt", "id\n3\n");
    put("delivery_20260301_070000.txt", "id\n2\n");
    put("zzz_20260228_230000.txt", "id\n1\n");
    put("none.txt", "id\n4\n");
    expect(await round()).toEqual({});
    nowMs += 59_000;
    expect(await round()).toEqual({});
    nowMs += 1000;
    await round();
    expect(store.ids).toEqual(["1", "2", "3", "4"]);
    expect(await settled()).toEqual({});
    start();
    expect(await settled()).toEqual({});
    expect(store.ids).toHaveLength(4);
    expect(readFileSync(path("none.txt"), "utf8")).toBe("id\n4\n");
  });

  it("wait while they are being written, and for the rest of a last line", async () => {
    put("a.txt", "id\n1\n");
    await round();
    nowMs += 60_000;
    appendFileSync(path("a.txt"), "2\n12");
    expect(await round()).toEqual({});
    nowMs += 60_000;
    expect(await round()).toEqual({ "a.txt": "Waits" });
    expect(store.ids).toEqual(["1", "2"]);
    appendFileSync(path("a.txt"), "3\n4");
    expect(await settled()).toEqual({ "a.txt": "Waits" });
    expect(store.ids).toEqual(["1", "2", "1", "2", "123"]);
    nowMs += 840_000;
    expect(await round()).toEqual({ "a.txt": "Done" });
    expect(store.ids.at(-1)).toBe("4");
  });

  it("lose no line and repeat none when the connection is cut in the middle of a file, however often", async () => {
    put("big.txt", `id,text\n${lines(0, 30_000)}`);
    let lives = 0;
    for (let ending: unknown; ending !== "Done"; ) {
      lives += 1;
      expect(lives).toBeLessThan(20);
      if (lives % 2 === 1) {
        start();
        await round();
      }
      nowMs += 60_000;
      relay.cutAfter(600_000 + lives * 300_000);
      ending = (await round().catch(() => ({ "big.txt": "cut" })))["big.txt"];
    }
    relay.cutAfter(Number.POSITIVE_INFINITY);
    expect(lives).toBeGreaterThan(2);
    expect(store.ids).toEqual(numbers(0, 30_000));
  });

  it("go on behind what the store kept when it fails", async () => {
    put("big.txt", `id,text\n${lines(0, 20_000)}`);
    store.failsAfter = 2;
    await expect(settled()).rejects.toThrow("the volume is full");
    expect(store.ids.length).toBeGreaterThan(1000);
    store.failsAfter = Number.POSITIVE_INFINITY;
    start();
    expect(await settled()).toEqual({ "big.txt": "Done" });
    expect(store.ids).toEqual(numbers(0, 20_000));
  });

  it("lose nothing when a worker that is told another delimiter comes in the middle of a file", async () => {
    put("a.txt", `id,text\n${lines(0, 20_000)}`);
    store.failsAfter = 2;
    await expect(settled()).rejects.toThrow();
    store.failsAfter = Number.POSITIVE_INFINITY;
    start(";");
    expect(await settled()).toEqual({ "a.txt": "Other" });
    start();
    expect(await settled()).toEqual({ "a.txt": "Done" });
    expect(store.refused).toEqual([]);
    expect(store.ids).toEqual(numbers(0, 20_000));
  });

  it("are read from their start when they are overwritten, also behind the reader's back", async () => {
    put("a.txt", "id\n1\n2\n");
    await settled();
    put("a.txt", "id\n1\n2\n3\n");
    expect(await settled()).toEqual({ "a.txt": "Done" });
    expect(store.ids).toEqual(["1", "2", "1", "2", "3"]);

    put("b.txt", `id,text\n${lines(0, 20_000)}`);
    store.failsAfter = 2;
    await expect(settled()).rejects.toThrow();
    store.failsAfter = Number.POSITIVE_INFINITY;
    store.ids.length = 0;
    const { mtime } = statSync(path("b.txt"));
    put("b.txt", `id,text\n${lines(20_000, 40_000).slice(0, statSync(path("b.txt")).size - 8)}`);
    utimesSync(path("b.txt"), mtime, mtime);
    start();
    await settled();
    expect(store.ids.slice(0, 2)).toEqual(["20000", "20001"]);
  });

  it("are not taken for done when they change while they are read", async () => {
    put("a.txt", `id,text\n${lines(0, 20_000)}`);
    await round();
    nowMs += 60_000;
    const keep = store.keep.bind(store);
    store.keep = (portion) => {
      store.keep = keep;
      appendFileSync(path("a.txt"), lines(20_000, 20_001));
      return keep(portion);
    };
    expect(await round()).toEqual({ "a.txt": "Changed" });
    expect(await settled()).toEqual({ "a.txt": "Done" });
    expect(new Set(store.ids)).toEqual(new Set(numbers(0, 20_001)));
  });

  it("make no line of two contents when they are overwritten in place between two reads", async () => {
    put("a.txt", `id,text\n${lines(0, 20_000)}`);
    await round();
    nowMs += 60_000;
    const keep = store.keep.bind(store);
    store.keep = (portion) => {
      store.keep = keep;
      writeFileSync(path("a.txt"), `id,text\n${lines(0, 20_000).replaceAll("x", "yz")}`, { flag: "r+" });
      return keep(portion);
    };
    expect(await round()).toEqual({ "a.txt": "Changed" });
    expect(await settled()).toEqual({ "a.txt": "Done" });
    expect(store.refused).toEqual([]);
    expect([...store.texts].filter((text) => !/^(?:x{90}|(?:yz){90})$/.test(text))).toEqual([]);
  });

  it("are not taken for done when another file takes their place while they are read", async () => {
    put("a.txt", "id\n1\n2\n");
    await round();
    nowMs += 60_000;
    const keep = store.keep.bind(store);
    store.keep = (portion) => {
      store.keep = keep;
      put("new.part", "id\n3\n4\n");
      utimesSync(path("new.part"), 2_000_000_000, 2_000_000_000);
      renameSync(path("new.part"), path("a.txt"));
      return keep(portion);
    };
    expect(await round()).toEqual({ "a.txt": "Changed" });
    expect(await settled()).toEqual({ "a.txt": "Done" });
    expect(store.ids).toEqual(["1", "2", "3", "4"]);
  });

  it("are known again under another name, and gone ones disturb nobody", async () => {
    put("a.txt", "id\n1\n2\n");
    await settled();
    renameSync(path("a.txt"), path("b.txt"));
    copyFileSync(path("b.txt"), path("c.txt"));
    put("d.txt", "id\n3\n4\n");
    expect(await settled()).toEqual({ "b.txt": "Done", "c.txt": "Done", "d.txt": "Done" });
    expect(store.ids).toEqual(["1", "2", "3", "4"]);
    put("e.txt", "id\n5\n");
    put("f.txt", "id\n6\n");
    await round();
    nowMs += 60_000;
    const progress = store.progress.bind(store);
    store.progress = () => {
      rmSync(path("e.txt"));
      store.progress = progress;
      return progress();
    };
    expect(await round()).toEqual({ "e.txt": "Changed", "f.txt": "Done" });
    expect(store.ids.at(-1)).toBe("6");
  });

  it("that the server does not give away hold up no other", async () => {
    put("a_20260101.txt", "id\n1\n");
    chmodSync(path("a_20260101.txt"), 0o600); // The tests' own user wrote it, who is not the server's.
    put("b_20260102.txt", "id\n2\n");
    expect(await settled()).toEqual({ "a_20260101.txt": "Denied", "b_20260102.txt": "Done" });
    chmodSync(path("a_20260101.txt"), 0o644);
    expect(await round()).toEqual({ "a_20260101.txt": "Done" });
    expect(store.ids).toEqual(["2", "1"]);
  });

  it("lose broken lines one by one, with their numbers", async () => {
    put("a.txt", 'id,text\n1,"a\nb"\n2,"broken\n3,c,d\n4,\xe9\n5,"e"\n');
    writeFileSync(path("a.txt"), Buffer.from(readFileSync(path("a.txt"), "utf8"), "latin1"));
    await settled();
    expect(store.ids).toEqual(["1", "5"]);
    expect(store.refused).toEqual(["a.txt:4 QuoteBroken", "a.txt:5 ColumnCount", "a.txt:6 NotInEncoding"]);
  });

  it("that are of another kind or lack columns are left alone, until they change or a worker with another configuration comes", async () => {
    put("other.txt", "email\na@example.com\n");
    put("poor.txt", "ids\n1\n");
    put("empty.txt", "");
    expect(await settled()).toEqual({ "other.txt": "Other", "poor.txt": "Incomplete", "empty.txt": "Done" });
    expect(await settled()).toEqual({});
    start();
    expect(await settled()).toEqual({ "other.txt": "Other", "poor.txt": "Incomplete" });
    put("poor.txt", "id\n1\n2\n");
    expect(await settled()).toEqual({ "poor.txt": "Done" });
    expect(store.ids).toEqual(["1", "2"]);
  });
});
