import type { WorkflowConfiguration } from "../../api/configuration.ts";
import type { IngressMapping } from "../../api/integration-workflow.ts";
import type { WorkerStatus } from "../../api/worker-contract.ts";
import { type Clock, sleep } from "../../telemetry/clock.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { Campaign } from "../campaign/interface.ts";
import type { Dataverse } from "../dataverse/interface.ts";
import { mappingHash } from "../flows/ingress/plan.ts";
import { StoreOutage } from "../queue/errors.ts";
import type { Queue } from "../queue/interface.ts";
import { LastFailures } from "../records/last-failures.ts";
import { Records } from "../records/records.ts";
import { CheckRequests } from "./check-requests.ts";
import type { EngineContext, MappingState } from "./context.ts";
import { FatalError } from "./fatal.ts";
import { HashTrust } from "./hash-trust.ts";
import { Health, observedCampaign, observedDataverse } from "./health.ts";
import { dropOthers, prepareMapping } from "./preparation.ts";
import { RateMeter } from "./rate-meter.ts";
import { Reader } from "./reader.ts";
import type { EngineSettings } from "./settings.ts";
import { nothingFitted, notReadyReason, tableFittings, workerStatus } from "./status.ts";
import * as transitions from "./transitions.ts";
import { askTheSilent, claimStore, forgetOldRefusals, repeat, tellProgress, tellProgressEveryMs } from "./upkeep.ts";
import { logWaves, WaveGuard } from "./wave-guard.ts";
import { Writer } from "./writer.ts";

export interface EngineOptions {
  readonly configuration: WorkflowConfiguration;
  readonly mappings: readonly IngressMapping[];
  readonly queue: Queue;
  readonly dataverse: Dataverse;
  readonly campaign: Campaign;
  readonly settings: EngineSettings;
  readonly clock: Clock;
  readonly now: () => number;
  readonly random: () => number;
  readonly logger: Logger;
}

const forgetRefusalsEveryMs = 3_600_000;

/** One workflow's records on their way: Dataverse, queue, Campaign. */
export class IngressEngine {
  readonly #options: EngineOptions;
  readonly #health: Health;
  readonly #context: EngineContext;
  readonly #states: MappingState[];
  readonly #writer: Writer;
  readonly #ends = new AbortController();
  readonly #records: Records;
  #isStarted = false;

  constructor(options: EngineOptions) {
    const { dataverse, campaign, clock, settings, mappings } = options;
    this.#options = options;
    this.#health = new Health(clock);
    this.#context = {
      ...options,
      health: this.#health,
      failures: new LastFailures(),
      dataverse: observedDataverse(dataverse, this.#health),
      campaign: observedCampaign(campaign, this.#health),
      wake: () => this.#writer.wake(),
      blocked: () => this.#endIfNothingCanRun(),
    };
    this.#states = mappings.map((mapping) => ({
      mapping,
      checkpoint: transitions.firstLoad(mapping, mappingHash(mapping)),
      reading: undefined,
      plan: undefined,
      block: undefined,
      trust: new HashTrust(),
      requests: new CheckRequests(),
      ran: false,
      wave: new WaveGuard(settings.waveRefusals, logWaves(options.logger, mapping.table, settings.waveRefusals)),
      suspendedUntil: 0,
      speed: { written: new RateMeter(), done: new RateMeter() },
    }));
    this.#writer = new Writer(this.#context, this.#states);
    const { failures, wake } = this.#context;
    this.#records = new Records({ ...options, states: this.#states, failures, wake });
  }

  /**
   * Moves records until `stop` aborts and what was in flight has ended; `giveUp` ends the calls in flight.
   * @throws FatalError when only a person can help
   */
  async run(stop: AbortSignal, giveUp: AbortSignal): Promise<void> {
    const end = AbortSignal.any([stop, this.#ends.signal]);
    try {
      await claimStore({ ...this.#context, configuration: this.#options.configuration }, this.#health, end);
      if (end.aborted) return;
      if (!(await this.#prepared(end))) return;
      this.#isStarted = true;
      const { clock, settings } = this.#context;
      const parts = [
        this.#writer.run(end, giveUp),
        ...this.#states.map((state) => new Reader(this.#context, state, this.#states).run(end)),
        repeat(clock, settings.readyWindowMs / 3, end, () => this.#probe(end)),
        repeat(clock, forgetRefusalsEveryMs, end, () =>
          forgetOldRefusals({ ...this.#context, configuration: this.#options.configuration }),
        ),
        repeat(clock, tellProgressEveryMs, end, () => tellProgress(() => this.status(), this.#context.logger)),
      ];
      // The first that fails ends the others, which finish what they have in hand.
      await Promise.allSettled(parts.map((part) => part.catch((error: unknown) => this.#ends.abort(error))));
    } catch (error) {
      this.#ends.abort(error);
    }
    if (this.#ends.signal.aborted) throw this.#ends.signal.reason;
  }

  /** Single records, for whoever asks after one. Undefined until it is known that the store is this workflow's. */
  get records(): Records | undefined {
    return this.#isStarted ? this.#records : undefined;
  }

  async status(): Promise<WorkerStatus> {
    const counts = await this.#context.queue.counts();
    const { clock, settings } = this.#context;
    return workerStatus(this.#states, counts, { notReady: this.notReady(), now: clock.now(), settings });
  }

  /** Why the worker is not ready; undefined when it is. */
  notReady(): WorkerStatus["notReady"] {
    const { settings, queue } = this.#context;
    if (queue.outage !== undefined) return queue.outage;
    const silent = notReadyReason(this.#states, this.#health, settings.readyWindowMs);
    if (silent !== undefined) return silent;
    if (!this.#isStarted) return { reason: "Starting", message: "the queue is being prepared" };
    return nothingFitted(tableFittings(this.#states));
  }

  /** Waits for room, if there is none. @returns false when the end came first */
  async #prepared(end: AbortSignal): Promise<boolean> {
    while (!end.aborted) {
      try {
        await this.#prepare();
        return true;
      } catch (error) {
        if (!(error instanceof StoreOutage)) throw error;
        await sleep(this.#context.clock, this.#context.settings.fullStorePauseMs, end);
      }
    }
    return false;
  }

  /** What this run's configuration means for what earlier runs left. What another process reads, that one prepares. */
  async #prepare(): Promise<void> {
    const { queue, mappings } = this.#context;
    const stored = await queue.checkpoints();
    await dropOthers(this.#context, mappings, stored);
    for (const state of this.#states) {
      const { table } = state.mapping;
      state.reading ??= await queue.read(table);
      if (state.reading === undefined) continue;
      // Somebody may have read it until just now.
      const newest = (await queue.checkpoints()).find(({ mapping }) => mapping === table);
      state.checkpoint = await prepareMapping(this.#context, state.mapping, newest);
    }
  }

  /** A process that reads asks Dataverse for changes, and whether these come is what counts. */
  #probe(end: AbortSignal): Promise<void> {
    const { campaign, dataverse } = this.#context;
    const reads = this.#states.some(({ reading }) => reading !== undefined);
    const [state] = this.#states;
    return askTheSilent(
      this.#context,
      {
        ...(reads ? {} : { Dataverse: () => dataverse.whoAmI(end) }),
        ...(state === undefined ? {} : { Campaign: () => campaign.resourceMetadata(state.mapping.resource, end) }),
      },
      end,
    );
  }

  /** At the start, a worker none of whose mappings fits says so and ends; later, they are only paused. */
  #endIfNothingCanRun(): void {
    if (this.#states.some(({ block, ran }) => block === undefined || ran)) return;
    const [first] = this.#states;
    const message = this.#states.map(({ mapping, block }) => `${mapping.table}: ${block?.message}`).join("; ");
    this.#ends.abort(new FatalError(first?.block?.reason ?? "NoMapping", `no mapping can run: ${message}`));
  }
}
