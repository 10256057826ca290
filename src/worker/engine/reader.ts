import { sleep } from "../../telemetry/clock.ts";
import type { TrackedPage, TrackedRecord } from "../dataverse/interface.ts";
import type { Plan } from "../flows/ingress/plan.ts";
import { mapRow } from "../flows/ingress/record.ts";
import { isExpired, isRefused, ServiceError } from "../http/service-error.ts";
import type { Checkpoint } from "../queue/checkpoint.ts";
import type { Incoming, PageCommit } from "../queue/page.ts";
import type { EngineContext, MappingState } from "./context.ts";
import { fatalOf } from "./fatal.ts";
import { Follower } from "./follower.ts";
import { backoffMs } from "./health.ts";
import { PublishGuard } from "./publish-guard.ts";
import { ReadingRoom } from "./reading-room.ts";
import { inferredLimit } from "./settings.ts";
import { sweepAll } from "./sweep.ts";
import { TableSize } from "./table-size.ts";
import * as transitions from "./transitions.ts";

const listPageSize = 1000;
const waitForRoomMs = 500;
/** Between two looks at what another process found out. */
const followEveryMs = 1000;
/** A link that nothing came by is saved at last after this time: the service keeps links for days. */
const saveLinkEveryMs = 600_000;

/**
 * Reads one mapping, one fetch and commit at a time: what Campaign has already, the table once, then its changes. Changes
 * go before the table, for their link ages.
 */
export class Reader {
  readonly #context: EngineContext;
  readonly #state: MappingState;
  readonly #guard: PublishGuard;
  readonly #follower: Follower;
  readonly #size = new TableSize();
  readonly #room: ReadingRoom;
  #nextPollAt = 0;
  #isListingForgotten = false;
  #failures = 0;

  /** @param states of all mappings */
  constructor(context: EngineContext, state: MappingState, states: readonly MappingState[]) {
    this.#context = context;
    this.#state = state;
    this.#guard = new PublishGuard(context, state);
    this.#room = new ReadingRoom(context, state, states);
    this.#follower = new Follower(context, state);
  }

  /** Runs until `stop` aborts; while another process reads, by what that one finds out. @throws FatalError */
  async run(stop: AbortSignal): Promise<void> {
    const state = this.#state;
    while (!stop.aborted) {
      if (state.reading === undefined || state.reading.lost.aborted) state.reading = await this.#follower.look(stop);
      if (state.reading === undefined) await sleep(this.#context.clock, followEveryMs, stop);
      else await this.#read(AbortSignal.any([stop, state.reading.lost]));
    }
    await state.reading?.end();
  }

  async #read(stop: AbortSignal): Promise<void> {
    for (let waitMs = 0; !stop.aborted; ) {
      const until = this.#context.clock.now() + waitMs;
      waitMs = await this.#waitOrStep(until, stop).catch((error: unknown) => this.#failed(error, stop));
    }
  }

  /** Waits for its time, or for the guard's, and does what is due. @returns how long to wait before the next */
  async #waitOrStep(until: number, stop: AbortSignal): Promise<number> {
    const { clock } = this.#context;
    const state = this.#state;
    const asked = AbortSignal.any([stop, state.requests.asked]);
    await sleep(clock, Math.min(until - clock.now(), this.#guard.dueInMs), asked);
    if (stop.aborted) return 0;
    if (clock.now() >= until) return this.#step(stop);
    const before = state.plan;
    const plan = await this.#guard.plan(stop);
    return (plan === undefined) === (before === undefined) ? until - clock.now() : 0;
  }

  /** Does one thing. @returns how long to wait before the next */
  async #step(signal: AbortSignal): Promise<number> {
    const { clock, settings } = this.#context;
    const state = this.#state;
    const plan = await this.#guard.plan(signal);
    if (plan === undefined || state.checkpoint.pause !== undefined) return settings.lookAgainMs;
    const replay = transitions.replay(state.checkpoint, state.mapping);
    if (replay !== undefined) await this.#save(replay);
    const { delta, snapshot, listing } = state.checkpoint;
    if (listing !== undefined) await this.#list(listing, signal);
    else if (delta !== undefined && (delta.nextLink !== undefined || clock.now() >= this.#nextPollAt)) {
      await this.#readChanges(plan, delta, signal);
    } else if (snapshot?.sweeping) await this.#sweep();
    else if (snapshot !== undefined)
      return (await this.#room.forTable()) ? this.#readTable(plan, signal) : waitForRoomMs;
    else if (delta === undefined) await this.#save(transitions.readAgain(state.checkpoint));
    else return Math.max(0, this.#nextPollAt - clock.now());
    this.#failures = 0;
    return 0;
  }

  /** First load: which keys Campaign has, so that every other record is one insert and one call. */
  async #list(listing: NonNullable<Checkpoint["listing"]>, signal: AbortSignal): Promise<void> {
    const { campaign, queue, logger } = this.#context;
    const { resource, key, table } = this.#state.mapping;
    const page = await campaign.list(resource, listPageSize, listing.nextLink, signal).catch(async (error: unknown) => {
      if (listing.nextLink === undefined || !isRefused(error)) throw error;
      await this.#save({ ...this.#state.checkpoint, listing: {} }); // Its paging link is no longer honoured.
      return undefined;
    });
    if (page === undefined) return;
    const { listing: _, ...rest } = this.#state.checkpoint;
    const next = page.nextLink === undefined ? rest : { ...rest, listing: { nextLink: page.nextLink } };
    const keys = page.records.flatMap(({ fields }) => {
      const value = fields[key.field];
      return value === undefined || value === null || value === "" ? [] : [String(value)];
    });
    await queue.commitListing(next, keys);
    this.#state.checkpoint = next;
    if (page.nextLink === undefined) logger.info("listing.done", { mapping: table, resource });
  }

  async #readTable(plan: Plan, signal: AbortSignal): Promise<number> {
    const { checkpoint } = this.#state;
    const { dataverse, settings, logger, now } = this.#context;
    const cursor = transitions.snapshotCursor(checkpoint);
    this.#size.ask(checkpoint, this.#context, signal);
    const read = {
      metadata: plan.table,
      columns: plan.columns,
      labels: plan.labels,
      pageSize: settings.pageSize,
      cursor,
    };
    const page = await dataverse.readTracked(read, signal).catch(async (error: unknown) => {
      if (cursor.kind !== "next" || !(isRefused(error) || isExpired(error))) throw error;
      logger.info("snapshot.restarted", { mapping: checkpoint.mapping });
      await this.#save(transitions.restartSnapshot(checkpoint));
      return undefined;
    });
    this.#failures = 0;
    if (page === undefined) return 0;
    const incoming = this.#incoming(plan, page, false);
    if (!(await this.#guard.counts(plan, page, incoming, signal))) return 0;
    const purpose = checkpoint.snapshot?.purpose;
    const next = transitions.afterSnapshotPage(this.#state.checkpoint, page, now(), this.#size.records);
    await this.#commit(next, incoming, {
      stage: "Snapshot",
      replay: purpose === "Replay",
      listed: purpose === "FirstLoad",
      isLast: page.nextLink === undefined,
    });
    return 0;
  }

  async #readChanges(plan: Plan, delta: NonNullable<Checkpoint["delta"]>, signal: AbortSignal): Promise<void> {
    const { checkpoint } = this.#state;
    const { dataverse, settings, logger, now, clock, queue } = this.#context;
    const cursor = transitions.deltaCursor(delta);
    const read = {
      metadata: plan.table,
      columns: plan.columns,
      labels: plan.labels,
      pageSize: settings.pageSize,
      cursor,
    };
    const page = await dataverse.readTracked(read, signal).catch(async (error: unknown) => {
      if (isExpired(error)) {
        logger.warn("delta.expired", { mapping: checkpoint.mapping, generation: checkpoint.generation + 1 });
        const next = transitions.readAgain(checkpoint);
        await queue.beginGeneration(next);
        this.#state.checkpoint = next;
      } else if (cursor.kind === "next" && isRefused(error)) await this.#save(transitions.restartRound(checkpoint));
      else throw error;
      return undefined;
    });
    if (page === undefined) return;
    // A reader that waits outlives its link: above the mark, keys only.
    const incoming = this.#incoming(plan, page, !(await this.#room.forContent()));
    if (!(await this.#guard.counts(plan, page, incoming, signal))) return;
    const next = transitions.afterDeltaPage(this.#state.checkpoint, page, now());
    if (page.nextLink === undefined) this.#nextPollAt = clock.now() + settings.pollIntervalMs;
    const isQuiet = page.records.length + page.deletedIds.length === 0 && delta.nextLink === undefined;
    const isIdle = isQuiet && page.nextLink === undefined && (await this.#pendingRecords()) === 0;
    if (isIdle && now() - delta.issuedAt < saveLinkEveryMs) {
      // Not worth a write: the older link tells the same.
      this.#state.checkpoint = { ...next, delta: { link: next.delta?.link ?? delta.link, issuedAt: delta.issuedAt } };
      return this.#forgetListing();
    }
    await this.#commit(next, incoming, {
      stage: "Round",
      replay: false,
      listed: false,
      isLast: page.nextLink === undefined,
    });
  }

  /** Once everything of the first load is written, nobody asks any more what Campaign had before. */
  async #forgetListing(): Promise<void> {
    const { snapshot, mapping } = this.#state.checkpoint;
    if (this.#isListingForgotten || snapshot?.purpose === "FirstLoad") return;
    await this.#context.queue.forgetListing(mapping);
    this.#isListingForgotten = true;
  }

  #incoming(plan: Plan, page: TrackedPage, keysOnly: boolean): readonly Incoming[] {
    const upserts = page.records.map((record) => incomingOf(plan, record, keysOnly));
    return [...upserts, ...page.deletedIds.map((id) => ({ kind: "Delete", id }) as const)];
  }

  /** @throws RefusedPage */
  #checkRefusals(records: readonly Incoming[]): void {
    // A record without a key is its own affair: a key column that few records fill is nothing to stop for.
    const refusals = records.flatMap((one) =>
      one.kind === "Refused" && one.refusal.reason !== "KeyMissing" ? [one.refusal.message] : [],
    );
    const { waveRefusals } = this.#context.settings;
    const rows = records.filter(({ kind }) => kind !== "Delete").length;
    if (refusals.length >= waveRefusals && refusals.length === rows && new Set(refusals).size === 1) {
      throw new RefusedPage(refusals[0] ?? "");
    }
  }

  async #commit(
    checkpoint: Checkpoint,
    records: readonly Incoming[],
    { isLast, ...rest }: Pick<PageCommit, "stage" | "replay" | "listed"> & { isLast: boolean },
  ): Promise<void> {
    const { queue, settings, logger, wake } = this.#context;
    const { mapping } = checkpoint;
    this.#checkRefusals(records);
    const limit = isLast ? inferredLimit(settings, await this.#writtenRecords()) : 0;
    const page = { checkpoint, records, ...rest, ...(isLast ? { release: { inferredLimit: limit } } : {}) };
    const { taken, withheld } = await queue.commitPage(page);
    this.#state.checkpoint = checkpoint;
    this.#state.speed.done.add(records.length - taken, this.#context.clock.now());
    if (records.length > 0) logger.info("page.read", { mapping, stage: rest.stage, records: records.length, taken });
    if (taken > 0 || isLast) wake();
    if (withheld > 0) await this.#pauseForDeletions(withheld, "left the filter");
  }

  /** The table was read to its end: what this generation did not see is gone at its source. */
  async #sweep(): Promise<void> {
    const { queue, settings, logger, wake } = this.#context;
    const { checkpoint, mapping } = this.#state;
    const { generation } = checkpoint;
    if (mapping.applyDeletes) {
      const unseen = await queue.countUnseen(mapping.table, generation);
      if (unseen > inferredLimit(settings, await this.#writtenRecords())) {
        return this.#pauseForDeletions(unseen, "are no longer in the table");
      }
    }
    await sweepAll(queue, mapping, generation);
    await this.#save(transitions.swept(checkpoint));
    logger.info("snapshot.done", { mapping: mapping.table, generation });
    wake();
  }

  #pauseForDeletions(records: number, why: string): Promise<void> {
    const { table } = this.#state.mapping;
    const message =
      `${records} records that this workflow wrote ${why}, more than are deleted in Campaign without asking. ` +
      `Nothing of ${table} moves until then: look whether this is right. If it is, give the mapping a new value of replay and restart the workflow. ` +
      "If not, edit the mapping so that they stay, and restart it";
    this.#context.logger.warn("mapping.paused", { mapping: table, reason: "MassDeletion", records });
    return this.#save(
      transitions.paused(this.#state.checkpoint, this.#state.mapping, {
        reason: "MassDeletion",
        message,
        since: this.#context.now(),
      }),
    );
  }

  async #failed(error: unknown, stop: AbortSignal): Promise<number> {
    if (stop.aborted) return 0;
    const fatal = fatalOf(error);
    if (fatal !== undefined) throw fatal;
    const { logger, random } = this.#context;
    const { table: mapping } = this.#state.mapping;
    if (error instanceof RefusedPage || (error instanceof ServiceError && error.scope === "Mapping")) {
      return this.#guard.meets(error.code, error.message);
    }
    this.#failures += 1;
    if (this.#state.plan === undefined)
      this.#state.lookFailure = error instanceof Error ? error.message : String(error);
    const waitMs = Math.max(
      backoffMs(this.#failures, random()),
      error instanceof ServiceError ? (error.retryAfterSeconds ?? 0) * 1000 : 0,
    );
    logger.warn("read.failed", { mapping, failures: this.#failures, tryAgainMs: Math.round(waitMs), error });
    this.#guard.waits(waitMs);
    return waitMs;
  }

  async #save(checkpoint: Checkpoint): Promise<void> {
    await this.#context.queue.saveCheckpoint(checkpoint);
    this.#state.checkpoint = checkpoint;
  }

  async #pendingRecords(): Promise<number> {
    return (await this.#context.queue.counts()).get(this.#state.mapping.table)?.pending ?? 0;
  }

  async #writtenRecords(): Promise<number> {
    return (await this.#context.queue.counts()).get(this.#state.mapping.table)?.written ?? 0;
  }
}

/** Every record of a page is refused for one cause: that is the mapping's trouble, not the records'. */
class RefusedPage extends Error {
  override readonly name = "RefusedPage";
  readonly code = "ConversionFailed";
}

function incomingOf(plan: Plan, { id, version, row }: TrackedRecord, keysOnly: boolean): Incoming {
  const mapped = mapRow(plan, row);
  switch (mapped.kind) {
    case "Mapped": {
      if (keysOnly) return { kind: "Upsert", id, version };
      const content = { targetKey: mapped.targetKey, payload: JSON.stringify(mapped.fields) };
      return { kind: "Upsert", id, version, content };
    }
    case "FilteredOut":
      return { kind: "FilteredOut", id, version, remove: plan.mapping.filter?.deleteUnmatched ?? false };
    case "Refused":
      return { kind: "Refused", id, version, refusal: mapped.refusal };
  }
}
