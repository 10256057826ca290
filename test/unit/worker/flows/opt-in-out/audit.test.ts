import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type AuditRecord, auditOf, auditOfOutcome } from "../../../../../src/worker/flows/opt-in-out/audit.ts";
import { AuditLog } from "../../../../../src/worker/flows/opt-in-out/audit-log.ts";
import type { DynamicsReading } from "../../../../../src/worker/flows/opt-in-out/contact.ts";
import { decide, type Situation } from "../../../../../src/worker/flows/opt-in-out/decide.ts";
import { noVolumes, SmallVolume } from "../../queue/small-volume.ts";

const now = new Date("2026-11-22T12:00:00Z");
const modifiedAt = Date.parse("2026-11-22T10:00:00Z");
const dynamics: DynamicsReading = {
  state: "Read",
  fresh: true,
  version: 7n,
  modifiedAt,
  values: new Map([
    ["denyListEmail", true],
    ["denyListPhone", false],
  ]),
};
const situation: Situation = {
  direction: "Bidirectional",
  fields: ["denyListEmail", "denyListPhone"],
  agreement: {
    values: new Map([
      ["denyListEmail", true],
      ["denyListPhone", false],
    ]),
    unanswered: new Set(),
    profileCreated: "p",
    ownWrite: { version: 7n, foreignModifiedAt: modifiedAt - 86_400_000 },
  },
  dynamics,
  campaign: {
    state: "Read",
    fresh: true,
    profileCreated: "p",
    values: new Map([
      ["denyListEmail", { value: false, changedAt: modifiedAt - 3_600_000 }],
      ["denyListPhone", { value: false, changedAt: undefined }],
    ]),
  },
};

function recordsOf(one: Situation) {
  const decision = decide(one);
  return decision.kind === "Read" ? [] : auditOf("c1", one, decision, now);
}

describe("a record of the audit", () => {
  it("has both sides' values and times, what was agreed, what is decided and why; an unchanged field has none", () => {
    expect(recordsOf(situation)).toEqual([
      {
        at: "2026-11-22T12:00:00.000Z",
        event: "Decided",
        contact: "c1",
        field: "denyListEmail",
        direction: "Bidirectional",
        agreed: true,
        dynamics: {
          state: "Read",
          value: true,
          modifiedOn: "2026-11-22T10:00:00.000Z",
          countedAs: "2026-11-21T10:00:00.000Z",
        },
        campaign: { state: "Read", value: false, changedAt: "2026-11-22T09:00:00.000Z" },
        decided: false,
        written: "Dynamics",
        rule: "CampaignLater",
        because: expect.stringContaining("Campaign prevails"),
      },
    ]);
  });

  it("says that an opt-out waits for a profile", () => {
    const [email, phone] = recordsOf({ ...situation, campaign: { state: "Missing" } });
    expect(email).toMatchObject({ decided: true, written: "Parked", rule: "ProfileMissing" });
    expect(phone).toMatchObject({ decided: false, written: null, rule: "ProfileMissing" });
  });

  it("is not made where nothing is moved", () => {
    expect(recordsOf({ ...situation, direction: "Disabled" })).toEqual([]);
  });
});

describe("the audit's files", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "audit-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const at = (day: string, contact = "c1") => auditOfOutcome(contact, "Campaign", "Done", new Date(`${day}T23:59:59Z`));
  const folder = () => join(directory, "audit");
  const path = (day: string) => join(folder(), `opt-outs-${day}.jsonl`);
  const open = (retentionDays = 400) => new AuditLog({ directory: folder(), retentionDays });
  const linesOf = (day: string) =>
    readFileSync(path(day), "utf8")
      .split("\n")
      .filter((line) => line !== "");
  const contactsOf = (day: string) => linesOf(day).map((line) => (JSON.parse(line) as AuditRecord).contact);

  it("are one a day, and nobody else's to read", async () => {
    const audit = open();
    await audit.append([at("2026-11-21"), at("2026-11-22", "c2")]);
    await audit.append([at("2026-11-22", "c3")]);
    await audit.close();
    expect(contactsOf("2026-11-21")).toEqual(["c1"]);
    expect(contactsOf("2026-11-22")).toEqual(["c2", "c3"]);
    expect(statSync(path("2026-11-22")).mode & 0o777).toBe(0o600);
    expect(statSync(folder()).mode & 0o777).toBe(0o700);
  });

  it("have a record when its append has resolved, and keep the order of appends that are made at once", async () => {
    const audit = open();
    const contacts = Array.from({ length: 200 }, (_, n) => `c${n}`);
    const appends = contacts.map(async (contact) => {
      await audit.append([at("2026-11-22", contact)]);
      expect(contactsOf("2026-11-22")).toContain(contact);
    });
    await Promise.all(appends);
    expect(contactsOf("2026-11-22")).toEqual(contacts);
    await audit.close();
  });

  it("go when they are older than the retention, and other files stay", async () => {
    mkdirSync(folder());
    for (const name of ["opt-outs-2026-11-19.jsonl", "opt-outs-2026-11-20.jsonl", "notes.txt"])
      writeFileSync(join(folder(), name), "");
    const audit = open(2);
    await audit.append([at("2026-11-22")]);
    expect(readdirSync(folder()).sort()).toEqual([
      "notes.txt",
      "opt-outs-2026-11-20.jsonl",
      "opt-outs-2026-11-22.jsonl",
    ]);
    await audit.append([at("2026-11-23")]);
    expect(readdirSync(folder())).not.toContain("opt-outs-2026-11-20.jsonl");
    await audit.close();
  });

  it("go on behind half a line that a crash left, on a line of its own", async () => {
    const before = open();
    await before.append([at("2026-11-22"), at("2026-11-22", "c2")]);
    await before.close();
    truncateSync(path("2026-11-22"), statSync(path("2026-11-22")).size - 10);
    const audit = open();
    await audit.append([at("2026-11-22", "c3")]);
    await audit.close();
    const lines = linesOf("2026-11-22");
    expect(lines).toHaveLength(3);
    expect(JSON.parse(lines[2] ?? "")).toMatchObject({ contact: "c3" });
  });

  it.skipIf(noVolumes !== undefined)(
    "refuse a record while the volume is full, and take the next when there is room",
    async () => {
      const volume = new SmallVolume(directory, "1m");
      try {
        const audit = open();
        await audit.append([at("2026-11-22")]);
        volume.fill();
        const many = Array.from({ length: 100 }, (_, n) => at("2026-11-22", `lost ${n}`));
        await expect(audit.append(many)).rejects.toMatchObject({ code: "ENOSPC" });
        volume.makeRoom();
        await audit.append([at("2026-11-22", "c2")]);
        await audit.close();
        const lines = linesOf("2026-11-22");
        expect(JSON.parse(lines[0] ?? "")).toMatchObject({ contact: "c1" });
        expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ contact: "c2" });
      } finally {
        volume.unmount();
      }
    },
  );
});
