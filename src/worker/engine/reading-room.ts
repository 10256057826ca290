import type { MappingCounts } from "../queue/interface.ts";
import { type EngineContext, type MappingState, pauseOf } from "./context.ts";
import { parentsFirst, type Standing } from "./parents-first.ts";
import type { EngineSettings } from "./settings.ts";

/** Whether there is room for more of what one mapping reads. */
export class ReadingRoom {
  readonly #context: EngineContext;
  readonly #state: MappingState;
  readonly #states: readonly MappingState[];
  #isFull = false;

  /** @param states of all mappings */
  constructor(context: EngineContext, state: MappingState, states: readonly MappingState[]) {
    this.#context = context;
    this.#state = state;
    this.#states = states;
  }

  /**
   * Above the high-water mark there is none, until the low-water mark is reached. What waits for another record does not
   * count, for that may be the next to be read; nor what waits for the end of the reading itself.
   */
  async forContent(): Promise<boolean> {
    return this.#forContent(await this.#context.queue.counts());
  }

  /** None either while parents are to come first. */
  async forTable(): Promise<boolean> {
    const { queue, settings } = this.#context;
    const counts = await queue.counts();
    return this.#forContent(counts) && readingWaitsFor(this.#state, this.#states, counts, settings).length === 0;
  }

  #forContent(counts: ReadonlyMap<string, MappingCounts>): boolean {
    const { highWaterRecords, lowWaterRecords } = this.#context.settings;
    const due = dueOf(counts.get(this.#state.mapping.table));
    this.#isFull = this.#isFull ? due > lowWaterRecords : due >= highWaterRecords;
    return !this.#isFull;
  }
}

/** The tables that the reading of a mapping's table waits for. */
export function readingWaitsFor(
  state: MappingState,
  states: readonly MappingState[],
  counts: ReadonlyMap<string, MappingCounts>,
  { mostParkedRecords }: Pick<EngineSettings, "mostParkedRecords">,
): readonly string[] {
  const { snapshot } = state.checkpoint;
  if (snapshot === undefined || snapshot.sweeping || pauseOf(state) !== undefined) return [];
  const standings = new Map(states.map((each) => [each, standingOf(each, counts)]));
  const child = standings.get(state);
  return child === undefined ? [] : parentsFirst(child, [...standings.values()], mostParkedRecords);
}

function standingOf(state: MappingState, counts: ReadonlyMap<string, MappingCounts>): Standing {
  const { mapping, checkpoint } = state;
  const count = counts.get(mapping.table);
  const standsStill = pauseOf(state) !== undefined;
  return { mapping, checkpoint, due: dueOf(count), parked: count?.parked ?? 0, standsStill };
}

function dueOf(counts: MappingCounts | undefined): number {
  const { pending = 0, parked = 0, held = 0 } = counts ?? {};
  return pending - parked - held;
}
