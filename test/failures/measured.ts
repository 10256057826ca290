/** What was seen of each failure, and how long it took: kept beside the expectations, for the document. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface Measured {
  /** From the cause to the status, as somebody who watches sees it; of the run that wrote it down and was kept. */
  readonly seconds: number;
  /** As it stood in the condition Ready. */
  readonly message: string;
}

const path = fileURLToPath(new URL("measured.json", import.meta.url));

export function readMeasured(): Readonly<Record<string, Measured>> {
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Record<string, Measured>) : {};
}

/** Writes it down if this run was asked to (FAILURES_MEASURE=1): the time of every run is another. */
export function noteMeasured(name: string, measured: Measured, environment: NodeJS.ProcessEnv): void {
  if (environment["FAILURES_MEASURE"] !== "1") return;
  const all = { ...readMeasured(), [name]: { ...measured, seconds: Math.floor(measured.seconds) } };
  const sorted = Object.fromEntries(Object.entries(all).sort(([one], [other]) => (one < other ? -1 : 1)));
  writeFileSync(path, `${JSON.stringify(sorted, undefined, 2)}\n`);
}
