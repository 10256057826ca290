import type { FileProgress } from "../flows/egress/files.ts";
import type { Row } from "../flows/egress/reading.ts";

/** What a chunk of a file gave. */
export interface Portion {
  readonly file: FileProgress;
  /** Between this chunk's beginning and `file.position`. */
  readonly rows: readonly Row[];
}

/** Where progress and rows are kept: the same store, so that neither can be there without the other. */
export interface ExportsStore {
  /** Every file that was ever begun, by name. */
  progress(): Promise<readonly FileProgress[]>;
  /** Keeps the rows and the place behind them, in one transaction. */
  keep(portion: Portion): Promise<void>;
}
