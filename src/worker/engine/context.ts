import type { IngressMapping } from "../../api/integration-workflow.ts";
import type { Clock } from "../../telemetry/clock.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { Campaign } from "../campaign/interface.ts";
import type { Dataverse } from "../dataverse/interface.ts";
import type { Plan } from "../flows/ingress/plan.ts";
import type { Checkpoint } from "../queue/checkpoint.ts";
import type { Queue, Reading } from "../queue/interface.ts";
import type { LastFailures } from "../records/last-failures.ts";
import type { CheckRequests } from "./check-requests.ts";
import type { HashTrust } from "./hash-trust.ts";
import type { Health } from "./health.ts";
import type { RateMeter } from "./rate-meter.ts";
import type { EngineSettings } from "./settings.ts";
import type { WaveGuard } from "./wave-guard.ts";

/** What every part of the engine works with. */
export interface EngineContext {
  /** All of the workflow. */
  readonly mappings: readonly IngressMapping[];
  readonly queue: Queue;
  readonly dataverse: Dataverse;
  readonly campaign: Campaign;
  readonly settings: EngineSettings;
  readonly health: Health;
  /** For whoever asks after a record that waits. */
  readonly failures: LastFailures;
  readonly clock: Clock;
  /** Milliseconds since 1970, for people and for links' ages; never for durations. */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  /** There may be work for the writer. */
  readonly wake: () => void;
  /** A mapping cannot run for now. */
  readonly blocked: () => void;
}

/** One mapping in this process: what its reader and the writer share. */
export interface MappingState {
  readonly mapping: IngressMapping;
  /** The store's record of it. Its reader alone changes it; where another process reads it, it is taken over from there. */
  checkpoint: Checkpoint;
  /** Absent while another process reads it. */
  reading: Reading | undefined;
  /** Absent until the mapping was fitted to both systems, and while it does not fit. */
  plan: Plan | undefined;
  /** Why it cannot run; it is looked at again. */
  block: { readonly reason: string; readonly message: string } | undefined;
  /** Which hashes count for what is written by the plan. */
  trust: HashTrust;
  readonly requests: CheckRequests;
  /** It fitted at least once in this process. */
  ran: boolean;
  /** Why the systems could not be asked whether it fits, until they were. */
  lookFailure?: string | undefined;
  readonly wave: WaveGuard;
  /** On the engine's clock: until then, a wave of refusals keeps the writer away. */
  suspendedUntil: number;
  /** Records that a call wrote, and records that were done with, written or not. */
  readonly speed: { readonly written: RateMeter; readonly done: RateMeter };
}

/** Why nothing is written for a mapping now, in words for status; undefined when it runs. */
export function pauseOf(state: MappingState): { readonly reason: string; readonly message: string } | undefined {
  const { checkpoint, block, wave } = state;
  if (checkpoint.pause !== undefined) return checkpoint.pause;
  if (block !== undefined) return block;
  if (wave.wave === undefined) return undefined;
  return {
    reason: "RefusalWave",
    message: `Campaign refuses one record after the other: ${wave.wave}. The records stay queued, and one is tried again every minute`,
  };
}
