/**
 * Opt-outs between the sandbox's contacts and profiles, under everything at once, and the judgement afterwards. What happens
 * comes from the seed; what the worker is doing at that moment does not.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type SchemaNode, withDefaults } from "../../../src/api/defaults.ts";
import { optInOut as schema } from "../../../src/api/schema/opt-in-out.ts";
import type { OptOutNames } from "../../../src/sandbox/campaign/standard-resources.ts";
import type { ControlRow } from "../../../src/sandbox/control/interface.ts";
import { Chance } from "../chance.ts";
import { Course, type StormOptions, type StormResult } from "../course.ts";
import type { Folder } from "../exports/folder.ts";
import { ExportsPlace, stillSeconds } from "../exports/place.ts";
import { anyPen, type Pen } from "../exports/text.ts";
import { type Flow, Ground, onlyWorkflow } from "../ground.ts";
import { Runs } from "../runs.ts";
import { Aftermath } from "./aftermath.ts";
import { readAudit } from "./audit.ts";
import { type LineMeaning, OptOutExporter } from "./exporter.ts";
import { type ContactHistory, historiesOf } from "./history.ts";
import { differencesAtRest, faultyWrites, waiting } from "./judge.ts";
import { type Direction, type Instructions, type OptInOut, pairs } from "./pairs.ts";
import { People, table } from "./people.ts";
import { happen } from "./weather.ts";

/** What every change of the project must come through, a few times. */
export const gateOptInOutStorm = { contacts: 25, happenings: 50, calmSeconds: 120 } as const;

const directions = [
  "Bidirectional",
  "Bidirectional",
  "Bidirectional",
  "DynamicsToCampaign",
  "CampaignToDynamics",
] as const;

export async function runOptInOutStorm(options: StormOptions): Promise<StormResult> {
  const { contacts, seed, makeStore } = options;
  const optOutNames: OptOutNames = seed % 4 === 0 ? "blackList" : "denyList";
  const place = await ExportsPlace.make();
  const ground = await Ground.make({ contacts, seed, optOutNames }, makeStore);
  try {
    return await new OptInOutStorm(ground, place, optOutNames, options).run();
  } finally {
    await ground.end();
    await place.end();
  }
}

export class OptInOutStorm {
  readonly course: Course;
  readonly place: ExportsPlace;
  readonly folder: Folder<LineMeaning>;
  readonly exporter: OptOutExporter;
  readonly people: People;
  readonly runs: Runs<Instructions>;
  readonly #names: OptOutNames;
  readonly #options: StormOptions;
  readonly #pen: Pen;
  /** The contacts as they were when the log of writes began. */
  #first: readonly ControlRow[] = [];
  #told: OptInOut;
  #lastExport = "";

  constructor(ground: Ground, place: ExportsPlace, names: OptOutNames, options: StormOptions) {
    this.#names = names;
    this.#options = options;
    this.place = place;
    this.course = new Course(ground, options.seed, { calls: () => this.#writes(), stillSeconds });
    const { chance, control } = this.course;
    this.folder = place.furnish(ground, () => this.course.nowMs);
    this.#pen = anyPen(chance);
    this.exporter = new OptOutExporter(control, chance, names, this.#pen);
    // What comes later has random numbers of its own, so that the seed alone decides what happens.
    this.people = new People(control, new Chance(options.seed), names, (ms, work) => this.course.later(ms, work));
    const source = chance.random() < 0.7 ? "Export" : "Poll";
    // A schema's defaults are what its type says.
    this.#told = withDefaults(schema as SchemaNode, {
      direction: chance.oneOf(directions),
      source,
      mappings: pairs,
    }) as OptInOut;
    this.runs = new Runs<Instructions>(this.course, {
      nowMs: () => Date.now(),
      telling: () => ({ flow: this.#flow, told: { optInOut: this.#told } }),
      change: () => this.#changeMind(),
    });
  }

  get chance(): Chance {
    return this.course.chance;
  }

  async run(): Promise<StormResult> {
    const { course, chance } = this;
    const { direction, source } = this.#told;
    const { hasTimes } = this.exporter;
    course.note(`seed ${this.#options.seed}, ${direction}, ${source}, ${JSON.stringify({ ...this.#pen, hasTimes })}`);
    for await (const row of course.control.rows({ table })) this.#first = [...this.#first, row];
    await course.control.setWriteLog({ enabled: true });
    await this.people.begin();
    this.runs.begin();
    await course.isAtWork();
    await sleep(300 + chance.random() * 1500);
    for (let n = 0; n < this.#options.happenings && course.faults.length === 0; n++) {
      await course.lookForEnds();
      if (chance.random() < 0.5) await course.isAtWork();
      course.note(await happen(this));
      await this.#judgeWrites();
      await sleep(chance.random() * 350);
    }
    await course.calm();
    this.place.calm();
    this.folder.allowAll();
    const calmAt = performance.now();
    await this.#judge();
    return course.resultOf(performance.now() - calmAt);
  }

  async export(): Promise<void> {
    this.folder.put(this.exporter.newName(), await this.exporter.export());
  }

  /** The next run is now and then told something else. */
  #changeMind(): void {
    const { chance } = this;
    const dice = chance.random();
    if (dice < 0.1) this.#tell({ direction: chance.oneOf<Direction>([...directions, "Disabled"]) });
    else if (dice < 0.2) this.#tell({ source: this.#told.source === "Export" ? "Poll" : "Export" });
    else if (dice < 0.3)
      this.#tell({ mappings: this.#told.mappings.length === pairs.length ? pairs.slice(1) : [...pairs] });
  }

  /** At the moment that a call that writes arrives, or soon. */
  killWhileWriting(): Promise<void> {
    return this.runs.killWhen(async () => {
      for (let n = 0; n < 3; n++) await this.people.editContact();
      await this.course.writing(2000);
    });
  }

  get #flow(): Flow {
    return { type: "OptInOut", optInOut: this.#told, campaign: { sftp: this.place.sftp(this.#pen) } };
  }

  #tell(change: Partial<OptInOut>): void {
    this.#told = { ...this.#told, ...change };
    this.course.note(`told: ${JSON.stringify(change)}`);
  }

  /** Nothing happens any more: all must come to be as it must be, and stay so. */
  async #judge(): Promise<void> {
    const { course } = this;
    await this.#exportLast();
    await this.#rest(async () => []);
    await this.#judgeWrites();
    if (course.faults.length > 0) return;
    const { source } = this.#told;
    const tellsTimes = source === "Export" && this.exporter.hasTimes;
    const aftermath = new Aftermath(this.people, this.#names, this.#told, tellsTimes);
    await aftermath.change(await this.#histories());
    await this.#exportLast();
    await this.#rest(async (histories) => aftermath.differences(histories));
    await this.#judgeWrites();
    if (course.faults.length > 0) return;
    await this.runs.end();
    course.noteFault(...(await this.#faultyRefusals()));
  }

  /** One way, a pair that came into the mapping late is told of by a whole export only. */
  async #exportLast(): Promise<void> {
    this.#lastExport = this.exporter.newName();
    const how = this.#told.direction === "CampaignToDynamics" ? "All" : "Last";
    this.folder.put(this.#lastExport, await this.exporter.export(how));
  }

  /** What it tells is looked at afterwards. */
  get #isAllTold(): boolean {
    const { direction, source } = this.#told;
    const isRead = source === "Export" && (direction === "CampaignToDynamics" || direction === "Bidirectional");
    return !isRead || this.course.workers.members.some(({ log }) => log.includes(`"${this.#lastExport}"`));
  }

  async #rest(more: (histories: ReadonlyMap<string, ContactHistory>) => Promise<readonly string[]>): Promise<void> {
    await this.course.rest(
      {
        mappings: 0,
        callsAtRest: 0,
        backlog: async () => waiting(await this.#histories(), this.#told),
        differences: async () => {
          await this.#judgeWrites();
          if (!this.#isAllTold) return ["the last export is not read"];
          const histories = await this.#histories();
          return [...differencesAtRest(histories, this.#told), ...(await more(histories))];
        },
      },
      this.#options.calmSeconds,
    );
  }

  /** While it rages, too: what explains a write is there when the write is. */
  async #judgeWrites(): Promise<void> {
    const histories = await this.#histories();
    const lines = await this.course.store.optOutAudit(onlyWorkflow).catch(() => undefined);
    if (lines === undefined) return; // The store is away.
    const { hasTimes } = this.exporter;
    const evidence = { histories, runs: this.runs.all, audit: readAudit(lines), hasTimes };
    this.course.noteFault(...faultyWrites(evidence).slice(0, 20));
  }

  /** Lines that cannot be understood are refused by themselves, and nothing else is. */
  async #faultyRefusals(): Promise<readonly string[]> {
    const { dead } = (await this.course.figures()) ?? { dead: [] };
    return dead.flatMap(({ mapping, id, reason }) => {
      const [, name = "", line] = /^(.*):(\d+)$/s.exec(id) ?? [];
      const told = this.folder.contents
        .filter(({ names }) => names.has(name))
        .flatMap(({ lines }) => lines.filter(({ number }) => number === Number(line)));
      const isRight = mapping === "exports" && told.some(({ meaning }) => `Line${meaning}` === reason);
      return isRight ? [] : [`${mapping} ${id} is in dead for ${reason}`];
    });
  }

  #histories(): Promise<ReadonlyMap<string, ContactHistory>> {
    return historiesOf(this.course.control, this.#names, this.#first);
  }

  /** Calls that are to change something, of both services. */
  async #writes(): Promise<number> {
    const { dataverse, campaign } = await this.course.control.counters();
    const endpoints = [dataverse, campaign].flatMap(({ byEndpoint }) => Object.entries(byEndpoint));
    const writing = endpoints.filter(([name]) => /^(?:POST|PATCH|PUT|DELETE) (?!.*token)/.test(name));
    return writing.flatMap(([, statuses]) => Object.values(statuses)).reduce((sum, count) => sum + count, 0);
  }
}
