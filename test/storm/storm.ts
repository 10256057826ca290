/**
 * The worker under everything at once, as a process against the sandbox over HTTP, and the judgement afterwards. What
 * happens, and when, comes from the seed; what the worker is doing at that moment does not.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { IngressMapping } from "../../src/api/integration-workflow.ts";
import type { SandboxControl } from "../../src/sandbox/control/interface.ts";
import { guidOf, randomSequence } from "../../src/sandbox/random.ts";
import { Ground, type WorkerProcess } from "./ground.ts";
import { type Comparison, compare, type Deeds, stamp, stepsBack } from "./ledger.ts";
import { accounts, contacts, contactsWithPhone } from "./mappings.ts";
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

type Table = "contact" | "account";

const stampColumns = { contact: "lastname", account: "name" } as const;
/** A call's time many times over, and shorter than the grace period. */
const stopWithinMs = 8000;

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
  readonly random: () => number;
  readonly #ground: Ground;
  readonly #options: StormOptions;
  readonly #deeds: Deeds = { removed: new Set(), orphans: new Set() };
  readonly #gone: Record<Table, string[]> = { contact: [], account: [] };
  readonly #refused = new Set<string>();
  readonly #left = new Set<string>();
  readonly #later: Promise<unknown>[] = [];
  readonly #diary: string[] = [];
  readonly #faults: string[] = [];
  #mappings: readonly IngressMapping[] = [contacts, accounts];
  #worker: WorkerProcess;
  #stamp = 0;
  #guid = 0;
  #replays = 0;

  constructor(ground: Ground, options: StormOptions) {
    this.#ground = ground;
    this.#options = options;
    this.control = ground.sandbox.control;
    this.random = randomSequence(options.seed);
    this.#worker = ground.start(this.#mappings);
  }

  async run(): Promise<StormResult> {
    const startedAt = performance.now();
    const behaviour = await this.control.setCampaignBehaviour({
      missingKey: this.oneOf(["404", "404", "500", "create"] as const),
      duplicateKey: this.oneOf(["500", "409", "accept"] as const),
      errorShape: this.oneOf(["text", "json"] as const),
    });
    this.#diary.push(`seed ${this.#options.seed}, ${JSON.stringify(behaviour)}`);
    await sleep(300 + this.random() * 1500);
    for (let n = 0; n < this.#options.happenings; n++) {
      if (this.#worker.hasEnded) this.#noteFault(`the worker ended by itself: ${await this.#worker.exit}`);
      if (this.#faults.length > 0) break;
      const what = await happen(this);
      this.#diary.push(`${Math.round(performance.now() - startedAt)} ms: ${what}`);
      await sleep(this.random() * 250);
    }
    await Promise.all(this.#later);
    const calmAt = performance.now();
    if (this.#faults.length === 0) await this.#calm();
    const secondsToCalm = (performance.now() - calmAt) / 1000;
    return { faults: this.#faults, diary: this.#diary, secondsToCalm, workerLog: this.#ground.log() };
  }

  oneOf<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.random() * choices.length)] as T; // Random numbers are below 1.
  }

  /** A whole number from 1 on. */
  count(most: number): number {
    return 1 + Math.floor(this.random() * most);
  }

  later(afterMs: number, work: () => Promise<unknown>): void {
    this.#later.push(sleep(afterMs).then(work));
  }

  async change(table: Table, count: number): Promise<void> {
    const ids = await this.#some(table, count);
    const rows = ids.map((id) => ({ id, cells: this.#cells(table) }));
    await this.control.updateRows({ table, rows });
  }

  async add(table: Table, count: number): Promise<void> {
    const rows = Array.from({ length: count }, () => ({ id: this.#newId(), cells: this.#newCells(table) }));
    await this.control.insertRows({ table, rows });
  }

  async remove(table: Table, count: number): Promise<void> {
    const ids = await this.#some(table, count);
    await this.control.deleteRows({ table, ids });
    this.#gone[table].push(...ids);
    if (table === "account") this.#leave(ids);
  }

  async bringBack(table: Table): Promise<void> {
    const id = this.#gone[table].shift();
    if (id !== undefined) await this.control.insertRows({ table, rows: [{ id, cells: this.#newCells(table) }] });
  }

  /** With many changes after it, the row and its deletion come on different pages of one round. */
  async replace(count: number): Promise<void> {
    const ids = await this.#some("contact", count);
    await this.control.deleteRows({ table: "contact", ids });
    await this.control.insertRows({
      table: "contact",
      rows: ids.map((id) => ({ id, cells: this.#newCells("contact") })),
    });
    if (this.random() < 0.5) await this.change("contact", 40);
  }

  async toggleFilter(): Promise<void> {
    const [id = ""] = await this.#some("account", 1);
    const row = await this.control.row({ table: "account", id });
    if (row === undefined) return;
    const statecode = row.cells["statecode"] === 0 ? 1 : 0;
    const cells = { ...this.#cells("account"), statecode, statuscode: statecode + 1 };
    await this.control.updateRows({ table: "account", rows: [{ id, cells }] });
    if (statecode === 1) this.#leave([id]);
  }

  async refuse(most: number, cells: Readonly<Record<string, number>>): Promise<void> {
    if (this.#refused.size >= most) return;
    const [id = ""] = await this.#some("contact", 1);
    this.#refused.add(id);
    await this.control.updateRows({ table: "contact", rows: [{ id, cells: { ...this.#cells("contact"), ...cells } }] });
  }

  async removeByHand(most: number): Promise<void> {
    if (this.#deeds.removed.size >= most) return;
    const keys = await this.#some("contact", 1);
    for (const key of keys) this.#deeds.removed.add(key);
    await this.control.deleteRecords({ resource: "profile", keys });
  }

  /** Not where a key may be there twice: there, what comes in between listing and insert is doubled. */
  async makeByHand(): Promise<void> {
    const { duplicateKey } = await this.control.setCampaignBehaviour({});
    if (duplicateKey === "accept") return;
    const id = this.#newId();
    this.#deeds.orphans.add(id); // If its row goes before the workflow has ever seen it, the record stays.
    await this.control.insertRecords({ resource: "profile", records: [{ externalId: id, lastName: "Made by hand" }] });
    await this.control.insertRows({ table: "contact", rows: [{ id, cells: this.#newCells("contact") }] });
  }

  async killWorker(): Promise<void> {
    await this.#worker.kill();
    this.#next();
  }

  async stopWorker(): Promise<void> {
    const successor = this.random() < 0.3 ? () => this.#ground.start(this.#mappings) : undefined;
    const early = successor?.();
    await this.#stopAndCheck(early === undefined);
    if (early === undefined) this.#next();
    else this.#worker = early;
  }

  /** Nothing happens any more: all must come to be as it must be, and stay so. */
  async #calm(): Promise<void> {
    const { control } = this;
    await control.clearFaults();
    for (const gate of ["dataverse", "campaign"] as const) await control.setGate({ side: gate, state: "open" });
    // What was removed by hand is only missed when it is written again.
    const removed = [...this.#deeds.removed].filter((id) => !this.#gone.contact.includes(id));
    const rows = removed.map((id) => ({ id, cells: { lastname: this.#nextStamp() } }));
    await control.updateRows({ table: "contact", rows });
    const last = await this.#waitForCalm();
    if (last === undefined) return;
    await this.#staysCalm();
    for (const resource of ["profile", "cusCompany"]) this.#faults.push(...(await stepsBack(control, resource)));
    await this.#stopAndCheck(true);
    if (this.#faults.length > 0) return;
    const { deadIds } = await compare(control, this.#mappings, this.#deeds);
    const { deadIds: found } = this.#ground.figures();
    for (const id of found.filter((dead) => !deadIds.has(dead))) this.#noteFault(`${id} is in dead without a reason`);
    for (const id of [...deadIds].filter((dead) => !found.includes(dead))) this.#noteFault(`${id} is not in dead`);
  }

  async #waitForCalm(): Promise<Comparison | undefined> {
    const until = performance.now() + this.#options.calmSeconds * 1000;
    for (;;) {
      const comparison = await compare(this.control, this.#mappings, this.#deeds);
      const status = await this.#worker.status();
      const isRead = status?.mappings.every(({ phase }) => phase === "Incremental");
      if (comparison.differences.length === 0 && status?.backlog === 0 && isRead) return comparison;
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
    const { differences } = await compare(this.control, this.#mappings, this.#deeds);
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
    const dice = this.random();
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

  /** What is still queued is dropped with the mapping, so that whatever went by then may stay in Campaign. */
  #takeAwayOrBringAccounts(contactMapping: IngressMapping): void {
    const isAway = this.#mappings.length === 1;
    this.#mappings = isAway ? [contactMapping, accounts] : [contactMapping];
    if (!isAway) for (const id of this.#left) this.#deeds.orphans.add(id);
  }

  /** An account went out of sight; nobody hears of it while its mapping is away. */
  #leave(ids: readonly string[]): void {
    for (const id of ids) this.#left.add(id);
    if (this.#mappings.length === 1) for (const id of ids) this.#deeds.orphans.add(id);
  }

  async #some(table: Table, count: number): Promise<string[]> {
    const all: string[] = [];
    for await (const { id } of this.control.rows({ table })) all.push(id);
    const chosen = new Set<string>();
    while (chosen.size < Math.min(count, all.length)) chosen.add(this.oneOf(all));
    return [...chosen];
  }

  #nextStamp(): string {
    return stamp(++this.#stamp);
  }

  #newId(): string {
    return guidOf(this.#options.seed ^ 0x5707, ++this.#guid);
  }

  #cells(table: Table): Record<string, string | number | null> {
    const cells: Record<string, string | number | null> = { [stampColumns[table]]: this.#nextStamp() };
    if (table === "account") return this.random() < 0.3 ? { ...cells, address1_city: `City ${this.count(9)}` } : cells;
    if (this.random() < 0.3) cells["familystatuscode"] = this.oneOf([1, 2, null]);
    if (this.random() < 0.2) cells["emailaddress1"] = this.oneOf([null, `a${this.count(1000)}@example.com`]);
    return cells;
  }

  #newCells(table: Table): Record<string, string | number | null> {
    return table === "contact"
      ? { ...this.#cells(table), firstname: `First ${this.count(100)}` }
      : { ...this.#cells(table), statecode: 0, statuscode: 1 };
  }

  #noteFault(text: string): void {
    this.#faults.push(text);
  }
}
