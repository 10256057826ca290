import { columnsOf, mappingHash, planMapping } from "../flows/ingress/plan.ts";
import { compareUse } from "../flows/ingress/schema-comparison.ts";
import { type SchemaUse, schemaUse } from "../flows/ingress/schema-use.ts";
import { ServiceError } from "../http/service-error.ts";
import type { Checkpoint } from "../queue/checkpoint.ts";
import { StoreOutage } from "../queue/errors.ts";
import type { Reading } from "../queue/interface.ts";
import type { EngineContext, MappingState } from "./context.ts";
import { fatalOf } from "./fatal.ts";
import { HashTrust } from "./hash-trust.ts";
import { prepareMapping } from "./preparation.ts";
import * as transitions from "./transitions.ts";

/**
 * One mapping in a process that writes it while another reads it: what the reader found out is taken over from the store,
 * and records are written only while both systems' metadata are as the reader last found them to fit. When the reader
 * ends or is gone, the reading is taken.
 */
export class Follower {
  readonly #context: EngineContext;
  readonly #state: MappingState;
  /** On the engine's clock. */
  #dueAt = Number.NEGATIVE_INFINITY;
  #beganAt = Number.NEGATIVE_INFINITY;
  /** What the plan was compared with. */
  #fittedTo: string | undefined;

  constructor(context: EngineContext, state: MappingState) {
    this.#context = context;
    this.#state = state;
  }

  /** One look. @returns the reading, if nobody else has it: the mapping is prepared for it. @throws FatalError */
  async look(signal: AbortSignal): Promise<Reading | undefined> {
    const { queue, logger } = this.#context;
    const state = this.#state;
    const { table } = state.mapping;
    try {
      const reading = await queue.read(table);
      const stored = (await queue.checkpoints()).find(({ mapping }) => mapping === table);
      if (reading !== undefined) {
        state.checkpoint = await prepareMapping(this.#context, state.mapping, stored);
        logger.info("reading.taken", { mapping: table });
        this.#trust(state.checkpoint);
        return reading;
      }
      if (stored === undefined || transitions.prepare(stored, mappingHash(state.mapping)).kind !== "Continue") {
        this.#suspend(); // Its reader has yet to prepare it.
        return undefined;
      }
      this.#follow(stored);
      await this.#fit(signal);
    } catch (error) {
      const fatal = fatalOf(error);
      if (fatal !== undefined) throw fatal;
      const isTold = error instanceof StoreOutage || signal.aborted;
      if (!isTold) logger.warn("mapping.not-followed", { mapping: table, error });
    }
    return undefined;
  }

  #follow(stored: Checkpoint): void {
    const state = this.#state;
    if (stored.generation !== state.checkpoint.generation) this.#trust(stored);
    state.checkpoint = stored;
    if (stored.checks !== undefined) state.trust.advance(stored.checks);
    if (stored.checks?.drift !== undefined) this.#suspend();
  }

  /** A new generation: turns under way leave no hash. */
  #trust({ checks }: Checkpoint): void {
    this.#state.trust.end();
    this.#state.trust = new HashTrust(checks);
  }

  async #fit(signal: AbortSignal): Promise<void> {
    const { clock, settings, dataverse, campaign } = this.#context;
    const state = this.#state;
    const { mapping } = state;
    const { checks } = state.checkpoint;
    const isAsked = state.requests.take();
    if (checks?.use === undefined || checks.drift !== undefined) return;
    if (isAsked) this.#dueAt = Math.min(this.#dueAt, this.#beganAt + settings.freshCheckMs);
    if (clock.now() < this.#dueAt && checks.use === this.#fittedTo) return;
    this.#beganAt = clock.now();
    this.#dueAt = this.#beganAt + (state.plan === undefined ? settings.freshCheckMs : settings.checkIntervalMs);
    const [table, resource] = await Promise.all([
      dataverse.tableMetadata(mapping.table, columnsOf(mapping), signal),
      campaign.resourceMetadata(mapping.resource, signal),
    ]).catch((error: unknown) => {
      // What is running goes on while one of the systems is away.
      if (error instanceof ServiceError && error.scope === "Mapping") this.#suspend();
      throw error;
    });
    const planned = planMapping(mapping, table, resource, this.#context.mappings);
    const use = JSON.parse(checks.use) as SchemaUse; // Written by the publish guard.
    const isSame = compareUse(mapping, use, schemaUse(mapping, table, resource)).length === 0;
    // Of anything else, the reader finds out what it means.
    if (!("mapping" in planned) || !isSame) return this.#suspend();
    this.#fittedTo = checks.use;
    if (state.plan === undefined) this.#context.logger.info("mapping.followed-by", { mapping: mapping.table });
    if (state.trust.isOver) state.trust = new HashTrust(checks);
    state.plan = planned;
    state.block = undefined;
    state.ran = true;
    state.requests.passed(this.#beganAt);
    this.#context.wake();
  }

  #suspend(): void {
    const state = this.#state;
    this.#fittedTo = undefined;
    if (state.plan === undefined) return;
    state.trust.end();
    state.plan = undefined;
  }
}
