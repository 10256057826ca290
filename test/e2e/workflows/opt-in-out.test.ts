import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { WorkflowStatus } from "../../../src/api/integration-workflow.ts";
import { hurried, startExports } from "./exports.ts";
import { type Ground, prepareGround } from "./ground.ts";
import { killProcesses } from "./processes.ts";
import { pods, untilStatus, workflow } from "./workflow.ts";

const name = "opt-outs";
const patience = { timeout: 120_000, interval: 200 };
const mappings = [
  { column: "donotbulkemail", field: "denyListEmail" },
  { column: "donotphone", field: "denyListPhone" },
] as const;
type Pair = (typeof mappings)[number];
const [email, phone] = mappings;

/** A sandbox's contacts, each with a profile, and the workflow between them. */
class World {
  readonly ground: Ground;
  readonly ids: readonly string[];

  private constructor(ground: Ground, ids: readonly string[]) {
    this.ground = ground;
    this.ids = ids;
  }

  /** @param optedOut for each contact, whether it is opted out of everything, on both sides */
  static async make(namespace: string, optedOut: readonly boolean[]): Promise<World> {
    const ground = await prepareGround(namespace);
    const rows = optedOut.map((is, n) => ({
      cells: { lastname: `Contact ${n}`, donotbulkemail: is, donotphone: is },
    }));
    const ids = await ground.sandbox.insertRows({ table: "contact", rows });
    const records = ids.map((externalId, n) => {
      const is = optedOut[n] ?? false;
      return { externalId, denyListEmail: is, denyListPhone: is };
    });
    await ground.sandbox.insertRecords({ resource: "profile", records });
    await ground.sandbox.setWriteLog({ enabled: true });
    await ground.sandbox.clearWriteLog();
    return new World(ground, ids);
  }

  contact(index: number): string {
    return this.ids[index] ?? "";
  }

  inDynamics(id: string, cells: Record<string, boolean | string>): Promise<void> {
    return this.ground.sandbox.updateRows({ table: "contact", rows: [{ id, cells }] });
  }

  inCampaign(id: string, values: Record<string, boolean>): Promise<void> {
    return this.ground.sandbox.updateRecord({ resource: "profile", key: id, values });
  }

  /** What each system says of an opt-out. */
  async says(id: string, { column, field }: Pair) {
    const { row, profile } = await this.#both(id);
    return { dynamics: row.cells[column], campaign: profile.values[field] ?? false };
  }

  /** When an opt-out of a profile changed last. */
  async changedAt(id: string, { field }: Pair): Promise<number> {
    const { profile } = await this.#both(id);
    return profile.changedAt?.[field] ?? 0;
  }

  async #both(id: string) {
    const { sandbox } = this.ground;
    const row = await sandbox.row({ table: "contact", id });
    const [profile] = await sandbox.findRecords({ resource: "profile", key: id });
    if (row === undefined || profile === undefined) throw new Error(`${id} is not on both sides`);
    return { row, profile };
  }

  async untilSaid(id: string, pair: Pair, value: boolean): Promise<void> {
    const alike = { dynamics: value, campaign: value };
    await vi.waitFor(async () => expect(await this.says(id, pair)).toEqual(alike), patience);
  }

  /** Who is opted out of anything on either side. */
  async optedOut(): Promise<readonly string[]> {
    const found: string[] = [];
    for (const [index, id] of this.ids.entries()) {
      for (const pair of mappings) {
        const { dynamics, campaign } = await this.says(id, pair);
        if (dynamics === true) found.push(`${index} ${pair.column}`);
        if (campaign === true) found.push(`${index} ${pair.field}`);
      }
    }
    return found;
  }

  async start(source: "Poll" | "Export", sftp?: object): Promise<void> {
    const { campaignUrl, dynamicsUrl, kubectl } = this.ground;
    await kubectl.apply({
      apiVersion: "integrationworkflow.io/v1",
      kind: "IntegrationWorkflow",
      metadata: { name },
      spec: {
        state: "Running",
        type: "OptInOut",
        dynamics: { url: dynamicsUrl, credentialsSecretRef: { name: "dynamics" } },
        campaign: {
          url: campaignUrl,
          credentialsSecretRef: { name: "campaign" },
          engineCallsPerSecond: 100,
          ...(sftp === undefined ? {} : { sftp }),
        },
        optInOut: { direction: "Bidirectional", source, mappings },
        worker: { template: { env: hurried } },
      },
    });
    await untilStatus(
      kubectl,
      name,
      "all contacts read and decided",
      ({ state, backlog, mappings: [contacts] = [] }) =>
        state === "RUNNING" && backlog === 0 && (contacts?.read ?? 0) >= this.ids.length,
    );
  }

  /** Does something to one contact, and waits until the worker has read it and has decided. */
  async untilRead(change: () => Promise<void>): Promise<void> {
    const { kubectl } = this.ground;
    const read = ({ mappings: [contacts] = [] }: WorkflowStatus) => contacts?.read ?? 0;
    const before = read((await workflow(kubectl, name)).status);
    await change();
    await untilStatus(kubectl, name, "it is read", (status) => read(status) > before && status.backlog === 0);
  }

  /** Waits until nothing waits any more. */
  async untilDecided(): Promise<void> {
    await untilStatus(this.ground.kubectl, name, "no backlog", ({ backlog }) => backlog === 0);
  }

  /** The audit's decisions of a contact, oldest first, by the command of docs/explanation/opt-in-out.md. */
  async audit(id: string): Promise<readonly Decision[]> {
    const program = `
      const fs = require("fs"), d = "/var/lib/integration-workflow/opt-out-audit/";
      for (const f of fs.readdirSync(d).sort()) process.stdout.write(fs.readFileSync(d + f))`;
    const text = await this.ground.kubectl.run(["exec", `deploy/${name}`, "--", "/nodejs/bin/node", "-e", program]);
    const lines = text.split("\n").filter((line) => line !== "");
    // The audit's own form, which the page shows.
    return lines.map((line) => JSON.parse(line) as Decision).filter(({ contact, rule }) => contact === id && rule);
  }
}

interface Decision {
  readonly contact: string;
  readonly field: string;
  readonly decided: boolean;
  readonly rule: string;
}

describe("opt-outs, Campaign asked for changed profiles", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.make("opt-outs", Array(20).fill(false));
    await world.start("Poll");
  });
  afterAll(() => world?.ground.close());

  test("an opt-out on either side reaches the other, and no one else's does", async () => {
    await world.inDynamics(world.contact(0), { donotbulkemail: true });
    await world.inCampaign(world.contact(1), { denyListPhone: true });
    await world.untilSaid(world.contact(0), email, true);
    await world.untilSaid(world.contact(1), phone, true);
    await world.untilDecided();
    expect(await world.optedOut()).toEqual(["0 donotbulkemail", "0 denyListEmail", "1 donotphone", "1 denyListPhone"]);
    const why = (await world.audit(world.contact(1))).filter(({ field }) => field === phone.field).at(-1);
    expect(why).toMatchObject({ decided: true, rule: "OptedOutInCampaign" });
    const shown = () => world.ground.kubectl.run(["get", "iw", name]);
    await expect.poll(shown, patience).toMatch(/opt-outs\s+OptInOut\s+RUNNING\s+0\s+false/);
  });

  test("opt-outs of both sides arrive though the worker is killed again and again", async () => {
    const { kubectl } = world.ground;
    for (let n = 2; n < 20; n += 1) {
      if (n % 2 === 0) await world.inDynamics(world.contact(n), { donotbulkemail: true });
      else await world.inCampaign(world.contact(n), { denyListEmail: true });
      if (n % 6 !== 0) continue;
      await vi.waitFor(async () => {
        const killed = (await pods(kubectl, name)).map(({ metadata }) => killProcesses(metadata.uid, "worker"));
        expect(Math.max(0, ...killed), "killed processes").toBeGreaterThan(0);
      }, patience);
      // A new pod has no crash back-off: the next moment comes soon.
      const pod = `integrationworkflow.io/workflow=${name}`;
      await kubectl.run(["delete", "pod", "-l", pod, "--force", "--grace-period=0"]);
    }
    for (let n = 2; n < 20; n += 1) await world.untilSaid(world.contact(n), email, true);
  });
});

interface Case {
  readonly what: string;
  readonly before: boolean;
  readonly happens: (world: World, id: string) => Promise<unknown>;
  readonly after: boolean;
  readonly rules: readonly string[];
}

/** The Case's changes are milliseconds apart; where the rule asks for a later time, a second. Who is first is awaited. */
const cases: readonly Case[] = [
  {
    what: "opted in again in Campaign, a second after somebody edited the contact",
    before: true,
    happens: async (world, id) => {
      await world.untilRead(() => world.inDynamics(id, { lastname: "Edited" }));
      await untilNextSecond();
      await world.inCampaign(id, { denyListEmail: false });
    },
    after: false,
    rules: ["CampaignLater"],
  },
  {
    what: "opted in again in Campaign, and somebody edits the contact at once",
    before: true,
    happens: async (world, id) => {
      await world.inCampaign(id, { denyListEmail: false });
      await world.inDynamics(id, { lastname: "Edited" });
    },
    after: true,
    rules: ["DynamicsLaterOrEqual", "NoAttributeTime"],
  },
  {
    what: "opted in again in both at once",
    before: true,
    happens: async (world, id) => {
      await world.inCampaign(id, { denyListEmail: false });
      await world.inDynamics(id, { donotbulkemail: false });
    },
    after: false,
    rules: ["Same"],
  },
  {
    what: "opted in again in Dynamics alone",
    before: true,
    happens: (world, id) => world.inDynamics(id, { donotbulkemail: false }),
    after: true,
    rules: ["OptedOutWins"],
  },
  {
    what: "opted out and in again in Campaign, and out in Dynamics at once",
    before: false,
    happens: async (world, id) => {
      await world.inCampaign(id, { denyListEmail: true });
      await world.inCampaign(id, { denyListEmail: false });
      await world.inDynamics(id, { donotbulkemail: true });
    },
    after: true,
    rules: ["OptedOutInDynamics"],
  },
  {
    what: "opted out in both at once",
    before: false,
    happens: (world, id) =>
      Promise.all([world.inDynamics(id, { donotbulkemail: true }), world.inCampaign(id, { denyListEmail: true })]),
    after: true,
    rules: ["Same"],
  },
  {
    what: "opted out in Campaign, and a later edit of the contact carries the old opt-in along",
    before: false,
    happens: async (world, id) => {
      await world.inCampaign(id, { denyListEmail: true });
      await untilNextSecond();
      await world.inDynamics(id, { lastname: "Edited" });
    },
    after: true,
    rules: ["OptedOutInCampaign"],
  },
  {
    what: "opted out in Dynamics, and a later edit of the profile exports the old opt-in",
    before: false,
    happens: async (world, id) => {
      await world.inDynamics(id, { donotbulkemail: true });
      await world.ground.sandbox.updateRecord({ resource: "profile", key: id, values: { city: "Elsewhere" } });
    },
    after: true,
    rules: ["OptedOutInDynamics"],
  },
];

/** `modifiedon` and the times of an export have whole seconds. */
async function untilNextSecond(): Promise<void> {
  const second = () => Math.floor(Date.now() / 1000);
  const now = second();
  await vi.waitFor(() => expect(second()).toBeGreaterThan(now), { timeout: 5000, interval: 20 });
}

describe("two changes of one attribute at nearly the same time, Campaign's exported with their times", () => {
  let world: World;
  let exports: Awaited<ReturnType<typeof startExports>>;
  beforeAll(async () => {
    world = await World.make(
      "opt-outs-exported",
      cases.map(({ before }) => before),
    );
    exports = await startExports(world.ground.kubectl);
    await world.start("Export", exports.sftp);
    for (const [index, { happens }] of cases.entries()) await happens(world, world.contact(index));
    await putExport();
  });
  afterAll(async () => {
    world?.ground.close();
    await exports?.stop();
  });

  /** What Campaign's workflow would export: the opt-outs as they are now, with the times of their last change. */
  async function putExport(): Promise<void> {
    const lines = ["contactId,denyListEmail,denyListEmailTime,denyListPhone,denyListPhoneTime"];
    for (const id of world.ids) {
      const columns: string[] = [];
      for (const pair of mappings) {
        const { campaign } = await world.says(id, pair);
        const changedAt = new Date(await world.changedAt(id, pair)).toISOString();
        columns.push(String(campaign), changedAt.slice(0, 19).replace("T", " "));
      }
      lines.push([id, ...columns].join(","));
    }
    exports.put("opt_outs_20260715_120000.txt", lines);
  }

  for (const [index, { what, before, after, rules }] of cases.entries()) {
    test(`${what}: opted ${after ? "out" : "in"} after it`, async () => {
      const id = world.contact(index);
      await world.untilSaid(id, email, after);
      await vi.waitFor(async () => {
        const last = (await world.audit(id)).filter(({ field }) => field === email.field).at(-1);
        expect(last).toMatchObject({ decided: after, rule: expect.toBeOneOf([...rules]) });
      }, patience);
      await world.untilDecided();
      expect(await world.says(id, email)).toEqual({ dynamics: after, campaign: after });
      expect(await world.says(id, phone), "nobody touched it").toEqual({ dynamics: before, campaign: before });
    });
  }

  test("each was written once at the most: the two systems do not answer each other for ever", async () => {
    const { sandbox } = world.ground;
    const writes = new Map<string, number>();
    const count = (id: string, entries: readonly { by: string }[]) =>
      writes.set(id, (writes.get(id) ?? 0) + entries.filter(({ by }) => by === "api").length);
    for await (const { id, entries } of sandbox.allRowWrites({ table: "contact" })) count(id, entries);
    for await (const { key, entries } of sandbox.allWrites({ resource: "profile" })) count(key, entries);
    expect([...writes.values()].filter((number) => number > 1)).toEqual([]);
    expect(Math.max(...writes.values())).toBe(1);
  });
});
