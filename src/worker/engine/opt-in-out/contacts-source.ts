import type { TrackedPage } from "../../dataverse/interface.ts";
import { dynamicsReading } from "../../flows/opt-in-out/readings.ts";
import { mergeTold, toldText } from "../../flows/opt-in-out/told.ts";
import { isExpired, isRefused } from "../../http/service-error.ts";
import type { Checkpoint } from "../../queue/checkpoint.ts";
import type { Notice } from "../../queue/contacts.ts";
import * as transitions from "../transitions.ts";
import { contactsMapping, type OptInOutContext } from "./context.ts";
import { fitPairs } from "./fit.ts";
import type { Source } from "./reader.ts";
import { whenThereIsRoom } from "./room.ts";

const waitForPlanMs = 500;
/** A link that nothing came by is saved at last after this time: the service keeps links for days. */
const saveLinkEveryMs = 600_000;

/** Dynamics' contacts: all of them once, then what changes. */
export class ContactsSource implements Source {
  readonly #context: OptInOutContext;
  #schemaVersion: string | undefined;

  constructor(context: OptInOutContext) {
    this.#context = context;
  }

  async step(signal: AbortSignal): Promise<number> {
    const { checkpoint, plan } = this.#context.state;
    if (checkpoint === undefined || plan === undefined) return waitForPlanMs;
    // A reader that waits too long outlives its link, and reads everything again.
    await whenThereIsRoom(this.#context, signal);
    if (checkpoint.snapshot !== undefined || checkpoint.delta === undefined) return this.#readTable(checkpoint, signal);
    return this.#readChanges(checkpoint, checkpoint.delta, signal);
  }

  async #readTable(checkpoint: Checkpoint, signal: AbortSignal): Promise<number> {
    const { logger, now } = this.#context;
    const cursor = transitions.snapshotCursor(checkpoint);
    const page = await this.#page(cursor, signal).catch(async (error: unknown) => {
      if (cursor.kind !== "next" || !(isRefused(error) || isExpired(error))) throw error;
      logger.info("snapshot.restarted", { mapping: contactsMapping });
      await this.#save(transitions.restartSnapshot(checkpoint));
      return undefined;
    });
    if (page === undefined || !(await this.#counts(page, signal))) return 0;
    const next = transitions.afterSnapshotPage(checkpoint, page, now());
    const isLast = page.nextLink === undefined;
    // Who was deleted since is in none of its pages: of those who wait, that is looked at now.
    if (isLast) await this.#context.queue.contacts.lookAgain(contactsMapping);
    await this.#commit(isLast ? transitions.swept(next) : next, page, true);
    if (isLast) logger.info("snapshot.done", { mapping: contactsMapping });
    return 0;
  }

  async #readChanges(
    checkpoint: Checkpoint,
    delta: NonNullable<Checkpoint["delta"]>,
    signal: AbortSignal,
  ): Promise<number> {
    const { settings, logger, now, state } = this.#context;
    const cursor = transitions.deltaCursor(delta);
    const page = await this.#page(cursor, signal).catch(async (error: unknown) => {
      if (isExpired(error)) {
        logger.warn("delta.expired", { mapping: contactsMapping });
        const { delta: _, ...rest } = checkpoint;
        await this.#save({ ...rest, snapshot: { purpose: "Resync", sweeping: false } });
      } else if (cursor.kind === "next" && isRefused(error)) await this.#save(transitions.restartRound(checkpoint));
      else throw error;
      return undefined;
    });
    if (page === undefined || !(await this.#counts(page, signal))) return 0;
    const next = transitions.afterDeltaPage(checkpoint, page, now());
    const isQuiet = page.records.length + page.deletedIds.length === 0 && delta.nextLink === undefined;
    if (isQuiet && page.nextLink === undefined && now() - delta.issuedAt < saveLinkEveryMs) {
      // Not worth a write: the older link tells the same.
      state.checkpoint = { ...next, delta: { link: next.delta?.link ?? delta.link, issuedAt: delta.issuedAt } };
    } else await this.#commit(next, page, false);
    return page.nextLink === undefined ? settings.pollIntervalMs : 0;
  }

  #page(cursor: ReturnType<typeof transitions.snapshotCursor>, signal: AbortSignal): Promise<TrackedPage> {
    const { dataverse, settings, state } = this.#context;
    if (state.plan === undefined) throw new Error("nothing is read while it does not fit");
    const { table: metadata, columns } = state.plan;
    return dataverse.readTracked({ metadata, columns, cursor, pageSize: settings.pageSize, labels: false }, signal);
  }

  /** Whether the page was read by the metadata that the plan was made by; if something was published, that is looked at. */
  async #counts({ schemaVersion }: TrackedPage, signal: AbortSignal): Promise<boolean> {
    const { state } = this.#context;
    if (schemaVersion === undefined || schemaVersion === this.#schemaVersion) return true;
    const { identity } = state;
    await fitPairs(this.#context, signal);
    this.#schemaVersion = schemaVersion;
    return state.identity === identity;
  }

  async #commit(checkpoint: Checkpoint, page: TrackedPage, bulk: boolean): Promise<void> {
    const { queue, state, logger, wake } = this.#context;
    const { plan } = state;
    if (plan === undefined) return;
    const read = page.records.map((record): Notice => {
      return { id: record.id, told: toldText({ dynamics: dynamicsReading(plan, record, false) }) };
    });
    const gone = page.deletedIds.map((id): Notice => ({ id, told: toldText({ dynamics: "Look" }) }));
    const notices = [...read, ...gone];
    const { generation } = checkpoint;
    await queue.contacts.tell({ mapping: contactsMapping, generation, notices, merge: mergeTold, bulk, checkpoint });
    state.checkpoint = checkpoint;
    if (notices.length === 0) return;
    logger.info("page.read", { mapping: contactsMapping, from: "Dynamics", records: notices.length });
    wake();
  }

  async #save(checkpoint: Checkpoint): Promise<void> {
    await this.#context.queue.saveCheckpoint(checkpoint);
    this.#context.state.checkpoint = checkpoint;
  }
}
