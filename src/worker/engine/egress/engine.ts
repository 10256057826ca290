import type { WorkerStatus } from "../../../api/worker-contract.ts";
import { sleep } from "../../../telemetry/clock.ts";
import type { EventKind } from "../../flows/egress/events.ts";
import type { RecordDesk } from "../../records/desk.ts";
import { EgressRecords } from "../../records/egress-records.ts";
import { FatalError, fatalOf } from "../fatal.ts";
import { Health, observedDataverse } from "../health.ts";
import { RateMeter } from "../rate-meter.ts";
import { noAnswer, nothingFitted } from "../status.ts";
import { askTheSilent, claimStore, forgetOldRefusals, repeat, tellProgress, tellProgressEveryMs } from "../upkeep.ts";
import { logWaves, WaveGuard } from "../wave-guard.ts";
import type { EgressContext, EgressOptions, KindState } from "./context.ts";
import { EventSearch } from "./event-search.ts";
import { fitTable } from "./fit.ts";
import { EgressReader } from "./reader.ts";
import { egressStatus, kindFittings, nothingRuns } from "./status.ts";
import { EgressWriter } from "./writer.ts";

const kinds: readonly EventKind[] = ["send", "open", "click", "bounce"];
const forgetRefusalsEveryMs = 3_600_000;

/** One workflow's email events on their way: exported files, queue, activities in Dataverse. */
export class EgressEngine {
  readonly #context: EgressContext;
  readonly #states: readonly KindState[];
  readonly #reader: EgressReader;
  readonly #search: EventSearch;
  readonly #ends = new AbortController();
  #isStarted = false;
  readonly #records: EgressRecords;

  /** @throws FatalError when the configuration cannot be used */
  constructor(options: EgressOptions) {
    const { egress, settings, clock, dataverse } = options;
    const health = new Health(clock, ["Dataverse"]);
    this.#context = {
      ...options,
      health,
      dataverse: observedDataverse(dataverse, health),
      blocked: () => this.#endIfNothingCanRun(),
    };
    this.#states = kinds
      .filter((kind) => egress.events[kind])
      .map((kind) => ({
        kind,
        fit: undefined,
        block: undefined,
        ran: false,
        wave: new WaveGuard(settings.waveRefusals, logWaves(options.logger, kind, settings.waveRefusals)),
        suspendedUntil: 0,
        written: new RateMeter(),
      }));
    this.#records = new EgressRecords({
      ...options,
      instanceUrl: options.configuration.spec.campaign.url,
      states: this.#states,
    });
    const on = new Set(this.#states.map(({ kind }) => kind));
    this.#reader = new EgressReader(this.#context, on);
    const instanceUrl = options.configuration.spec.campaign.url;
    this.#search = new EventSearch(this.#context, { instanceUrl, kinds: on, readTime: this.#reader.readTime });
  }

  /**
   * Moves events until `stop` aborts and what was in flight has ended; `giveUp` ends the calls in flight.
   * @throws FatalError when only a person can help
   */
  async run(stop: AbortSignal, giveUp: AbortSignal): Promise<void> {
    const end = AbortSignal.any([stop, this.#ends.signal]);
    try {
      const { clock, health, settings } = this.#context;
      const ownerId = await claimStore(this.#context, health, end);
      if (ownerId === undefined) return;
      this.#isStarted = true;
      const writer = new EgressWriter(this.#context, this.#search, ownerId);
      const parts = [
        this.#reader.run(end),
        this.#search.run(end),
        ...this.#states.flatMap((state) => [this.#keepFitting(state, end), writer.run(state, end, giveUp)]),
        repeat(clock, settings.readyWindowMs / 3, end, () => this.#probe(end)),
        repeat(clock, forgetRefusalsEveryMs, end, () => forgetOldRefusals(this.#context)),
        repeat(clock, tellProgressEveryMs, end, () => tellProgress(() => this.status(), this.#context.logger)),
      ];
      // The first that fails ends the others, which finish what they have in hand.
      await Promise.allSettled(parts.map((part) => part.catch((error: unknown) => this.#ends.abort(error))));
    } catch (error) {
      this.#ends.abort(error);
    } finally {
      await this.#context.sftp.close();
    }
    if (this.#ends.signal.aborted) throw this.#ends.signal.reason;
  }

  async status(): Promise<WorkerStatus> {
    const { queue, clock } = this.#context;
    const ground = { notReady: this.notReady(), folder: this.#reader.folder, now: clock.now() };
    return egressStatus(this.#states, await queue.counts(), ground);
  }

  /** undefined until the queue is claimed. */
  get records(): RecordDesk | undefined {
    return this.#isStarted ? this.#records : undefined;
  }

  /** Why the worker is not ready; undefined when it is. */
  notReady(): WorkerStatus["notReady"] {
    const { queue, health, settings } = this.#context;
    if (queue.outage !== undefined) return queue.outage;
    const reason = noAnswer(health, settings.readyWindowMs) ?? this.#reader.trouble ?? nothingRuns(this.#states);
    if (reason !== undefined) return reason;
    if (!this.#isStarted) return { reason: "Starting", message: "the queue is being prepared" };
    return nothingFitted(kindFittings(this.#states));
  }

  /** Compares a kind with its table: until it fits, soon again; then now and again. */
  async #keepFitting(state: KindState, end: AbortSignal): Promise<void> {
    const { clock, health, settings, random, logger } = this.#context;
    while (!end.aborted) {
      try {
        await fitTable(state, this.#context, end);
      } catch (error) {
        if (end.aborted) return;
        const fatal = fatalOf(error);
        if (fatal !== undefined) throw fatal;
        state.lookFailure = error instanceof Error ? error.message : String(error);
        logger.warn("mapping.not-checked", { mapping: state.kind, error });
        await health.pauseAll(["Dataverse"], random(), end);
        continue;
      }
      await sleep(clock, state.block === undefined ? settings.checkIntervalMs : settings.lookAgainMs, end);
    }
  }

  #probe(end: AbortSignal): Promise<void> {
    return askTheSilent(this.#context, { Dataverse: () => this.#context.dataverse.whoAmI(end) }, end);
  }

  /** At the start, a worker none of whose kinds fits says so and ends; later, they are only paused. */
  #endIfNothingCanRun(): void {
    if (this.#states.some(({ block, ran }) => block === undefined || ran)) return;
    const message = this.#states.map(({ kind, block }) => `${kind}: ${block?.message}`).join("; ");
    const reason = this.#states[0]?.block?.reason ?? "NoEvents";
    this.#ends.abort(new FatalError(reason, `no kind of event can be written: ${message}`));
  }
}
