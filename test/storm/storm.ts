/**
 * The worker under everything at once, as a process against the sandbox over HTTP, and the judgement afterwards. What
 * happens, and when, comes from the seed; what the worker is doing at that moment does not.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { IngressMapping } from "../../src/api/integration-workflow.ts";
import type { SandboxControl } from "../../src/sandbox/control/interface.ts";
import { Chance } from "./chance.ts";
import { Ground, type WorkerProcess } from "./ground.ts";
import { type Comparison, compare, stepsBack } from "./ledger.ts";
import { accounts, contacts, contactsWithPhone } from "./mappings.ts";
import { People } from "./people.ts";
import { happen } from "./weather.ts";

export interface StormOptions {
  readonly seed: number;
  readonly contacts: number;
  /** How many things happen. */
  readonly happenings: number;
  /** How long everything may take to come to rest once nothing happens any more. */
  readonly calmSeconds: number;
}

export interface StormResult {
  /** One sentence each; empty: the worker kept its promise. */
  readonly faults: readonly string[];
  /** What happened, in order. */
  readonly diary: readonly string[];
  /** Until all was as it must be. */
  readonly secondsToCalm: number;
  readonly workerLog: string;
}

/** A call's time many times over, and shorter than the grace period. */
const stopWithinMs = 8000;
/** A run that has just begun has not asked for changes yet, nor begun a replay. */
const looksOfCalm = 5;

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
  readonly people: People;
  readonly #ground: Ground;
  readonly #options: StormOptions;
  readonly #later: Promise<unknown>[] = [];
  readonly #diary: string[] = [];
  readonly #faults: string[] = [];
  #mappings: readonly IngressMapping[] = [contacts, accounts];
  #worker: WorkerProcess;
  #replays = 0;

  constructor(ground: Ground, options: StormOptions) {
    this.#ground = ground;
    this.#options = options;
    this.control = ground.sandbox.control;
    this.chance = new Chance(options.seed);
    this.people = new People(this.control, options.seed, this.chance);
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
    await sleep(300 + this.chance.random() * 1500);
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
    return { faults: this.#faults, diary: this.#diary, secondsToCalm, workerLog: this.#ground.log() };
  }

  later(afterMs: number, work: () => Promise<unknown>): void {
    this.#later.push(sleep(afterMs).then(work));
  }

  async killWorker(): Promise<void> {
    await this.#worker.kill();
    this.#next();
  }

  async stopWorker(): Promise<void> {
    const successor = this.chance.random() < 0.3 ? () => this.#ground.start(this.#mappings) : undefined;
    const early = successor?.();
    await this.#stopAndCheck(early === undefined);
    if (early === undefined) this.#next();
    else this.#worker = early;
  }

  /** When a mapping comes back, its first load must be over before what goes is missed. */
  async #lookForAccounts(): Promise<void> {
    if (this.people.areAccountsFollowed) return;
    const mappings = (await this.#worker.status())?.mappings ?? [];
    if (mappings.some(({ name, phase }) => name === accounts.table && phase === "Incremental")) {
      this.people.areAccountsFollowed = true;
    }
  }

  /** Nothing happens any more: all must come to be as it must be, and stay so. */
  async #calm(): Promise<void> {
    const { control } = this;
    await control.clearFaults();
    for (const gate of ["dataverse", "campaign"] as const) await control.setGate({ side: gate, state: "open" });
    await this.people.missWhatIsRemoved();
    const last = await this.#waitForCalm();
    if (last === undefined) return;
    await this.#staysCalm();
    for (const resource of ["profile", "cusCompany"]) {
      this.#faults.push(...(await stepsBack(control, resource, (stamped) => this.people.rowOf.get(stamped))));
    }
    await this.#stopAndCheck(true);
    if (this.#faults.length > 0) return;
    const { deadIds } = await compare(control, this.#mappings, this.people.deeds);
    const { deadIds: found } = this.#ground.figures();
    for (const id of found.filter((dead) => !deadIds.has(dead))) this.#noteFault(`${id} is in dead without a reason`);
    for (const id of [...deadIds].filter((dead) => !found.includes(dead))) this.#noteFault(`${id} is not in dead`);
  }

  async #waitForCalm(): Promise<Comparison | undefined> {
    const until = performance.now() + this.#options.calmSeconds * 1000;
    let looks = 0;
    for (;;) {
      const comparison = await compare(this.control, this.#mappings, this.people.deeds);
      const status = await this.#worker.status();
      const isRead = status?.mappings.every(({ phase }) => phase === "Incremental");
      const isCalm = comparison.differences.length === 0 && status?.backlog === 0 && isRead;
      looks = isCalm && this.#worker.fittedMappings >= this.#mappings.length ? looks + 1 : 0;
      if (looks > looksOfCalm) return comparison;
      if (this.#worker.hasEnded) this.#noteFault(`the worker ended by itself: ${await this.#worker.exit}`);
      else if (performance.now() < until) {
        await sleep(100);
        continue;
      }
      for (const difference of comparison.differences.slice(0, 20)) this.#noteFault(difference);
      this.#noteFault(`not at rest after ${this.#options.calmSeconds} s: ${JSON.stringify(status)}`);
      return undefined;
    }
  }

  /** Polls go by, and nothing is written any more. */
  async #staysCalm(): Promise<void> {
    const before = await this.control.counters();
    await sleep(1200);
    const after = await this.control.counters();
    const status = await this.#worker.status();
    if (status?.backlog !== 0) this.#noteFault(`the backlog was 0 and is ${status?.backlog}`);
    if (status?.notReady !== undefined) this.#noteFault(`at rest, and not ready: ${status.notReady.message}`);
    const { differences } = await compare(this.control, this.#mappings, this.people.deeds);
    this.#faults.push(...differences.map((difference) => `after all was well: ${difference}`));
    const calls = after.campaign.engineCalls - before.campaign.engineCalls;
    if (calls > 3) this.#noteFault(`${calls} engine calls while there was nothing to do`);
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
    if (!checkStore || backlog === undefined) return; // It was stopped before its queue was open.
    const { pending } = this.#ground.figures();
    if (backlog !== pending) this.#noteFault(`the last words say ${backlog}, the store has ${pending}`);
  }

  /** The next run, now and then with another configuration. */
  #next(): void {
    const dice = this.chance.random();
    const [contactMapping = contacts] = this.#mappings;
    const { replay = "" } = contactMapping;
    const edited = contactMapping.fields.length === contacts.fields.length ? contactsWithPhone : contacts;
    if (dice < 0.1) this.#edit([edited, ...this.#mappings.slice(1)], replay);
    else if (dice < 0.2) this.#edit(this.#mappings, String(++this.#replays));
    else if (dice < 0.3) this.#takeAwayOrBringAccounts(contactMapping);
    this.#diary.push(`next: ${this.#mappings.map(({ table, fields }) => `${table} ${fields.length}`).join(", ")}`);
    this.#worker = this.#ground.start(this.#mappings);
  }

  #edit(mappings: readonly IngressMapping[], replay: string): void {
    const value = replay === "" ? {} : { replay };
    this.#mappings = mappings.map((mapping) => (mapping.table === "contact" ? { ...mapping, ...value } : mapping));
  }

  #takeAwayOrBringAccounts(contactMapping: IngressMapping): void {
    const isAway = this.#mappings.length === 1;
    this.#mappings = isAway ? [contactMapping, accounts] : [contactMapping];
    if (!isAway) this.people.areAccountsFollowed = false;
  }

  #noteFault(text: string): void {
    this.#faults.push(text);
  }
}
