import type { Logger } from "../../telemetry/log.ts";

/**
 * Tells one bad record from a wave of refusals with one cause (a right was taken away, a field was made mandatory): such
 * a wave suspends the mapping, and its records stay queued, instead of all of them ending in `dead`.
 */
export class WaveGuard {
  readonly #limit: number;
  readonly #tell: TellOfWave;
  #cause: string | undefined;
  #message = "";
  #inARow = 0;

  /**
   * @param limit refusals in a row with one cause that make a wave
   * @param tell is called when a wave begins, and when it is over
   */
  constructor(limit: number, tell: TellOfWave) {
    this.#limit = limit;
    this.#tell = tell;
  }

  /** What the newest refusal of the wave said, while there is one. */
  get wave(): string | undefined {
    return this.#inARow >= this.#limit ? this.#message : undefined;
  }

  /**
   * @param cause alike for refusals of one wave
   * @param message for a person
   * @returns whether the record is to be buried or stays queued
   */
  refused(cause: string, message: string): "Bury" | "Hold" {
    if (cause !== this.#cause) this.over();
    this.#cause = cause;
    this.#message = message;
    this.#inARow += 1;
    if (this.#inARow === this.#limit) this.#tell(message);
    return this.wave === undefined ? "Bury" : "Hold";
  }

  /** A record was written, so what was refused was those records' own fault; or nothing waits any more. */
  over(): void {
    const wasWave = this.wave !== undefined;
    this.#inARow = 0;
    this.#cause = undefined;
    if (wasWave) this.#tell(undefined);
  }
}

/** @param wave what its refusals say; undefined when it is over */
type TellOfWave = (wave: string | undefined) => void;

/** One line when a mapping is suspended, and one when it goes on. */
export function logWaves(logger: Logger, mapping: string, refusals: number): TellOfWave {
  return (wave) => {
    if (wave === undefined) logger.info("mapping.resumed", { mapping, reason: "RefusalWave" });
    else logger.warn("mapping.suspended", { mapping, cause: wave, refusals });
  };
}
