/** `npm run bench [-- <name>...]`: measures, and prints one table. */
import { endToEnd } from "./end-to-end.ts";
import { engineAlone } from "./engine.ts";
import { queueAlone } from "./queue.ts";
import type { Bench } from "./table.ts";
import { printTable } from "./table.ts";
import { twoMillion } from "./two-million/main.ts";

const contactsOfAdventureWorks = 18_484;

const benches: Readonly<Record<string, Bench>> = {
  queue: queueAlone,
  engine: engineAlone,
  "end-to-end": () => endToEnd(contactsOfAdventureWorks),
  "end-to-end-200000": () => endToEnd(200_000),
  "two-million": twoMillion,
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => benches[name] === undefined);
if (unknown.length > 0) {
  console.error(`there is no bench ${unknown.join(", ")}; there are ${Object.keys(benches).join(", ")}`);
  process.exitCode = 2;
} else {
  const names = asked.length > 0 ? asked : Object.keys(benches);
  const rows = [];
  for (const name of names) {
    console.error(`bench: ${name} ...`);
    rows.push(...((await benches[name]?.()) ?? []));
  }
  printTable(rows);
}
