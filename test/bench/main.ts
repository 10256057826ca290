/**
 * `npm run bench [-- <name>...] [--seconds <n>]`: measures, and prints tables. `--seconds` is how long `ceiling` reads.
 * `npm run bench -- storm [--seeds <n>] [--from <seed>] [--parallel <n>]` measures nothing: it looks for faults.
 */
import { parseArgs } from "node:util";
import { ceiling } from "./ceiling.ts";
import { endToEnd } from "./end-to-end.ts";
import { engineAlone } from "./engine.ts";
import { queueAlone, queueInPostgres } from "./queue.ts";
import { manyStorms } from "./storm.ts";
import type { Bench } from "./table.ts";
import { printTable } from "./table.ts";
import { twoMillion } from "./two-million/main.ts";
import { twoMillionOverHttp } from "./two-million/over-http.ts";

const contactsOfAdventureWorks = 18_484;
/** Only when they are asked for. */
const takesLong: ReadonlySet<string> = new Set(["ceiling", "storm", "two-million", "two-million-http"]);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "300" },
    seeds: { type: "string", default: "20" },
    from: { type: "string", default: "1" },
    parallel: { type: "string", default: "6" },
  },
});

const benches: Readonly<Record<string, Bench>> = {
  queue: queueAlone,
  "queue-postgres": queueInPostgres,
  engine: engineAlone,
  "end-to-end": () => endToEnd(contactsOfAdventureWorks),
  "end-to-end-200000": () => endToEnd(200_000),
  "two-million": twoMillion,
  "two-million-http": twoMillionOverHttp,
  ceiling: () => ceiling(Number(values.seconds)),
  storm: async () => {
    const { seeds, from, parallel } = values;
    const isSound = await manyStorms({ seeds: Number(seeds), from: Number(from), parallel: Number(parallel) });
    if (!isSound) process.exitCode = 1;
    return [];
  },
};

const unknown = positionals.filter((name) => benches[name] === undefined);
if (unknown.length > 0) {
  console.error(`there is no bench ${unknown.join(", ")}; there are ${Object.keys(benches).join(", ")}`);
  process.exitCode = 2;
} else {
  const names = positionals.length > 0 ? positionals : Object.keys(benches).filter((name) => !takesLong.has(name));
  const rows = [];
  for (const name of names) {
    console.error(`bench: ${name} ...`);
    rows.push(...((await benches[name]?.()) ?? []));
  }
  if (rows.length > 0) printTable(rows);
}
