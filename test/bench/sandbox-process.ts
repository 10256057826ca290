/** A sandbox as a process of its own, so that a worker's bench does not share an event loop with what it measures. */

import { startSandbox } from "../../src/sandbox/sandbox.ts";
import { createLogger } from "../../src/telemetry/log.ts";
import { type BenchTable, benchResource, benchRows, benchTable } from "./bench-tables.ts";

/** What the process is told, as its one argument. */
export interface SandboxProcessOptions {
  readonly contacts: number;
  readonly tables: readonly BenchTable[];
}

const rowsAtOnce = 10_000;

const options = JSON.parse(process.argv[2] ?? "") as SandboxProcessOptions; // Written by bench-processes.ts.
const controlAddress = { host: "127.0.0.1", port: 0 };
const sandbox = await startSandbox({ contacts: options.contacts, controlAddress }, createLogger("sandbox", "warn"));
const { control } = sandbox;
await control.setWriteLog({ enabled: false });
for (const table of options.tables) {
  await control.addTable({ table: benchTable(table) });
  await control.addResource({ resource: benchResource(table) });
  for (let from = 0; from < table.rows; from += rowsAtOnce) {
    await control.insertRows({ table: table.name, rows: benchRows(from, Math.min(table.rows, from + rowsAtOnce)) });
  }
}
const { control: _, close, ...addresses } = sandbox;
process.send?.(addresses);
process.once("disconnect", () => void close().then(() => process.exit()));
