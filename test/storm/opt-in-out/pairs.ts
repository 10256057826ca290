/** What the storm's workflow keeps alike, and how both systems call it. */

import type { WorkflowSpec } from "../../../src/api/integration-workflow.ts";
import type { OptOutNames } from "../../../src/sandbox/campaign/standard-resources.ts";
import type { Span } from "../runs.ts";

export type OptInOut = NonNullable<WorkflowSpec["optInOut"]>;
export type Direction = OptInOut["direction"];
export type Pair = OptInOut["mappings"][number];

export const pairs = [
  { column: "donotbulkemail", field: "denyListEmail" },
  { column: "donotphone", field: "denyListPhone" },
  { column: "donotpostalmail", field: "denyListPostalMail" },
] as const satisfies readonly Pair[];

export type PairField = (typeof pairs)[number]["field"];

/** The field's name on this instance. */
export function fieldOn(names: OptOutNames, field: string): string {
  return field.replace(/^denyList/, names);
}

/** What a run was told. */
export interface Instructions {
  readonly optInOut: OptInOut;
}
/** On the clock of `Date.now()`, as what both systems tell. */
export type Run = Instructions & Span;
