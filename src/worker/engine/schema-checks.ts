/** What a mapping's checks of the metadata mean for what was written. Pure. */
import type { Doubt, SchemaChecks } from "../queue/checkpoint.ts";

type Epochs = readonly [number, number];

/** So that what is kept stays small; beyond, everything older is in doubt. */
const mostDoubts = 20;

/**
 * A check begins: what is stored from now on carries its number.
 * @param nowSeconds since 1970: so that no number comes again after a store's row was lost
 */
export function begunCheck(checks: SchemaChecks | undefined, nowSeconds: number): SchemaChecks {
  const { epoch, ...rest } = checks ?? { epoch: 0, good: 0, doubted: [] };
  return { ...rest, epoch: Math.max(epoch + 1, nowSeconds) };
}

/** The check that was begun after `before` found that everything fits. */
export function goodCheck(checks: SchemaChecks, before: number, use: string): SchemaChecks {
  return { ...checks, good: before, use };
}

/** The metadata does not fit. */
export function drifted(checks: SchemaChecks, doubt: Doubt): SchemaChecks {
  return { ...checks, drift: worseDoubt(checks.drift ?? "None", doubt) };
}

/** Fields have lost their values: an update has to fill also those that are written on insert only. */
export function lostFields(checks: SchemaChecks, fields: readonly string[]): SchemaChecks {
  if (fields.length === 0) return checks;
  return { ...checks, lost: { ...checks.lost, ...Object.fromEntries(fields.map((field) => [field, checks.epoch])) } };
}

/** A drift is over: what was stored meanwhile, or ever, is not believed. A new epoch begins behind it. */
export function resumedChecks(checks: SchemaChecks, doubt: Doubt): SchemaChecks {
  const { drift = "None", doubted, epoch, ...rest } = checks;
  const from = { None: undefined, SinceGood: checks.good + 1, All: 0 }[worseDoubt(drift, doubt)];
  if (from === undefined) return { ...rest, doubted, epoch };
  return { ...rest, doubted: merged([...doubted, [from, epoch]]), epoch: epoch + 1 };
}

/** Another configuration uses something else; what is in doubt stays so. */
export function checksOfAnother(checks: SchemaChecks): SchemaChecks {
  const { use: _, ...rest } = resumedChecks(checks, "None");
  return rest;
}

export function isDoubted({ doubted }: Pick<SchemaChecks, "doubted">, epoch: number): boolean {
  return doubted.some(([first, last]) => first <= epoch && epoch <= last);
}

/** The more of two doubts. */
export function worseDoubt(a: Doubt, b: Doubt): Doubt {
  const order = ["None", "SinceGood", "All"] as const;
  return order.indexOf(a) > order.indexOf(b) ? a : b;
}

/** The newest reaches to the end, so what it touches is at the end too. */
function merged(doubted: readonly Epochs[]): readonly Epochs[] {
  const newest = doubted.at(-1);
  if (newest === undefined) return doubted;
  const touched = doubted.filter(([, last]) => last >= newest[0] - 1);
  const from = Math.min(...touched.map(([first]) => first));
  const kept = doubted.filter(([, last]) => last < newest[0] - 1);
  const all: readonly Epochs[] = [...kept, [from, newest[1]]];
  return all.length > mostDoubts ? [[0, newest[1]]] : all;
}
