/**
 * The worker under everything at once, as a process against the sandbox over HTTP, and the judgement afterwards. What
 * happens, and when, comes from the seed; what the worker is doing at that moment does not.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { IngressMapping } from "../../src/api/integration-workflow.ts";
import { Aftermath } from "./aftermath.ts";
import { Chronicle } from "./chronicle.ts";
import { Course, type StormOptions, type StormResult } from "./course.ts";
import { editOne } from "./edits.ts";
import { Ground } from "./ground.ts";
import { compare, type Sharpness } from "./ledger.ts";
import { People } from "./people.ts";
import { SchemaChanges, unstampedFields } from "./schema-changes.ts";
import { happen } from "./weather.ts";
import { accounts, contacts, furnish, mappedTables, orders, shops, tableOf } from "./workflow.ts";
import { faultyWrites } from "./writes.ts";

/** What every change of the project must come through, fifty times. */
export const gateStorm = { contacts: 80, happenings: 40, calmSeconds: 120 } as const satisfies Omit<
  StormOptions,
  "seed" | "makeStore"
>;

/** Whatever goes on for a while is over by then; the worker may wait as long again before it tries once more. */
const toldWithinMs = 60_000;
/** Changed after every page, without a stamp. */
const churnedFields = ["city"];

export async function runStorm(options: StormOptions): Promise<StormResult> {
  const { contacts: people, seed, makeStore } = options;
  const ground = await Ground.make({ contacts: people, seed }, makeStore);
  try {
    await furnish(ground.sandbox.control, people);
    return await new Storm(ground, options).run();
  } finally {
    await ground.end();
  }
}

export class Storm extends Course {
  readonly chronicle = new Chronicle();
  readonly people: People;
  readonly schemas: SchemaChanges;
  readonly #options: StormOptions;
  #mappings: readonly IngressMapping[] = [contacts, accounts, shops, orders];
  #replays = 0;
  #isAccountLoading = false;

  constructor(ground: Ground, options: StormOptions) {
    const { control } = ground.sandbox;
    super(ground, options.seed, { calls: async () => (await control.counters()).campaign.engineCalls });
    this.#options = options;
    this.people = new People(this.control, options.seed, this.chance, this.chronicle);
    this.schemas = new SchemaChanges(this);
  }

  async run(): Promise<StormResult> {
    this.chronicle.noteMappings(this.#mappings);
    this.#start();
    const behaviour = await this.control.setCampaignBehaviour({
      missingKey: this.chance.oneOf(["404", "404", "500", "create"] as const),
      duplicateKey: this.chance.oneOf(["500", "409", "accept"] as const),
      errorShape: this.chance.oneOf(["text", "json"] as const),
    });
    this.note(`seed ${this.#options.seed}, ${JSON.stringify(behaviour)}`);
    this.chronicle.noteLabels(await this.control.tables());
    await this.people.begin();
    await sleep(300 + this.chance.random() * 1000);
    for (let n = 0; n < this.#options.happenings; n++) {
      await this.lookForEnds();
      if (this.faults.length > 0) break;
      await this.#lookForAccounts();
      if (this.store.postgresUrl !== undefined && this.chance.random() < 0.8) await this.isAtWork();
      this.note(await happen(this));
      await sleep(this.chance.random() * 250);
    }
    await this.isOver();
    const calmAt = performance.now();
    if (this.faults.length === 0) await this.#judge();
    return this.resultOf(performance.now() - calmAt);
  }

  async killWorkers(): Promise<void> {
    await this.workers.kill();
    await this.#next();
  }

  /** Whether the worker has read the definitions of all that is mapped, and finds them as they were. */
  async isFitted(): Promise<boolean> {
    const statuses = await this.workers.statuses();
    const isSeen = this.workers.fittedMappings >= this.#mappings.length && statuses.length > 0;
    return isSeen && statuses.every(({ schemaDrift }) => schemaDrift.length === 0);
  }

  async isTold(message: RegExp): Promise<void> {
    const beganAt = performance.now();
    for (let isClear = false; ; ) {
      const drifts = (await this.workers.statuses()).flatMap(({ schemaDrift }) => schemaDrift);
      if (drifts.some((drift) => message.test(drift.message)) || this.faults.length > 0) return;
      const waited = performance.now() - beganAt;
      if (waited > 2 * toldWithinMs) return this.noteFault(`the worker did not tell in time: ${message.source}`);
      // Faults that go on and on make the worker patient.
      if (waited > toldWithinMs && !isClear) await this.control.clearFaults();
      isClear = waited > toldWithinMs;
      await sleep(50);
    }
  }

  /** Now and then their successors begin meanwhile. */
  async stopWorkers(): Promise<void> {
    const { workers } = this;
    const isEarly = this.chance.random() < 0.3;
    if (isEarly) this.#start();
    await this.stop(workers, !isEarly);
    if (!isEarly) await this.#next();
  }

  /** When a mapping comes back, its first load must be over before what goes is missed. */
  async #lookForAccounts(): Promise<void> {
    if (!this.#isAccountLoading) return;
    const statuses = await this.workers.statuses();
    const phases = statuses.map(({ mappings }) => mappings.find(({ name }) => name === accounts.table)?.phase);
    if (phases.length > 0 && phases.every((phase) => phase === "Incremental")) {
      this.#isAccountLoading = false;
      this.#tellWhatIsFollowed();
    }
  }

  /** Nothing happens any more: all must come to be as it must be, and stay so. */
  async #judge(): Promise<void> {
    const { control } = this;
    await this.calm();
    await this.people.missWhatIsRemoved();
    if (this.chance.random() < 0.5) await this.#editLast();
    await this.#rest("AfterStorm", async () => []);
    const { partial } = this.people.deeds;
    for (const mapping of [contacts, accounts, shops, orders]) {
      const { table } = mapping;
      const unstamped = new Set([...unstampedFields, ...(table === contacts.table ? churnedFields : [])]);
      this.noteFault(...(await faultyWrites(control, mapping, this.chronicle, unstamped, partial)));
    }
    await this.#stopAndCheckDead("AfterStorm");
    if (this.faults.length > 0) return;
    // A replay mends what people did in Campaign, also what they did while nobody ran.
    await this.people.meddle();
    await this.#begin(this.#mappings.map((mapping) => ({ ...mapping, replay: `last ${++this.#replays}` })));
    await this.#rest("AfterReplay", async () => []);
    if (this.faults.length > 0) return;
    this.people.deeds.removed.clear();
    this.people.deeds.edited.clear();
    const aftermath = new Aftermath(control, this.people, this.chronicle, this.#mappings);
    await aftermath.change();
    await this.#rest("AfterStorm", () => aftermath.differences());
    await this.#stopAndCheckDead("AfterStorm");
  }

  /** Nothing else has the table read again afterwards. */
  async #editLast(): Promise<void> {
    await this.stop(this.workers, true);
    const [what, edited] = editOne(this.#mappings, this.chance);
    this.note(`edited last: ${what}`);
    await this.#begin(edited);
  }

  #rest(sharpness: Sharpness, more: () => Promise<readonly string[]>): Promise<void> {
    const { control, people, chronicle } = this;
    const rest = {
      mappings: this.#mappings.length,
      differences: async () => {
        const { differences } = await compare(control, this.#mappings, people.deeds, chronicle, sharpness);
        return [...differences, ...(await more())];
      },
    };
    return this.rest(rest, this.#options.calmSeconds);
  }

  async #stopAndCheckDead(sharpness: Sharpness): Promise<void> {
    await this.stop(this.workers, true);
    if (this.faults.length > 0) return;
    const { control, people, chronicle } = this;
    const { deadIds, mayBeDead } = await compare(control, this.#mappings, people.deeds, chronicle, sharpness);
    const figures = await this.figures();
    if (figures === undefined) return this.noteFault("nobody can look into the store");
    if (figures.pending > 0) this.noteFault(`the store has ${figures.pending} waiting, and all was at rest`);
    const found = figures.dead.map(({ id }) => id);
    for (const id of found.filter((dead) => !deadIds.has(dead) && !mayBeDead.has(dead)))
      this.noteFault(`${id} is in dead without a reason`);
    for (const id of [...deadIds].filter((dead) => !found.includes(dead))) this.noteFault(`${id} is not in dead`);
  }

  /** The next run, now and then with another configuration. */
  async #next(): Promise<void> {
    const dice = this.schemas.isChanged ? 1 : this.chance.random();
    if (dice < 0.3) {
      const [what, edited] = editOne(this.#mappings, this.chance);
      this.note(`edited: ${what}`);
      await this.#begin(edited);
    } else if (dice < 0.4) {
      this.note("replayed");
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
    this.#start();
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
    this.note(isAway ? "accounts are mapped again" : "accounts are mapped no more");
    await this.#begin(isAway ? [...others, accounts] : others);
  }

  #start(): void {
    this.begin({ type: "Ingress", ingress: { mappings: [...this.#mappings] } });
  }
}
