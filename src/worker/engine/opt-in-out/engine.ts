import type { WorkerStatus } from "../../../api/worker-contract.ts";
import { sleep } from "../../../telemetry/clock.ts";
import type { AuditRecord } from "../../flows/opt-in-out/audit.ts";
import type { ServiceName } from "../../http/service-error.ts";
import { StoreOutage } from "../../queue/errors.ts";
import { ContactRecords } from "../../records/contact-records.ts";
import type { RecordDesk } from "../../records/desk.ts";
import { LastFailures } from "../../records/last-failures.ts";
import { FatalError, fatalOf } from "../fatal.ts";
import { Health, observedCampaign, observedDataverse } from "../health.ts";
import { RateMeter } from "../rate-meter.ts";
import { noAnswer, nothingFitted } from "../status.ts";
import { askTheSilent, claimStore, forgetOldRefusals, repeat } from "../upkeep.ts";
import { logWaves, WaveGuard } from "../wave-guard.ts";
import { ContactsSource } from "./contacts-source.ts";
import {
  type AuditSink,
  contactsMapping,
  type OptInOutContext,
  type OptInOutOptions,
  pauseOf,
  planInForce,
} from "./context.ts";
import { Decider } from "./decider.ts";
import { ExportsSource } from "./exports-source.ts";
import { fitPairs } from "./fit.ts";
import { ProfilesSource } from "./profiles-source.ts";
import { OptInOutReader, type Source } from "./reader.ts";
import { optInOutStatus } from "./status.ts";

const forgetEveryMs = 3_600_000;
const lookWhetherAskedEveryMs = 1000;

/** One workflow's opt-outs on their way: what changes in both systems, the queue of contacts, decisions, writes. */
export class OptInOutEngine {
  readonly #context: OptInOutContext;
  readonly #decider: Decider;
  readonly #ends = new AbortController();
  #isStarted = false;
  readonly #records: ContactRecords;
  readonly #audit: AuditSink;

  /** @throws FatalError when the configuration cannot be used */
  constructor(options: OptInOutOptions) {
    const { clock, settings, dataverse, updates, campaign, modified, audit } = options;
    this.#audit = audit;
    const isDisabled = options.optInOut.direction === "Disabled";
    const health = new Health(clock, isDisabled ? ["Dataverse"] : ["Dataverse", "Campaign"]);
    const observe = <T>(service: ServiceName, call: () => Promise<T>) => health.observe(service, call);
    this.#context = {
      ...options,
      health,
      failures: new LastFailures(),
      dataverse: observedDataverse(dataverse, health),
      updates: { update: (...args) => observe("Dataverse", () => updates.update(...args)) },
      campaign: observedCampaign(campaign, health),
      modified: {
        newest: (...args) => observe("Campaign", () => modified.newest(...args)),
        page: (...args) => observe("Campaign", () => modified.page(...args)),
      },
      state: {
        plan: undefined,
        identity: undefined,
        prepared: undefined,
        checkpoint: undefined,
        block: undefined,
        sourceTrouble: undefined,
        folder: undefined,
        auditTrouble: undefined,
        isLookAsked: false,
        ran: false,
        wave: new WaveGuard(settings.waveRefusals, logWaves(options.logger, contactsMapping, settings.waveRefusals)),
        suspendedUntil: 0,
        written: new RateMeter(),
        done: new RateMeter(),
      },
      audit: { ...audit, append: (records) => this.#append(records) },
      wake: () => this.#decider.wake(),
      // At the start, a worker that cannot run says so and ends; later, it only stands still.
      blocked: ({ reason, message }) => this.#ends.abort(new FatalError(reason, `no opt-out can move: ${message}`)),
    };
    this.#decider = new Decider(this.#context);
    const { state, failures } = this.#context;
    this.#records = new ContactRecords({ ...options, state, failures });
  }

  /**
   * Moves opt-outs until `stop` aborts and what was in flight has ended; `giveUp` ends the calls in flight.
   * @throws FatalError when only a person can help
   */
  async run(stop: AbortSignal, giveUp: AbortSignal): Promise<void> {
    const end = AbortSignal.any([stop, this.#ends.signal]);
    const { health, exports, audit } = this.#context;
    try {
      if ((await claimStore(this.#context, health, end)) === undefined) return;
      this.#isStarted = true;
      // The first that fails ends the others, which finish what they have in hand.
      const parts = this.#parts(end, giveUp);
      await Promise.allSettled(parts.map((part) => part.catch((error: unknown) => this.#ends.abort(error))));
    } catch (error) {
      this.#ends.abort(error);
    } finally {
      await exports?.sftp.close();
      await audit.close();
    }
    if (this.#ends.signal.aborted) throw this.#ends.signal.reason;
  }

  #parts(end: AbortSignal, giveUp: AbortSignal): readonly Promise<void>[] {
    const { clock, settings, optInOut, logger } = this.#context;
    const upkeep = [
      repeat(clock, settings.readyWindowMs / 3, end, () => this.#probe(end)),
      repeat(clock, forgetEveryMs, end, () => forgetOldRefusals(this.#context)),
      repeat(clock, forgetEveryMs, end, () => this.#forgetOldAudit()),
    ];
    if (optInOut.direction === "Disabled") {
      logger.info("opt-in-out.disabled", {
        why: "optInOut.direction is Disabled: nothing is read and nothing written",
      });
      return upkeep;
    }
    const reader = new OptInOutReader(this.#context, this.#sources());
    return [...upkeep, this.#keepFitting(end), reader.run(end), this.#decider.run(end, giveUp)];
  }

  #sources(): readonly Source[] {
    const { optInOut, exports } = this.#context;
    const { direction, source } = optInOut;
    const contacts = direction === "CampaignToDynamics" ? [] : [new ContactsSource(this.#context)];
    if (direction === "DynamicsToCampaign") return contacts;
    if (source === "Poll") return [...contacts, new ProfilesSource(this.#context)];
    return exports === undefined ? contacts : [...contacts, new ExportsSource(this.#context, exports)];
  }

  /** Single contacts, for whoever asks after one. Undefined until it is known that the store is this workflow's. */
  get records(): RecordDesk | undefined {
    return this.#isStarted ? this.#records : undefined;
  }

  async status(): Promise<WorkerStatus> {
    const { state, optInOut, queue, clock } = this.#context;
    return optInOutStatus(state, optInOut, await queue.counts(), this.notReady(), clock.now());
  }

  /** Why the worker is not ready; undefined when it is. */
  notReady(): WorkerStatus["notReady"] {
    const { queue, health, settings, state, optInOut } = this.#context;
    if (queue.outage !== undefined) return queue.outage;
    const silent = noAnswer(health, settings.readyWindowMs);
    if (silent !== undefined) return silent;
    if (!this.#isStarted) return { reason: "Starting", message: "the queue is being prepared" };
    if (optInOut.direction === "Disabled") return undefined;
    const pause = pauseOf(state);
    if (pause !== undefined) return { reason: pause.reason, message: `no opt-out moves: ${pause.message}` };
    const trouble = state.auditTrouble ?? state.sourceTrouble;
    if (trouble !== undefined) return trouble;
    if (planInForce(state) !== undefined) return undefined;
    return nothingFitted([{ name: contactsMapping, ran: false, isPaused: false, lookFailure: state.lookFailure }]);
  }

  /** Compares the pairs with both systems: until they fit, soon again; then now and again, and when somebody asks. */
  async #keepFitting(end: AbortSignal): Promise<void> {
    const { clock, health, settings, random, logger, state, wake } = this.#context;
    let failures = 0;
    while (!end.aborted) {
      state.isLookAsked = false;
      try {
        await fitPairs(this.#context, end);
        failures = 0;
        wake();
      } catch (error) {
        if (end.aborted) return;
        const fatal = fatalOf(error);
        if (fatal !== undefined) throw fatal;
        failures += 1;
        state.lookFailure = error instanceof Error ? error.message : String(error);
        logger.warn("mapping.not-checked", { mapping: contactsMapping, failures, error });
        await health.pauseAll(["Dataverse", "Campaign"], random(), end);
        continue;
      }
      const pauseMs = state.block === undefined ? settings.checkIntervalMs : settings.lookAgainMs;
      const beganAt = clock.now();
      while (!end.aborted && clock.now() < beganAt + pauseMs) {
        // Soon, and not too often.
        if (state.isLookAsked && clock.now() >= beganAt + Math.min(settings.freshCheckMs, pauseMs)) break;
        await sleep(clock, Math.min(lookWhetherAskedEveryMs, pauseMs), end);
      }
    }
  }

  /** Readiness asks whether both systems answer; when nothing moves, somebody must ask them. */
  #probe(end: AbortSignal): Promise<void> {
    const { dataverse, campaign, optInOut } = this.#context;
    const isDisabled = optInOut.direction === "Disabled";
    return askTheSilent(
      this.#context,
      {
        Dataverse: () => dataverse.whoAmI(end),
        ...(isDisabled ? {} : { Campaign: () => campaign.resourceMetadata("profile", end) }),
      },
      end,
    );
  }

  async #append(records: readonly AuditRecord[]): Promise<void> {
    if (records.length === 0) return; // Nothing is kept, which tells nothing of whether it could be.
    const { state } = this.#context;
    try {
      await this.#audit.append(records);
      state.auditTrouble = undefined;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const message = `decisions cannot be kept in the audit (${why}): nothing is written until they can be`;
      state.auditTrouble = { reason: "AuditNotKept", message };
      throw error;
    }
  }

  async #forgetOldAudit(): Promise<void> {
    await this.#context.audit.forgetOld().catch((error: unknown) => {
      if (!(error instanceof StoreOutage)) this.#context.logger.error("audit.not-cleared", { error });
    });
  }
}
