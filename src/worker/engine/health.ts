import { type Clock, sleep } from "../../telemetry/clock.ts";
import type { Campaign } from "../campaign/interface.ts";
import type { Dataverse } from "../dataverse/interface.ts";
import { ServiceError, type ServiceName } from "../http/service-error.ts";

interface ServiceHealth {
  answeredAt: number | undefined;
  failuresInARow: number;
  lastFailure: string | undefined;
  /** It refused calls because they were too many, and asked to be left alone until then. */
  restsUntil: number | undefined;
  /** Resolved by the next answer. */
  nextAnswer: PromiseWithResolvers<void>;
}

function unknownHealth(): ServiceHealth {
  return {
    answeredAt: undefined,
    failuresInARow: 0,
    lastFailure: undefined,
    restsUntil: undefined,
    nextAnswer: Promise.withResolvers(),
  };
}

/** A failure that concerns the service as a whole, and not what was asked of it. */
function isOutage({ scope, code }: ServiceError): boolean {
  return scope === "Service" && code !== "EngineError";
}

/** Dataverse counts calls over five minutes (api-limits.md): what it asks for within is throttling, and beyond it an outage. */
const longestRestMs = 300_000;

const firstPauseMs = 500;
const longestPauseMs = 30_000;
/** A single record can fail like an outage; this many in a row are one. */
const failuresOfAnOutage = 3;

/** When each system last answered, and how long to leave it alone. An answer that refuses is an answer. */
export class Health {
  readonly #clock: Clock;
  readonly #asked: readonly ServiceName[];
  readonly #services: Record<ServiceName, ServiceHealth> = {
    Dataverse: unknownHealth(),
    Campaign: unknownHealth(),
  };

  /** @param asked those that are to answer */
  constructor(clock: Clock, asked: readonly ServiceName[] = ["Dataverse", "Campaign"]) {
    this.#clock = clock;
    this.#asked = asked;
  }

  async observe<T>(service: ServiceName, call: () => Promise<T>): Promise<T> {
    const health = this.#services[service];
    const answered = () => {
      health.answeredAt = this.#clock.now();
      health.failuresInARow = 0;
      health.lastFailure = undefined;
      health.nextAnswer.resolve();
      health.nextAnswer = Promise.withResolvers();
    };
    try {
      const result = await call();
      answered();
      return result;
    } catch (error) {
      if (!(error instanceof ServiceError) || error.code === "Aborted") throw error;
      if (error.scope === "Service") health.lastFailure = error.message;
      else answered();
      if (error.code === "Throttled") health.restsUntil = this.#clock.now() + (error.retryAfterSeconds ?? 0) * 1000;
      if (isOutage(error)) health.failuresInARow += 1;
      throw error;
    }
  }

  /**
   * Of the systems that did not answer within `windowMs`: which, and what came instead. One that asks for rest is not away,
   * for as long as limits of its own may keep it so.
   */
  silent(windowMs: number): readonly { readonly service: ServiceName; readonly lastFailure: string | undefined }[] {
    const now = this.#clock.now();
    return this.#asked.flatMap((service) => {
      const { answeredAt, lastFailure, restsUntil } = this.#services[service];
      const isResting = restsUntil !== undefined && restsUntil >= now - windowMs;
      const since = now - windowMs - (isResting ? longestRestMs : 0);
      return answeredAt === undefined || answeredAt < since ? [{ service, lastFailure }] : [];
    });
  }

  answeredWithin(service: ServiceName, windowMs: number): boolean {
    const { answeredAt } = this.#services[service];
    return answeredAt !== undefined && answeredAt >= this.#clock.now() - windowMs;
  }

  /** On the engine's clock; undefined when it never did. */
  answeredAt(service: ServiceName): number | undefined {
    return this.#services[service].answeredAt;
  }

  /** Whether a service seems to be down: then one call at a time finds out when it is back. */
  isDown(service: ServiceName): boolean {
    return this.#services[service].failuresInARow >= failuresOfAnOutage;
  }

  /** How long to wait before the next try. */
  #pauseMs(service: ServiceName, random: number): number {
    const { failuresInARow } = this.#services[service];
    return backoffMs(failuresInARow, random);
  }

  /** After a question that found no answer: as `pause` does, for all that were asked, and half a second at least. */
  async pauseAll(services: readonly ServiceName[], random: number, signal: AbortSignal): Promise<void> {
    await sleep(this.#clock, firstPauseMs, signal);
    await Promise.all(services.map((service) => this.pause(service, random, signal)));
  }

  /** Resolves when it is time for the next try, or the service answers another call, or the signal aborts. */
  async pause(service: ServiceName, random: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const time = sleep(this.#clock, this.#pauseMs(service, random), AbortSignal.any([signal, over.signal]));
    await Promise.race([time, this.#services[service].nextAnswer.promise]);
    over.abort();
  }
}

/** Exponential, at most half a minute, with a half of it random. */
export function backoffMs(failures: number, random: number): number {
  if (failures === 0) return 0;
  const full = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures - 1, 10));
  return full / 2 + (full / 2) * random;
}

/** The same client, observed. */
export function observedDataverse(dataverse: Dataverse, health: Health): Dataverse {
  const observe = <T>(call: () => Promise<T>) => health.observe("Dataverse", call);
  return {
    whoAmI: (...args) => observe(() => dataverse.whoAmI(...args)),
    tableMetadata: (...args) => observe(() => dataverse.tableMetadata(...args)),
    readTracked: (...args) => observe(() => dataverse.readTracked(...args)),
    // What is asked out of curiosity is no sign of health: an organisation may not know the question.
    estimatedRecords: (...args) => dataverse.estimatedRecords(...args),
    readRecord: (...args) => observe(() => dataverse.readRecord(...args)),
  };
}

/** The same client, observed. */
export function observedCampaign(campaign: Campaign, health: Health): Campaign {
  const observe = <T>(call: () => Promise<T>) => health.observe("Campaign", call);
  return {
    resourceMetadata: (...args) => observe(() => campaign.resourceMetadata(...args)),
    list: (...args) => observe(() => campaign.list(...args)),
    findByKey: (...args) => observe(() => campaign.findByKey(...args)),
    // Mostly known without a call, which is no sign of health.
    refusesDuplicates: (...args) => campaign.refusesDuplicates(...args),
    insert: (...args) => observe(() => campaign.insert(...args)),
    updateByKey: (...args) => observe(() => campaign.updateByKey(...args)),
    deleteByKey: (...args) => observe(() => campaign.deleteByKey(...args)),
  };
}
