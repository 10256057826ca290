/**
 * The worker under everything at once, as a process against the sandbox over HTTP, and the judgement afterwards. What
 * happens, and when, comes from the seed; what the worker is doing at that moment does not.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { IngressMapping } from "../../src/api/integration-workflow.ts";
import type { SandboxControl } from "../../src/sandbox/control/interface.ts";
import { Aftermath } from "./aftermath.ts";
import { Chance } from "./chance.ts";
import { Chronicle } from "./chronicle.ts";
import { editOne } from "./edits.ts";
import { Ground, type WorkerProcess } from "./ground.ts";
import { compare, type Sharpness } from "./ledger.ts";
import { People } from "./people.ts";
import { Rest } from "./rest.ts";
import { SchemaChanges, unstampedFields } from "./schema-changes.ts";
import { happen } from "./weather.ts";
import { accounts, contacts, mappedTables, orders, shops, tableOf } from "./workflow.ts";
import { faultyWrites } from "./writes.ts";

export interface StormOptions {
  readonly seed: number;
  readonly contacts: number;
  /** How many things happen. */
  readonly happenings: number;
  /** How long everything may take to come to rest once nothing happens any more. */
  readonly calmSeconds: number;
}

/** What every change of the project must come through, fifty times. */
export const gateStorm = { contacts: 80, happenings: 40, calmSeconds: 120 } as const satisfies Omit<
  StormOptions,
  "seed"
>;

export interface StormResult {
  /** One sentence each; empty: the worker kept its promise. */
  readonly faults: readonly string[];
  /** What happened, in order. */
  readonly diary: readonly string[];
  /** What could not happen here, and why. */
  readonly leftOut: readonly string[];
  /** Until all was as it must be. */
  readonly secondsToCalm: number;
  readonly workerLog: string;
}

/** A call's time many times over, and shorter than the grace period. */
const stopWithinMs = 8000;
/** Whatever goes on for a while is over by then; the worker may wait as long again before it tries once more. */
const toldWithinMs = 60_000;
/** Changed after every page, without a stamp. */
const churnedFields = ["city"];

export async function runStorm(options: StormOptions): Promise<StormResult> {
  const ground = await Ground.make(options.contacts, options.seed);
  try {
    return await new Storm(ground, options).run();
  } finally {
    await ground.end();
  }
}

export class Storm {
  readonly control: SandboxControl;
  readonly chance: Chance;
  readonly chronicle = new Chronicle();
  readonly people: People;
  readonly schemas: SchemaChanges;
  /** What goes on for a while. */
  readonly spells = new Set<unknown>();
  readonly #ground: Ground;
  readonly #options: StormOptions;
  readonly #later: Promise<unknown>[] = [];
  readonly #diary: string[] = [];
  readonly #faults: string[] = [];
  #mappings: readonly IngressMapping[] = [contacts, accounts, shops, orders];
  #worker: WorkerProcess;
  #replays = 0;
  #isFull = false;

  constructor(ground: Ground, options: StormOptions) {
    this.#ground = ground;
    this.#options = options;
    this.control = ground.sandbox.control;
    this.chance = new Chance(options.seed);
    this.people = new People(this.control, options.seed, this.chance, this.chronicle);
    this.schemas = new SchemaChanges(this);
    this.chronicle.noteMappings(this.#mappings);
    this.#worker = ground.start(this.#mappings);
  }

  async run(): Promise<StormResult> {
    const startedAt = performance.now();
    const behaviour = await this.control.setCampaignBehaviour({
      missingKey: this.chance.oneOf(["404", "404", "500", "create"] as const),
      duplicateKey: this.chance.oneOf(["500", "409", "accept"] as const),
      errorShape: this.chance.oneOf(["text", "json"] as const),
    });
    this.#diary.push(`seed ${this.#options.seed}, ${JSON.stringify(behaviour)}`);
    this.chronicle.noteLabels(await this.control.tables());
    await this.people.begin();
    await sleep(300 + this.chance.random() * 1000);
    for (let n = 0; n < this.#options.happenings; n++) {
      if (this.#worker.hasEnded) this.#noteFault(`the worker ended by itself: ${await this.#worker.exit}`);
      if (this.#faults.length > 0) break;
      await this.#lookForAccounts();
      const what = await happen(this);
      this.#diary.push(`${Math.round(performance.now() - startedAt)} ms: ${what}`);
      await sleep(this.chance.random() * 250);
    }
    await Promise.all(this.#later);
    const calmAt = performance.now();
    if (this.#faults.length === 0) await this.#calm();
    const secondsToCalm = (performance.now() - calmAt) / 1000;
    const { noVolume } = this.#ground;
    const leftOut = noVolume === undefined ? [] : [`a full volume: ${noVolume}`];
    return { faults: this.#faults, diary: this.#diary, leftOut, secondsToCalm, workerLog: this.#ground.log() };
  }

  /** Does it later, before the storm ends. */
  later(afterMs: number, work: () => Promise<unknown>): void {
    this.#later.push(sleep(afterMs).then(work));
  }

  async killWorker(): Promise<void> {
    await this.#worker.kill();
    await this.#next();
  }

  /** Whether the worker has read the definitions of all that is mapped, and finds them as they were. */
  async isFitted(): Promise<boolean> {
    const status = await this.#worker.status();
    return this.#worker.fittedMappings >= this.#mappings.length && status?.schemaDrift.length === 0;
  }

  async isTold(message: RegExp): Promise<void> {
    const beganAt = performance.now();
    for (let isClear = false; ; ) {
      const drifts = (await this.#worker.status())?.schemaDrift ?? [];
      if (drifts.some((drift) => message.test(drift.message)) || this.#faults.length > 0) return;
      const waited = performance.now() - beganAt;
      if (waited > 2 * toldWithinMs) return this.#noteFault(`the worker did not tell in time: ${message.source}`);
      // Faults that go on and on make the worker patient.
      if (waited > toldWithinMs && !isClear) await this.control.clearFaults();
      isClear = waited > toldWithinMs;
      await sleep(50);
    }
  }

  /** At the moment that a call arrives, or soon. */
  async killWhileWriting(): Promise<void> {
    const { engineCalls } = (await this.control.counters()).campaign;
    const until = performance.now() + 500;
    while (performance.now() < until && (await this.control.counters()).campaign.engineCalls < engineCalls + 2) {
      await sleep(1);
    }
    await this.killWorker();
  }

  async stopWorker(): Promise<void> {
    const successor = this.chance.random() < 0.3 ? () => this.#ground.start(this.#mappings) : undefined;
    const early = successor?.();
    await this.#stopAndCheck(early === undefined);
    if (early === undefined) await this.#next();
    else this.#worker = early;
  }

  /** Not a page is left on the worker's volume, for a while. */
  fillVolume(): void {
    const { volume } = this.#ground;
    if (volume === undefined || this.#isFull) return;
    this.#isFull = true;
    volume.fill();
    this.later(300 + this.chance.random() * 1500, async () => {
      volume.makeRoom();
      this.#isFull = false;
    });
  }

  /** When a mapping comes back, its first load must be over before what goes is missed. */
  async #lookForAccounts(): Promise<void> {
    if (!this.#isAccountLoading) return;
    const mappings = (await this.#worker.status())?.mappings ?? [];
    if (mappings.some(({ name, phase }) => name === accounts.table && phase === "Incremental")) {
      this.#isAccountLoading = false;
      this.#tellWhatIsFollowed();
    }
  }

  #isAccountLoading = false;

  /** Nothing happens any more: all must come to be as it must be, and stay so. */
  async #calm(): Promise<void> {
    const { control } = this;
    await control.clearFaults();
    for (const gate of ["dataverse", "campaign"] as const) await control.setGate({ side: gate, state: "open" });
    await this.people.missWhatIsRemoved();
    if (this.chance.random() < 0.5) await this.#editLast();
    await this.#rest("AfterStorm", async () => []);
    const { partial } = this.people.deeds;
    for (const mapping of [contacts, accounts, shops, orders]) {
      const { table } = mapping;
      const unstamped = new Set([...unstampedFields, ...(table === contacts.table ? churnedFields : [])]);
      this.#faults.push(...(await faultyWrites(control, mapping, this.chronicle, unstamped, partial)));
    }
    await this.#stopAndCheckDead("AfterStorm");
    if (this.#faults.length > 0) return;
    // A replay mends what people did in Campaign, also what they did while nobody ran.
    await this.people.meddle();
    await this.#begin(this.#mappings.map((mapping) => ({ ...mapping, replay: `last ${++this.#replays}` })));
    await this.#rest("AfterReplay", async () => []);
    if (this.#faults.length > 0) return;
    this.people.deeds.removed.clear();
    this.people.deeds.edited.clear();
    const aftermath = new Aftermath(control, this.people, this.chronicle, this.#mappings);
    await aftermath.change();
    await this.#rest("AfterStorm", () => aftermath.differences());
    await this.#stopAndCheckDead("AfterStorm");
  }

  /** Nothing else has the table read again afterwards. */
  async #editLast(): Promise<void> {
    await this.#stopAndCheck(true);
    const [what, edited] = editOne(this.#mappings, this.chance);
    this.#diary.push(`edited last: ${what}`);
    await this.#begin(edited);
  }

  async #rest(sharpness: Sharpness, more: () => Promise<readonly string[]>): Promise<void> {
    if (this.#faults.length > 0) return;
    const rest = new Rest({
      worker: this.#worker,
      mappings: this.#mappings.length,
      calls: async () => (await this.control.counters()).campaign.engineCalls,
      differences: async () => {
        const { control, people, chronicle } = this;
        const { differences } = await compare(control, this.#mappings, people.deeds, chronicle, sharpness);

        return [...differences, ...(await more())];
      },
    });
    this.#faults.push(...(await rest.faults(this.#options.calmSeconds)));
  }

  async #stopAndCheckDead(sharpness: Sharpness): Promise<void> {
    await this.#stopAndCheck(true);
    if (this.#faults.length > 0) return;
    const { control, people, chronicle } = this;
    const { deadIds, mayBeDead } = await compare(control, this.#mappings, people.deeds, chronicle, sharpness);
    const { deadIds: found } = this.#ground.figures();
    for (const id of found.filter((dead) => !deadIds.has(dead) && !mayBeDead.has(dead)))
      this.#noteFault(`${id} is in dead without a reason`);
    for (const id of [...deadIds].filter((dead) => !found.includes(dead))) this.#noteFault(`${id} is not in dead`);
  }

  async #stopAndCheck(checkStore: boolean): Promise<void> {
    const { hasBegun } = this.#worker;
    const code = await this.#worker.stop(stopWithinMs);
    if (code === "SIGTERM" && !hasBegun) return; // Before its first line of code.
    if (code !== 0) {
      this.#noteFault(`SIGTERM ended with ${code}: ${this.#worker.log.split("\n").slice(-4).join(" ").slice(-1500)}`);
      await this.#worker.kill();
      return;
    }
    const { backlog } = this.#worker.lastWords();
    // Nobody can look into a store without room; and it may have been stopped before its queue was open.
    if (!checkStore || this.#isFull || backlog === undefined) return;
    const { pending } = this.#ground.figures();
    if (backlog !== pending) this.#noteFault(`the last words say ${backlog}, the store has ${pending}`);
  }

  /** The next run, now and then with another configuration. */
  async #next(): Promise<void> {
    const dice = this.schemas.isChanged ? 1 : this.chance.random();
    if (dice < 0.3) {
      const [what, edited] = editOne(this.#mappings, this.chance);
      this.#diary.push(`edited: ${what}`);
      await this.#begin(edited);
    } else if (dice < 0.4) {
      this.#diary.push("replayed");
      const replay = String(++this.#replays);
      await this.#begin(this.#mappings.map((mapping) => ({ ...mapping, replay })));
    } else if (dice < 0.5) await this.#takeAwayOrBringAccounts();
    else await this.#begin(this.#mappings);
  }

  /** The next run. */
  async #begin(mappings: readonly IngressMapping[]): Promise<void> {
    this.#mappings = mappings;
    this.chronicle.noteMappings(mappings);
    for (const mapping of mappings) await this.people.isMappedBy(mapping, tableOf(mapping));
    this.#tellWhatIsFollowed();
    this.#worker = this.#ground.start(mappings);
  }

  #tellWhatIsFollowed(): void {
    for (const table of mappedTables) {
      const mapping = this.#mappings.find((one) => tableOf(one) === table);
      const isThere = mapping !== undefined && !(table === "account" && this.#isAccountLoading);
      this.people.follow(table, { left: isThere, gone: isThere && mapping.applyDeletes });
    }
  }

  async #takeAwayOrBringAccounts(): Promise<void> {
    const others = this.#mappings.filter(({ table }) => table !== accounts.table);
    const isAway = others.length === this.#mappings.length;
    this.#isAccountLoading = true;
    this.#diary.push(isAway ? "accounts are mapped again" : "accounts are mapped no more");
    await this.#begin(isAway ? [...others, accounts] : others);
  }

  #noteFault(text: string): void {
    this.#faults.push(text);
  }
}
