import type { WorkflowConfiguration } from "../../../api/configuration.ts";
import type { WorkflowSpec } from "../../../api/integration-workflow.ts";
import type { Clock } from "../../../telemetry/clock.ts";
import type { Logger } from "../../../telemetry/log.ts";
import type { Campaign } from "../../campaign/interface.ts";
import type { ModifiedSince } from "../../campaign/modified-since.ts";
import type { Dataverse } from "../../dataverse/interface.ts";
import type { RowUpdate } from "../../dataverse/row-update.ts";
import type { FolderState } from "../../exports/folder.ts";
import type { AuditRecord } from "../../flows/opt-in-out/audit.ts";
import type { OptInOut, OptInOutPlan } from "../../flows/opt-in-out/plan.ts";
import type { Checkpoint } from "../../queue/checkpoint.ts";
import type { Queue } from "../../queue/interface.ts";
import type { LastFailures } from "../../records/last-failures.ts";
import type { Sftp } from "../../sftp/interface.ts";
import type { Health } from "../health.ts";
import type { RateMeter } from "../rate-meter.ts";
import type { EngineSettings } from "../settings.ts";
import type { WaveGuard } from "../wave-guard.ts";

/** Where every decision is kept, with its reasons. */
export interface AuditSink {
  /** Once it resolved, they outlive a crash. @throws when they cannot be kept: then nothing may be written */
  append(records: readonly AuditRecord[]): Promise<void>;
  /** Those that are older than the workflow keeps them. */
  forgetOld(): Promise<void>;
  close(): Promise<void>;
}

export interface OptInOutOptions {
  readonly configuration: WorkflowConfiguration;
  readonly optInOut: OptInOut;
  readonly queue: Queue;
  readonly dataverse: Dataverse;
  readonly updates: Pick<RowUpdate, "update">;
  readonly campaign: Campaign;
  readonly modified: Pick<ModifiedSince, "newest" | "page">;
  /** Where Campaign puts its exports; absent where none are read. Closed when the engine ends. */
  readonly exports?: {
    readonly place: NonNullable<WorkflowSpec["campaign"]["sftp"]>;
    readonly sftp: Sftp & { close(): Promise<void> };
    readonly listEveryMs: number;
    /** How long a file is to look alike before it is read. */
    readonly stillSeconds?: number;
  };
  /** Between two questions which profiles changed. */
  readonly askProfilesEveryMs: number;
  /** Contacts without a profile are looked for at this pace, all together. */
  readonly profileLooksPerSecond: number;
  readonly audit: AuditSink;
  readonly settings: EngineSettings;
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly random: () => number;
  readonly logger: Logger;
}

export interface OptInOutContext extends OptInOutOptions {
  readonly health: Health;
  /** For whoever asks after a contact that waits. */
  readonly failures: LastFailures;
  readonly state: FlowState;
  /** There may be something to decide. */
  readonly wake: () => void;
  /** It cannot run, and never did. */
  readonly blocked: (trouble: Trouble) => void;
}

/** Why something stands still, in words for status. */
export interface Trouble {
  readonly reason: string;
  readonly message: string;
}

/** What is known in this process. */
export interface FlowState {
  /** Absent until both systems' metadata were seen to fit, and while they do not. */
  plan: OptInOutPlan | undefined;
  /** Of the metadata that the plan was made by: what was agreed under another is void. */
  identity: string | undefined;
  /** For which identity the store was prepared; nothing is decided under another. */
  prepared: string | undefined;
  /** Of contacts, as it is in the store; its reader alone changes it. */
  checkpoint: Checkpoint | undefined;
  /** Why it cannot run; it is looked at again. */
  block: Trouble | undefined;
  /** Why changes are not seen in Campaign, until they are. */
  sourceTrouble: Trouble | undefined;
  /** How the exported files stood when their folder was last listed; absent where another process reads, or none are read. */
  folder: FolderState | undefined;
  /** Why decisions cannot be kept, until they are: nothing is written meanwhile. */
  auditTrouble: Trouble | undefined;
  /** Somebody met what may be a change of metadata. */
  isLookAsked: boolean;
  ran: boolean;
  /** Why the systems could not be asked whether the pairs fit, until they were. */
  lookFailure?: string | undefined;
  readonly wave: WaveGuard;
  /** On the engine's clock: until then, a wave of refusals keeps the writer away. */
  suspendedUntil: number;
  readonly written: RateMeter;
  readonly done: RateMeter;
}

/** The mapping under which contacts wait. */
export const contactsMapping = "contact";
/** Stands for how far changed profiles were asked for. */
export const profilesMapping = "profile";
/** Stands for the reading of files: its refusals are lines that were not understood. */
export const exportsMapping = "exports";
export const profileResource = "profile";

/** Why nothing is decided now; undefined when it runs. */
export function pauseOf({ block, wave }: FlowState): Trouble | undefined {
  if (block !== undefined) return block;
  if (wave.wave === undefined) return undefined;
  return {
    reason: "RefusalWave",
    message: `one contact after the other is refused: ${wave.wave}. The contacts stay queued, and one is tried again every minute`,
  };
}

/** Decisions are made by what the store was prepared for, and by nothing else. */
export function planInForce({ plan, identity, prepared }: FlowState): OptInOutPlan | undefined {
  return identity === prepared ? plan : undefined;
}
