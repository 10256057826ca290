import type { WorkflowConfiguration } from "../../../api/configuration.ts";
import type { WorkflowSpec } from "../../../api/integration-workflow.ts";
import type { Clock } from "../../../telemetry/clock.ts";
import type { Logger } from "../../../telemetry/log.ts";
import type { ColumnMetadata, Dataverse, TableMetadata } from "../../dataverse/interface.ts";
import type { Lookups } from "../../dataverse/lookups.ts";
import type { RowCreation } from "../../dataverse/row-creation.ts";
import type { EventKind } from "../../flows/egress/events.ts";
import type { Queue } from "../../queue/interface.ts";
import type { Sftp } from "../../sftp/interface.ts";
import type { Health } from "../health.ts";
import type { RateMeter } from "../rate-meter.ts";
import type { EngineSettings } from "../settings.ts";
import type { WaveGuard } from "../wave-guard.ts";

export interface EgressOptions {
  readonly configuration: WorkflowConfiguration;
  readonly egress: NonNullable<WorkflowSpec["egress"]>;
  readonly exports: NonNullable<WorkflowSpec["campaign"]["sftp"]>;
  readonly queue: Queue;
  readonly dataverse: Dataverse;
  readonly rows: Pick<RowCreation, "createNew" | "createEach">;
  readonly lookups: Pick<Lookups, "navigationProperty" | "idsByKey">;
  /** Closed when the engine ends. */
  readonly sftp: Sftp & { close(): Promise<void> };
  readonly settings: EngineSettings;
  /** Of one kind: calls that may be under way. */
  readonly batchesAtOnce: number;
  /** How long a file is to look alike before it is read. */
  readonly stillSeconds?: number;
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly random: () => number;
  readonly logger: Logger;
}

export interface EgressContext extends EgressOptions {
  readonly health: Health;
  /** A kind of event cannot be written for now. */
  readonly blocked: () => void;
}

/** What the keys of contacts in the exports are: their ids, or what they have in another column. */
export type ContactKey =
  | { readonly kind: "Id" }
  | { readonly kind: "Column"; readonly table: TableMetadata; readonly column: ColumnMetadata };

/** A kind's place in Dataverse, as its metadata has it. */
export interface Fit {
  readonly table: TableMetadata;
  /** The name of an activity's link to its contact. */
  readonly regardingProperty: string;
  readonly contactKey: ContactKey;
}

/** One kind of event in this process. */
export interface KindState {
  readonly kind: EventKind;
  /** Absent until its table was fitted, and while it does not fit. */
  fit: Fit | undefined;
  /** Why it cannot be written; it is looked at again. */
  block: { readonly reason: string; readonly message: string } | undefined;
  ran: boolean;
  /** Why Dataverse could not be asked whether it fits, until it was. */
  lookFailure?: string | undefined;
  readonly wave: WaveGuard;
  /** On the engine's clock. */
  suspendedUntil: number;
  readonly written: RateMeter;
}

/** The mapping that stands for the reading of files: its refusals are lines that were not understood. */
export const exportsMapping = "exports";

/** Why nothing is written for a kind now; undefined when it runs. */
export function pauseOf({ block, wave }: KindState): { readonly reason: string; readonly message: string } | undefined {
  if (block !== undefined) return block;
  if (wave.wave === undefined) return undefined;
  return {
    reason: "RefusalWave",
    message: `Dataverse refuses one event after the other: ${wave.wave}. The events stay queued, and one is tried again every minute`,
  };
}
