/** One line of the table. */
export interface Measurement {
  readonly what: string;
  readonly records: number;
  readonly seconds: number;
  /** Of the measured process at its largest, in megabytes; absent where it was not measured by itself. */
  readonly peakMegabytes?: number;
}

export type Bench = () => Promise<readonly Measurement[]>;

export function printTable(rows: readonly Measurement[]): void {
  const table = [
    ["what", "records", "seconds", "records/s", "peak MB"],
    ...rows.map(({ what, records, seconds, peakMegabytes }) => [
      what,
      records.toLocaleString("en"),
      seconds.toFixed(1),
      Math.round(records / seconds).toLocaleString("en"),
      peakMegabytes === undefined ? "" : String(Math.round(peakMegabytes)),
    ]),
  ];
  printColumns(table);
}

/** The first column to the left, the others to the right; the first line is the heading. */
export function printColumns(table: readonly (readonly string[])[]): void {
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  for (const row of table) {
    console.log(
      row.map((cell, n) => (n === 0 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0))).join("  "),
    );
  }
  console.log();
}

/** @param sorted ascending */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
