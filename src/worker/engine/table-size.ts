import type { Checkpoint } from "../queue/checkpoint.ts";
import type { EngineContext } from "./context.ts";

/**
 * How many records the table that is being read is said to have. Nobody waits for it and nothing depends on it: it is asked
 * once a reading and process, and stays unknown when Dataverse does not tell.
 */
export class TableSize {
  #reading = "";
  #records: number | undefined;

  /** Undefined while it is not known. */
  get records(): number | undefined {
    return this.#records;
  }

  ask(
    { mapping, generation, replay, snapshot }: Checkpoint,
    { dataverse, logger }: EngineContext,
    signal: AbortSignal,
  ): void {
    const reading = `${generation} ${snapshot?.purpose} ${replay}`;
    if (this.#reading === reading) return;
    this.#reading = reading;
    this.#records = undefined;
    dataverse.estimatedRecords(mapping, signal).then(
      (records) => {
        if (this.#reading === reading) this.#records = records;
      },
      (error: unknown) => {
        if (!signal.aborted) logger.info("snapshot.size-unknown", { mapping, error });
      },
    );
  }
}
