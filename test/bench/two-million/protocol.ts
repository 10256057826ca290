/** What the engine's process and the one that plays both systems say to each other. */

/** Rows are numbers: everything else of a row follows from its number and how often it was changed. */
export type Question =
  /** A page of the table from row `from` on. */
  | { readonly kind: "page"; readonly from: number; readonly size: number }
  | { readonly kind: "delta"; readonly from: number }
  | { readonly kind: "read"; readonly row: number }
  | { readonly kind: "find"; readonly row: number }
  | { readonly kind: "insert"; readonly row: number; readonly change: number }
  | { readonly kind: "update"; readonly row: number; readonly change: number }
  | { readonly kind: "delete"; readonly row: number };

export interface Answer {
  /** Rows that were changed, and the number of the newest change of each. */
  readonly changed: readonly (readonly [row: number, change: number])[];
  /** Whether Campaign has it, or had it. */
  readonly found: boolean;
  /** The delta link is no longer honoured. */
  readonly expired?: boolean;
  /** How many changes there were. */
  readonly changes: number;
}

export interface Sample {
  readonly phase: string;
  readonly backlog: number;
  readonly read: number;
  readonly written: number;
  /** The longest time that the event loop was held since the last sample. */
  readonly lagMs: number;
  readonly heapMegabytes: number;
}

export type ToWorld =
  | { readonly kind: "ask"; readonly asks: readonly (readonly [number, Question])[] }
  | { readonly kind: "sample"; readonly sample: Sample };

export type ToEngine = readonly (readonly [number, Answer])[];

export interface EngineArguments {
  readonly directory: string;
  readonly rows: number;
  readonly replay: string;
  readonly resource: string;
}

export const rowSeed = 7;
