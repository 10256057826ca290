import type { WorkerStatus } from "../../../api/worker-contract.ts";
import { sleep } from "../../../telemetry/clock.ts";
import type { EventKind } from "../../flows/egress/events.ts";
import { FatalError, fatalOf } from "../fatal.ts";
import { Health, observedDataverse } from "../health.ts";
import { RateMeter } from "../rate-meter.ts";
import { noAnswer } from "../status.ts";
import { claimStore, forgetOldRefusals, repeat } from "../upkeep.ts";
import { WaveGuard } from "../wave-guard.ts";
import type { EgressContext, EgressOptions, KindState } from "./context.ts";
import { fitTable } from "./fit.ts";
import { EgressReader } from "./reader.ts";
import { egressStatus, nothingRuns } from "./status.ts";
import { EgressWriter } from "./writer.ts";

const kinds: readonly EventKind[] = ["send", "open", "click", "bounce"];
const forgetRefusalsEveryMs = 3_600_000;

/** One workflow's email events on their way: exported files, queue, activities in Dataverse. */
export class EgressEngine {
  readonly #context: EgressContext;
  readonly #states: readonly KindState[];
  readonly #reader: EgressReader;
  readonly #ends = new AbortController();
  #isStarted = false;
  /** Of single events nobody can ask: nothing is remembered of them. */
  readonly records = undefined;

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
        table: undefined,
        block: undefined,
        ran: false,
        wave: new WaveGuard(settings.waveRefusals),
        suspendedUntil: 0,
        written: new RateMeter(),
      }));
    this.#reader = new EgressReader(this.#context, new Set(this.#states.map(({ kind }) => kind)));
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
      const writer = new EgressWriter(this.#context, ownerId);
      const parts = [
        this.#reader.run(end),
        ...this.#states.flatMap((state) => [this.#keepFitting(state, end), writer.run(state, end, giveUp)]),
        repeat(clock, settings.readyWindowMs / 3, end, () => this.#probe(end)),
        repeat(clock, forgetRefusalsEveryMs, end, () => forgetOldRefusals(this.#context)),
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
    return egressStatus(this.#states, await queue.counts(), this.notReady(), clock.now());
  }

  /** Why the worker is not ready; undefined when it is. */
  notReady(): WorkerStatus["notReady"] {
    const { queue, health, settings } = this.#context;
    if (queue.outage !== undefined) return queue.outage;
    const reason = noAnswer(health, settings.readyWindowMs) ?? this.#reader.trouble ?? nothingRuns(this.#states);
    if (reason !== undefined || this.#isStarted) return reason;
    return { reason: "Starting", message: "the queue is being prepared" };
  }

  /** Compares a kind with its table: until it fits, soon again; then now and again. */
  async #keepFitting(state: KindState, end: AbortSignal): Promise<void> {
    const { clock, health, settings, random, logger } = this.#context;
    while (!end.aborted) {
      let pauseMs = settings.checkIntervalMs;
      try {
        await fitTable(state, this.#context, end);
        if (state.block !== undefined) pauseMs = settings.lookAgainMs;
      } catch (error) {
        if (end.aborted) return;
        const fatal = fatalOf(error);
        if (fatal !== undefined) throw fatal;
        pauseMs = Math.max(500, health.pauseMs("Dataverse", random()));
        logger.warn("mapping.not-checked", { mapping: state.kind, tryAgainMs: Math.round(pauseMs), error });
      }
      await sleep(clock, pauseMs, end);
    }
  }

  /** Readiness asks whether Dataverse answers; when nothing is written, somebody must ask it. */
  async #probe(end: AbortSignal): Promise<void> {
    const { health, dataverse, settings, logger } = this.#context;
    if (health.answeredWithin("Dataverse", settings.readyWindowMs / 3)) return;
    await dataverse.whoAmI(end).catch((error: unknown) => {
      const fatal = fatalOf(error);
      if (fatal !== undefined) throw fatal;
      if (!end.aborted) logger.warn("dataverse.no-answer", { error });
    });
  }

  /** At the start, a worker none of whose kinds fits says so and ends; later, they are only paused. */
  #endIfNothingCanRun(): void {
    if (this.#states.some(({ block, ran }) => block === undefined || ran)) return;
    const message = this.#states.map(({ kind, block }) => `${kind}: ${block?.message}`).join("; ");
    const reason = this.#states[0]?.block?.reason ?? "NoEvents";
    this.#ends.abort(new FatalError(reason, `no kind of event can be written: ${message}`));
  }
}
