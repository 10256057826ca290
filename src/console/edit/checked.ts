import type { Problem } from "./problems.ts";

/** What the check while somebody types answers, as JSON. */
export interface Checked {
  readonly problems: readonly Problem[];
  /** Somebody else has saved an edit since the form was opened. */
  readonly isMeanwhile: boolean;
  /** More is known a moment later of what stands beside the fields: ask again. */
  readonly isSoon: boolean;
  /** Absent: what the form shows beside its fields is as it was. */
  readonly help?: HelpSent | undefined;
}

/** What stands beside the fields of the form, all of it but the lists that the form has. */
export interface HelpSent {
  readonly digest: string;
  /** Where it comes from, or why there is none. */
  readonly origin: readonly string[];
  /** Whether a pod that asks is still offered. */
  readonly offersProbe: boolean;
  readonly notes: readonly { readonly path: string; readonly text: string; readonly isWarning: boolean }[];
  readonly lists: readonly (readonly [
    id: string,
    choices: readonly { readonly value: string; readonly label?: string }[],
  ])[];
  readonly listOf: readonly (readonly [path: string, id: string])[];
}
