/** What a folder of exports may hold and what may become of its server, and what a worker says of it. */
import { chmodSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startSftpServer, whyNoSftpServer } from "../sftp/sshd.ts";
import { EgressGround, header, line, mappingOf, names, poll } from "./egress-ground.ts";

const whyNot = await whyNoSftpServer();

describe.skipIf(whyNot !== undefined)("a worker of type Egress, before a hostile server", () => {
  let events: EgressGround;
  beforeEach(async () => {
    events = await EgressGround.make();
  });
  afterEach(() => events?.end());

  const contact = () => events.contacts[0];
  const made = () => events.count(names.send.table);

  it("reads what can be read of a folder, and says of each other file why not", async () => {
    const text = (id: number) => header + line(id, contact());
    const crlf = (of: string) => of.replaceAll("\n", "\r\n");
    // These can be read.
    events.put("délivrances d'été 20260715 (1).txt", text(1));
    events.put("crlf_and_mark_20260715.txt", `\uFEFF${crlf(text(2))}`);
    events.put("newline_in_value_20260715.txt", text(3).replace("Spring, again", 'Spring,\n""again""'));
    events.put("no_newline_at_end_20260715.txt", text(4).trimEnd());
    events.put("header_only_20260715.txt", header);
    events.put("empty_20260715.txt", "");
    events.put("from_the_future_20260715.txt", text(5));
    utimesSync(events.path("from_the_future_20260715.txt"), 4_000_000_000, 4_000_000_000);
    events.put("from_1970_20260715.txt", text(6));
    utimesSync(events.path("from_1970_20260715.txt"), 0, 0);
    events.put("broken_lines_20260715.txt", Buffer.from(`${text(7)}8,"a"b\n9,\xe9\nonly one\n`, "latin1"));
    // These cannot.
    events.put("semicolons_20260715.txt", text(20).replaceAll(",", ";"));
    events.put("utf16_20260715.txt", Buffer.from(text(21), "utf16le"));
    events.put("twice_20260715.txt", text(22).replace("deliveryName", "status"));
    events.put("lacks_20260715.txt", text(23).replace("failureType", "type"));
    events.put("latin1_header_20260715.txt", Buffer.from(text(24).replace("deliveryName", "n\xe9e"), "latin1"));
    events.put("denied_20260715.txt", text(25));
    chmodSync(events.path("denied_20260715.txt"), 0o600); // The tests' own user wrote it, who is not the server's.
    events.put("recipients_20260715.txt", "email,firstName\na@example.com,A\n");
    writeFileSync(Buffer.concat([Buffer.from(`${events.path("")}/`), Buffer.from("caf\xe9.txt", "latin1")]), text(26));
    // These are no files.
    mkdirSync(events.path("archive_20260715.txt"));
    symlinkSync(events.path("semicolons_20260715.txt"), events.path("link_20260715.txt"));

    const worker = events.start();
    await poll(made).toBe(6);
    const files = async () => (await mappingOf(worker, "exports"))?.files;
    await poll(files).toMatchObject({ read: 8, waiting: 1, incomplete: 5, denied: 2, other: 1 });
    expect(await mappingOf(worker, "exports")).toMatchObject({ deadLettered: 3 });
    expect(await files()).toMatchObject({
      newestTime: "2096-10-02T07:06:40.000Z",
      message: expect.stringContaining("and 4 more"),
    });
    const why = Object.fromEntries(
      worker
        .logged("export.read")
        .flatMap(({ file, ending, why: told }) =>
          ending === "Incomplete" || ending === "Denied" ? [[String(file), told]] : [],
        ),
    );
    expect(why).toEqual({
      "semicolons_20260715.txt": expect.stringContaining("campaign.sftp.format.delimiter seems to be another"),
      "utf16_20260715.txt": expect.stringContaining("campaign.sftp.format.encoding seems to be another"),
      "twice_20260715.txt": "it has more than one column status",
      "lacks_20260715.txt": "it lacks the columns failureType",
      "latin1_header_20260715.txt": "its first line is no text in the encoding of campaign.sftp.format.encoding",
      "denied_20260715.txt": expect.stringContaining("the user may not read it"),
      "caf\uFFFD.txt": "its name is not UTF-8, so it cannot be asked for",
    });
    // What is so round after round is told once.
    const told = worker.logged("export.read").length;
    events.put("delivery_logs_20260716.txt", header + line(30, contact()));
    await poll(made).toBe(7);
    await poll(() => worker.logged("export.read").length - told).toBe(1);
    expect(worker.logged("export.read").map(({ file }) => file)).not.toContain("link_20260715.txt");
    await poll(async () => (await worker.get("/readyz")).status).toBe(200);
    expect((await worker.get("/metrics")).body).toContain('integration_workflow_worker_files{state="incomplete"} 5');
  });

  it("goes on after the server was gone, and ends with 78 when another one with another key answers in its place", async () => {
    events.put("delivery_logs_20260715_1.txt", header + line(1, contact()));
    const worker = events.start();
    await poll(made).toBe(1);
    events.leadTo(1);
    await poll(async () => (await worker.get("/readyz")).body).toContain("SftpUnreachable");
    events.leadTo(events.server.port);
    events.put("delivery_logs_20260715_2.txt", header + line(2, contact()));
    await poll(made).toBe(2);
    await poll(async () => (await worker.get("/readyz")).status).toBe(200);
    const other = await startSftpServer();
    try {
      events.leadTo(other.port);
      expect(await worker.exit()).toBe(78);
      expect(worker.lastWords()).toMatchObject({
        reason: "HostKeyMismatch",
        message: expect.stringContaining("write it into campaign.sftp.hostKey"),
      });
    } finally {
      await other.stop();
    }
  });

  it("makes what is queued while the server says nothing, and is not ready meanwhile", async () => {
    const { control } = events.ground.sandbox;
    await control.addFault({
      side: "dataverse",
      pathPattern: "batch",
      action: { kind: "status", status: 503, body: "" },
    });
    events.put("delivery_logs_20260715_1.txt", header + line(1, contact()) + line(2, contact()));
    const worker = events.start();
    await poll(async () => (await worker.status()).backlog).toBe(2);
    const mute = createServer(() => {});
    await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
    try {
      events.leadTo((mute.address() as AddressInfo).port); // A TCP server's address is no string.
      await poll(async () => (await worker.get("/readyz")).body).toContain("SftpTimedOut");
      await control.clearFaults();
      await poll(made).toBe(2);
      expect((await worker.get("/readyz")).body).toContain("Sftp");
      expect(await worker.stop()).toBe(0);
    } finally {
      mute.close();
    }
  });

  it("ends with 78 when its password is no longer the server's, and goes on where it was with the right one", async () => {
    events.put("delivery_logs_20260715_1.txt", header + line(1, contact()));
    const worker = events.start();
    await poll(made).toBe(1);
    await poll(() => worker.logged("export.read")).toHaveLength(1);
    events.mount("password", "the old one");
    events.leadTo(events.server.port);
    expect(await worker.exit()).toBe(78);
    expect(worker.lastWords()).toMatchObject({
      reason: "CredentialsRejected",
      message: expect.stringMatching(/campaign\.sftp\.credentialsSecretRef.*check campaign\.sftp\.username/),
    });
    expect(worker.log).not.toContain("the old one");
    events.put("delivery_logs_20260715_2.txt", header + line(2, contact()));
    const again = events.start();
    events.mount("password", events.server.password);
    await poll(made).toBe(2);
    await poll(() => again.logged("export.read").map(({ file }) => file)).toEqual(["delivery_logs_20260715_2.txt"]);
  });
});
