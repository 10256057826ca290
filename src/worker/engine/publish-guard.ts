import type { IngressMapping } from "../../api/integration-workflow.ts";
import type { CampaignResourceMetadata } from "../campaign/interface.ts";
import type { TrackedPage } from "../dataverse/interface.ts";
import { columnsOf, type Plan, planMapping } from "../flows/ingress/plan.ts";
import { compareUse, type Difference } from "../flows/ingress/schema-comparison.ts";
import { type SchemaUse, schemaUse, usedFields } from "../flows/ingress/schema-use.ts";
import { ServiceError, type ServiceErrorCode } from "../http/service-error.ts";
import type { Doubt, SchemaChecks } from "../queue/checkpoint.ts";
import { StoreOutage } from "../queue/errors.ts";
import type { Incoming } from "../queue/page.ts";
import type { EngineContext, MappingState } from "./context.ts";
import { fatalOf } from "./fatal.ts";
import { HashTrust } from "./hash-trust.ts";
import { begunCheck, drifted, goodCheck, lostFields, resumedChecks, worseDoubt } from "./schema-checks.ts";
import * as transitions from "./transitions.ts";

/** Whether what was read under the plan at hand still counts. */
type Finding = "Same" | "Changed";

interface Misfits {
  readonly reason: string;
  readonly message: string;
  readonly doubt: Doubt;
}

/**
 * Fits one mapping to both systems' metadata, and watches that it stays so: at the start, once in a while, when a page was
 * read by another version of Dataverse's metadata, and when the writer asks because of a refusal. What no longer fits
 * stops the mapping with its rows queued. When it fits again, or what changed can be followed, everything is read again
 * under a new generation, and hashes that may not tell what Campaign holds are not believed. Used by the mapping's reader
 * alone, for it changes the checkpoint.
 */
export class PublishGuard {
  readonly #context: EngineContext;
  readonly #state: MappingState;
  /** On the engine's clock. */
  #beganAt = Number.NEGATIVE_INFINITY;
  #dueAt = Number.NEGATIVE_INFINITY;
  #schemaVersion: string | undefined;
  /** As Campaign last described it. */
  #resource: CampaignResourceMetadata | undefined;
  /** On the engine's clock: when Dataverse's side was last found to fit. */
  #tableGoodSince = Number.NEGATIVE_INFINITY;
  /** On the engine's clock: since when reading has met what every record meets, with no page that counted since. */
  #metAt: number | undefined;
  /** The store took what was found last: nobody else would know of it. */
  #isKept = true;

  constructor(context: EngineContext, state: MappingState) {
    this.#context = context;
    this.#state = state;
  }

  /** How long until it is time for a check, if nobody asks before. */
  get dueInMs(): number {
    return Math.max(0, this.#dueAt - this.#context.clock.now());
  }

  /**
   * Reading met what every record of the mapping meets: it cannot run for now.
   * @returns how long to wait before the next check: a little, if one was made just now; longer, if that one knew of it
   */
  meets(reason: string, message: string): number {
    const { settings, clock } = this.#context;
    const now = clock.now();
    this.#metAt ??= now;
    // A check that began after it was met found that all fits: the next may take its time.
    this.#dueAt =
      this.#beganAt > this.#metAt ? now + settings.lookAgainMs : Math.max(now, this.#beganAt + settings.freshCheckMs);
    this.#block(reason, message);
    return this.dueInMs;
  }

  /** A check could not be made, and its caller tries again after this time: a mapping without a plan not before. */
  waits(delayMs: number): void {
    if (this.#state.plan === undefined) this.#dueAt = this.#context.clock.now() + delayMs;
  }

  /** The plan to work by, after a check if it is time for one; undefined while the mapping does not fit. */
  async plan(signal: AbortSignal): Promise<Plan | undefined> {
    const { clock, settings } = this.#context;
    if (this.#state.requests.take()) {
      // Soon, and not too often.
      this.#dueAt = Math.min(this.#dueAt, Math.max(clock.now(), this.#beganAt + settings.freshCheckMs));
    }
    if (this.dueInMs > 0) return this.#state.plan;
    try {
      await this.#check(signal);
    } catch (error) {
      // What is running goes on while one of the systems is away.
      const isAway = error instanceof ServiceError && error.scope === "Service" && fatalOf(error) === undefined;
      if (this.#state.plan === undefined || !isAway || signal.aborted) throw error;
      // Reading waited for it, and must not wait for the next at once.
      this.#dueAt = clock.now() + settings.checkIntervalMs;
      this.#context.logger.warn("schema.not-checked", { mapping: this.#state.mapping.table, error });
    }
    return this.#state.plan;
  }

  /**
   * To be asked before a page is committed that was read and converted under the plan at hand.
   * @returns whether it counts; if not, what to read is another matter now
   */
  async counts(plan: Plan, page: TrackedPage, incoming: readonly Incoming[], signal: AbortSignal): Promise<boolean> {
    const { schemaVersion } = page;
    const isPublished = schemaVersion !== undefined && schemaVersion !== this.#schemaVersion;
    const { clock, settings } = this.#context;
    const isFresh = clock.now() - this.#tableGoodSince <= settings.freshCheckMs;
    if (!isPublished && (isFresh || !isOdd(plan, page, incoming))) {
      this.#metAt = undefined;
      return true;
    }
    // Dataverse may publish every few seconds for a time; what Campaign says costs a call of its engine.
    const finding = await this.#check(signal, this.#resource);
    if (isPublished) this.#schemaVersion = schemaVersion;
    return finding === "Same";
  }

  /** @param described what Campaign said before: only Dataverse is asked, and nothing is found out of what was written */
  async #check(signal: AbortSignal, described?: CampaignResourceMetadata): Promise<Finding> {
    const { clock, settings, now, dataverse, campaign, queue } = this.#context;
    const state = this.#state;
    const { mapping } = state;
    const beganAt = clock.now();
    const earlier = state.checkpoint.checks;
    const checks = begunCheck(earlier, Math.floor(now() / 1000));
    state.checkpoint = { ...state.checkpoint, checks };
    state.trust.advance(checks);
    // Other processes stamp by what the store says.
    const isTold = !queue.isShared || (await queue.saveCheckpoint(state.checkpoint).then(() => true, isOutage));
    if (described === undefined) {
      this.#beganAt = beganAt;
      this.#dueAt = beganAt + (state.plan === undefined ? settings.lookAgainMs : settings.checkIntervalMs);
    }
    const asked = seen(dataverse.tableMetadata(mapping.table, columnsOf(mapping), signal));
    const resource = described ?? (await seen(campaign.resourceMetadata(mapping.resource, signal)));
    // While Campaign is away, what it said before is what there is to read by.
    if (!("error" in resource)) this.#resource = "fields" in resource ? resource : undefined;
    // Written by this same function.
    const known = checks.use === undefined ? undefined : (JSON.parse(checks.use) as SchemaUse);
    const differencesOf = (use: SchemaUse) => (known === undefined ? [] : compareUse(mapping, known, use));
    const isMeant = transitions.isReplayAsked(state.checkpoint, mapping);
    const fields = "fields" in resource ? usedFields(mapping, resource) : known?.fields;
    const changes = known === undefined || fields === undefined ? [] : differencesOf({ ...known, fields });
    const stopFor = async (gone: readonly Misfits[]): Promise<Finding | undefined> => {
      const all = [...gone, ...changes];
      const misfits = misfitsOf(changes, gone);
      if (misfits === undefined) return undefined;
      return this.#stop(lostFields(checks, lostBy(all, mapping)), { ...misfits, doubt: worst(all) });
    };
    // Campaign does not tell what was made again: what is gone there is kept before anybody waits for Dataverse.
    if (!isMeant) await stopFor("reason" in resource ? [resource] : []);
    const table = await asked;
    if (!("columns" in table) || !("fields" in resource)) {
      // Neither goes unseen because of the other.
      const stopped = await stopFor([table, resource].filter((one) => "reason" in one));
      if (stopped !== undefined) return stopped;
      const away = [table, resource].find((one) => "error" in one);
      throw away?.error;
    }
    const planned = planMapping(mapping, table, resource, this.#context.mappings);
    const use = schemaUse(mapping, table, resource);
    const differences = differencesOf(use);
    const misfits = misfitsOf(isMeant ? [] : differences, "mapping" in planned ? [] : planned);
    const doubt = worst(differences);
    const lost = lostFields(checks, lostBy(differences, mapping));
    if (misfits !== undefined) return this.#stop(lost, { ...misfits, doubt });
    if (!("mapping" in planned)) throw new Error("a mapping that is not planned has misfits");
    this.#tableGoodSince = beganAt;
    const good = described === undefined && isTold ? earlier?.epoch : earlier?.good;
    const checked = goodCheck(lost, good ?? 0, JSON.stringify(use));
    if (differences.length === 0 && checks.drift === undefined) return this.#goOn(checked, planned);
    // A person has to say yes first; then everything is read again.
    if (state.checkpoint.pause !== undefined) return this.#doubt(lost, doubt);
    return this.#readAgain(checked, differences, planned);
  }

  async #stop(checks: SchemaChecks, { reason, message, doubt }: Misfits): Promise<Finding> {
    const { clock, settings } = this.#context;
    this.#dueAt = clock.now() + settings.lookAgainMs;
    this.#state.trust.end();
    this.#state.plan = undefined;
    // What is told is on disk.
    const finding = await this.#doubt(checks, doubt);
    this.#block(reason, checks.use === undefined ? message : `${message}. ${remedy}`);
    return finding;
  }

  /** Keeps that everything is to be read again, and which hashes are not to be believed then. */
  async #doubt(checks: SchemaChecks, doubt: Doubt): Promise<Finding> {
    const { queue } = this.#context;
    const state = this.#state;
    const { use, drift } = checks;
    // What never fitted was never written by: there is nothing to doubt.
    const isKnown = this.#isKept && drift !== undefined && worseDoubt(drift, doubt) === drift;
    if (use === undefined || (isKnown && checks.lost === state.checkpoint.checks?.lost)) return "Changed";
    const next = { ...state.checkpoint, checks: drifted(checks, doubt) };
    // Without room this process knows it all the same, and keeps it by the next check.
    state.checkpoint = next;
    this.#isKept = false;
    await queue.saveCheckpoint(next);
    this.#isKept = true;
    return "Changed";
  }

  async #goOn(checks: SchemaChecks, plan: Plan): Promise<Finding> {
    const state = this.#state;
    const next = { ...state.checkpoint, checks };
    await this.#context.queue.saveCheckpoint(next);
    state.checkpoint = next;
    this.#fitted(checks, plan);
    return "Same";
  }

  async #readAgain(checks: SchemaChecks, differences: readonly Difference[], plan: Plan): Promise<Finding> {
    const { queue, logger } = this.#context;
    const state = this.#state;
    // No turn begins, and none that is under way leaves a hash, until the generation is on disk.
    state.plan = undefined;
    state.trust.end();
    const doubt = worst(differences);
    const next = { ...transitions.readAgain(state.checkpoint), checks: resumedChecks(checks, doubt) };
    await queue.beginGeneration(next);
    state.checkpoint = next;
    const { mapping, generation } = next;
    logger.info("mapping.followed", {
      mapping,
      generation,
      distrusted: worseDoubt(doubt, checks.drift ?? "None"),
      changes: differences.map(({ message }) => message),
    });
    this.#fitted(next.checks, plan);
    return "Changed";
  }

  #fitted(checks: SchemaChecks, plan: Plan): void {
    const { logger, wake, settings } = this.#context;
    const state = this.#state;
    const { table, resource } = state.mapping;
    if (state.trust.isOver) state.trust = new HashTrust(checks);
    else state.trust.advance(checks);
    if (state.plan === undefined) {
      logger.info("mapping.fitted", { mapping: table, resource });
      state.block = undefined;
    }
    state.plan = plan;
    state.ran = true;
    state.lookFailure = undefined;
    state.requests.passed(this.#beganAt);
    this.#dueAt = this.#beganAt + settings.checkIntervalMs;
    wake();
  }

  #block(reason: string, message: string): void {
    const { logger, blocked } = this.#context;
    const state = this.#state;
    if (state.block?.reason !== reason || state.plan !== undefined)
      logger.warn("mapping.blocked", { mapping: state.mapping.table, reason, why: message });
    state.plan = undefined;
    state.block = { reason, message };
    blocked();
  }
}

/** What is gone as a whole. A table's rows change with it; of a resource, what was written to it may be lost. */
const lostWith: Readonly<Partial<Record<ServiceErrorCode, Doubt>>> = { TableMissing: "None", ResourceMissing: "All" };

/** What a system says of a table or resource, that it has none, or why it does not say. */
async function seen<T>(metadata: Promise<T>): Promise<T | Misfits | { readonly error: unknown }> {
  try {
    return await metadata;
  } catch (error) {
    const doubt = error instanceof ServiceError ? lostWith[error.code] : undefined;
    if (!(error instanceof ServiceError) || doubt === undefined) return { error };
    return { reason: error.code, message: error.message, doubt };
  }
}

/** Which fields lost their values: of a resource that is gone, all. Also those of updates, for a mapping may be edited. */
function lostBy(
  doubtful: readonly { readonly doubt: Doubt; readonly field?: string; readonly reason: string }[],
  { fields, constants = [] }: IngressMapping,
): readonly string[] {
  const names = [...fields, ...constants].map(({ field }) => field);
  const all = doubtful.filter(({ doubt }) => doubt === "All");
  return names.filter((name) => all.some(({ field, reason }) => field === name || reason === "ResourceMissing"));
}

function worst(doubtful: readonly { readonly doubt: Doubt }[]): Doubt {
  return doubtful.reduce<Doubt>((most, { doubt }) => worseDoubt(most, doubt), "None");
}

const remedy =
  "The mapping goes on by itself when this is put back. If it is meant, take what is gone out of the mapping, or accept what changed by a new value of replay, and restart the workflow";

/** What stops a mapping that fitted says how it was; the rest does not fit, whatever was before. undefined: all fits. */
function misfitsOf(
  differences: readonly Difference[],
  misfits: readonly { readonly reason: string; readonly message: string }[],
): Omit<Misfits, "doubt"> | undefined {
  const stops = differences.filter(({ means }) => means === "Stop");
  const others = misfits.filter(({ reason }) => stops.every((stop) => stop.reason !== reason));
  const all = [...stops, ...others];
  const [first] = all;
  return first === undefined
    ? undefined
    : { reason: first.reason, message: all.map(({ message }) => message).join("; ") };
}

/** No row has a column that is asked for, or a value is not what the column's type promises. */
function isOdd(plan: Plan, { records }: TrackedPage, incoming: readonly Incoming[]): boolean {
  if (incoming.some((one) => one.kind === "Refused" && one.refusal.reason === "ConversionFailed")) return true;
  const properties = plan.columns.flatMap((name) => plan.table.columns.get(name)?.property ?? []);
  return records.length > 0 && properties.some((name) => records.every(({ row }) => row[name] === undefined));
}

/** @returns false. @throws what is no outage of the store */
function isOutage(error: unknown): false {
  if (error instanceof StoreOutage) return false;
  throw error;
}
