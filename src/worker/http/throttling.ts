import type { Throttling } from "../../api/integration-workflow.ts";
import type { Clock } from "../../telemetry/clock.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { Governor } from "../governor/governor.ts";
import type { HeldLimit } from "../governor/strain.ts";
import { isRecord, jsonOf } from "./answer.ts";
import type { ServiceName } from "./service-error.ts";
import type { HttpResponse } from "./transport.ts";

/** Which of Dataverse's service protection limits refuses a call. Source: api-limits.md, "Service protection API limit errors" */
const dataverseLimits: Readonly<Record<string, HeldLimit>> = {
  "0x80072322": "Calls",
  "0x80072321": "ExecutionTime",
  "0x80072326": "Concurrency",
};

/** The limit that a refusal names. */
export function limitOf({ body }: HttpResponse): HeldLimit {
  const answer = jsonOf(body);
  const error = isRecord(answer) ? answer["error"] : undefined;
  const code = isRecord(error) ? error["code"] : undefined;
  return (typeof code === "string" && dataverseLimits[code.toLowerCase()]) || "Unnamed";
}

export interface ThrottlingOptions {
  readonly governors: Readonly<Record<ServiceName, Governor>>;
  /** The governors' own. */
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly logger: Logger;
}

/** Tells which services hold calls back, with dates that stay the same for as long as it lasts. */
export class ThrottlingTold {
  readonly #options: ThrottlingOptions;
  readonly #dates = new Map<ServiceName, { readonly since: number; readonly date: string }>();

  constructor(options: ThrottlingOptions) {
    this.#options = options;
  }

  now(): readonly Throttling[] {
    return (["Dataverse", "Campaign"] as const).flatMap((service) => {
      const strain = this.#options.governors[service].strain();
      if (strain === undefined) {
        if (this.#dates.delete(service)) this.#options.logger.info("calls.not-held-back", { service });
        return [];
      }
      const { by: heldBy, limit, since, ...figures } = strain;
      return [{ service, heldBy, limit, since: this.#dateOf(service, since, { heldBy, limit }), ...figures }];
    });
  }

  #dateOf(service: ServiceName, since: number, why: object): string {
    const known = this.#dates.get(service);
    if (known?.since === since) return known.date;
    const { clock, now, logger } = this.#options;
    const date = new Date(now() - (clock.now() - since)).toISOString();
    this.#dates.set(service, { since, date });
    logger.warn("calls.held-back", { service, ...why, since: date });
    return date;
  }
}
