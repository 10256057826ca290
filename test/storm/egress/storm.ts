/**
 * Email events from exported files on a real SFTP server to the sandbox's Dataverse, under everything at once, and the
 * judgement afterwards. What happens comes from the seed; what the worker is doing at that moment does not.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type SchemaNode, withDefaults } from "../../../src/api/defaults.ts";
import type { WorkflowSpec } from "../../../src/api/integration-workflow.ts";
import { egress as schema } from "../../../src/api/schema/egress.ts";
import type { Chance } from "../chance.ts";
import { Course, type StormOptions, type StormResult } from "../course.ts";
import type { Folder } from "../exports/folder.ts";
import { ExportsPlace, stillSeconds } from "../exports/place.ts";
import { anyPen, type Pen } from "../exports/text.ts";
import { type Flow, Ground } from "../ground.ts";
import { Runs } from "../runs.ts";
import { Activities } from "./activities.ts";
import { Contacts } from "./contacts.ts";
import { EventLog, type Kind, kinds, type Meaning } from "./event-log.ts";
import { Exporter } from "./exporter.ts";
import { type Instructions, Ledger } from "./ledger.ts";
import { happen } from "./weather.ts";

type Egress = NonNullable<WorkflowSpec["egress"]>;

/** What every change of the project must come through, a few times. */
export const gateEgressStorm = { contacts: 40, happenings: 40, calmSeconds: 120 } as const;

const early = "2026-06-25T00:00:00Z";
const late = "2026-07-05T00:00:00Z";
const allEvents = { send: true, open: true, click: true, bounce: true };

/** What people tell the workflow. */
interface Telling {
  readonly events: Readonly<Record<Kind, boolean>>;
  readonly since: string;
  /** Not the files' own: nothing can be read. */
  readonly hasWrongDelimiter: boolean;
}

export async function runEgressStorm(options: StormOptions): Promise<StormResult> {
  const { contacts, seed, makeStore } = options;
  const place = await ExportsPlace.make();
  const ground = await Ground.make({ contacts, seed }, makeStore);
  try {
    return await new EgressStorm(ground, place, options).run();
  } finally {
    await ground.end();
    await place.end();
  }
}

export class EgressStorm {
  readonly course: Course;
  readonly place: ExportsPlace;
  readonly pen: Pen;
  readonly folder: Folder<Meaning>;
  readonly exporter: Exporter;
  readonly contacts: Contacts;
  readonly activities: Activities;
  readonly runs: Runs<Instructions>;
  readonly #ground: Ground;
  readonly #options: StormOptions;
  #telling: Telling = { events: allEvents, since: early, hasWrongDelimiter: false };

  constructor(ground: Ground, place: ExportsPlace, options: StormOptions) {
    this.#ground = ground;
    this.#options = options;
    this.place = place;
    this.course = new Course(ground, options.seed, { calls: () => this.#writes(), stillSeconds });
    const { chance, control } = this.course;
    const nowMs = () => this.course.nowMs;
    this.pen = anyPen(chance);
    this.folder = place.furnish(ground, nowMs);
    this.contacts = new Contacts(control, chance, nowMs);
    this.exporter = new Exporter(this.pen, new EventLog(chance), this.contacts, chance);
    this.activities = new Activities(control, chance);
    this.runs = new Runs<Instructions>(this.course, {
      nowMs,
      telling: () => {
        const { events, since } = this.#telling;
        return { flow: this.#flow, told: { events, since: new Date(since) } };
      },
      change: () => this.#changeMind(),
    });
  }

  get chance(): Chance {
    return this.course.chance;
  }

  async run(): Promise<StormResult> {
    const { course, chance } = this;
    course.note(`seed ${this.#options.seed}, ${JSON.stringify(this.pen)}`);
    await this.contacts.begin();
    this.folder.put(this.exporter.newName("delivery"), this.exporter.fresh("delivery", 10));
    this.runs.begin();
    await course.isAtWork();
    await sleep(300 + chance.random() * 1000);
    for (let n = 0; n < this.#options.happenings && course.faults.length === 0; n++) {
      await course.lookForEnds();
      if (chance.random() < 0.5) await course.isAtWork();
      course.note(await happen(this));
      await sleep(chance.random() * 450);
    }
    await course.calm();
    const calmAt = performance.now();
    await this.#judge();
    return course.resultOf(performance.now() - calmAt);
  }

  /** The next run is now and then told something else. */
  #changeMind(): void {
    const { chance } = this;
    const dice = chance.random();
    const { hasWrongDelimiter } = this.#telling;
    if (hasWrongDelimiter) this.#tell({ hasWrongDelimiter: false });
    else if (dice < 0.15) {
      const kind = chance.oneOf(kinds);
      const events = { ...this.#telling.events, [kind]: !this.#telling.events[kind] };
      if (Object.values(events).includes(true)) this.#tell({ events });
    } else if (dice < 0.25) this.#tell({ since: this.#telling.since === early ? late : early });
    else if (dice < 0.35) this.#tell({ hasWrongDelimiter: true });
  }

  /** At the moment that a call that writes arrives, or soon. @param work gives it something to write */
  killWhileWriting(work: () => void): Promise<void> {
    return this.runs.killWhen(async () => {
      work();
      await this.course.writing(1500);
    });
  }

  /** When the bytes of what was put have come, or soon. @param work puts it, and tells how many they are */
  killWhileReading(work: () => number): Promise<void> {
    return this.runs.killWhen(async () => {
      const { relay } = this.place;
      const enough = relay.passed() + work();
      const until = performance.now() + 2500;
      while (performance.now() < until && relay.passed() < enough) await sleep(1);
    });
  }

  #tell(change: Partial<Telling>): void {
    this.#telling = { ...this.#telling, ...change };
    this.course.note(`told: ${JSON.stringify(change)}`);
  }

  get #flow(): Flow {
    const { place, pen } = this;
    const { events, since, hasWrongDelimiter } = this.#telling;
    // A schema's defaults are what its type says.
    const egress = withDefaults(schema as SchemaNode, { events, since }) as Egress;
    const format = hasWrongDelimiter ? { ...pen, delimiter: "~" } : pen;
    return { type: "Egress", egress, campaign: { sftp: place.sftp(format) } };
  }

  /** Nothing happens any more: all must come to be as it must be, and stay so. */
  async #judge(): Promise<void> {
    const { course, exporter, folder } = this;
    this.place.calm();
    folder.allowAll();
    if (this.#telling.hasWrongDelimiter) {
      await this.runs.end();
      this.#tell({ hasWrongDelimiter: false });
      this.runs.begin();
    }
    await this.#rest();
    await this.#refusals();
    if (course.faults.length > 0) return;
    // Nothing else happens to these: each has one outcome.
    this.#tell({ events: allEvents });
    this.runs.begin();
    for (const log of ["delivery", "tracking"] as const) {
      folder.put(exporter.newName(log), exporter.fresh(log, 20));
      folder.put(exporter.newName(log), exporter.changed(log, 10));
    }
    await this.#rest();
    await this.#refusals();
  }

  async #rest(): Promise<void> {
    await this.course.rest(
      {
        mappings: 0,
        callsAtRest: 0,
        differences: async () => (await this.#ledger()).activities(await this.activities.all()).differences,
      },
      this.#options.calmSeconds,
    );
  }

  async #refusals(): Promise<void> {
    const { course } = this;
    await this.runs.end();
    if (course.faults.length > 0) return;
    const { dead } = (await course.figures()) ?? { dead: [] };
    course.noteFault(...(await this.#ledger()).refusals(dead, await this.activities.all()).slice(0, 20));
  }

  async #ledger(): Promise<Ledger> {
    const { folder, contacts, activities } = this;
    const { campaignUrl } = this.#ground.sandbox;
    const facts = { folder, contacts, deeds: activities.deeds, runs: this.runs.all };
    return new Ledger({ ...facts, instanceUrl: campaignUrl, ownerId: await this.#applicationUser() });
  }

  async #applicationUser(): Promise<string> {
    for await (const { id } of this.course.control.rows({ table: "systemuser" })) return id;
    throw new Error("the sandbox has no user");
  }

  /** Calls of Dataverse that are to change something. */
  async #writes(): Promise<number> {
    const { byEndpoint } = (await this.course.control.counters()).dataverse;
    const writing = Object.entries(byEndpoint).filter(([name]) => /^(?:POST|PATCH|PUT|DELETE) (?!.*token)/.test(name));
    return writing.flatMap(([, statuses]) => Object.values(statuses)).reduce((sum, count) => sum + count, 0);
  }
}
