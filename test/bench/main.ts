/**
 * `npm run bench [-- <name>...] [--seconds <n>]`: measures, and prints tables. `--seconds` is how long `ceiling` reads.
 * `npm run bench -- storm [--seeds <n>] [--from <seed>] [--parallel <n>] [--flow egress|opt-in-out] [--store postgres --replicas <n>]`
 * measures nothing: it looks for faults.
 * `npm run bench -- operator [--workflows <n>[,<n>...]] [--profiles <folder>]` needs Linux, and Go or a download once.
 * `npm run bench -- idle [--workflows <n>] [--minutes <n>]` needs the same; it fails when anything is written.
 * `npm run bench -- walks --count <n> [--from <seed>] [--parallel <n>] [--real]` measures nothing: it looks for faults.
 */
import { parseArgs } from "node:util";
import { type FlowName, flows } from "../storm/flows.ts";
import { ceiling } from "./ceiling.ts";
import { egress } from "./egress.ts";
import { endToEnd } from "./end-to-end.ts";
import { engineAlone } from "./engine.ts";
import { imageAlone } from "./image.ts";
import { idle } from "./operator/idle.ts";
import { operatorBench } from "./operator/main.ts";
import { pageAtScale } from "./page/main.ts";
import { queueAlone } from "./queue.ts";
import { queuesSideBySide } from "./queue-postgres.ts";
import { manyStorms } from "./storm.ts";
import type { Bench } from "./table.ts";
import { printTable } from "./table.ts";
import { twoMillion } from "./two-million/main.ts";
import { twoMillionOverHttp } from "./two-million/over-http.ts";
import { modelWalks, realWalks } from "./walks.ts";

const contactsOfAdventureWorks = 18_484;
/** Only when they are asked for. */
const takesLong: ReadonlySet<string> = new Set([
  "ceiling",
  "egress",
  "idle",
  "image",
  "page",
  "storm",
  "two-million",
  "two-million-http",
  "walks",
]);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "300" },
    seeds: { type: "string", default: "20" },
    from: { type: "string", default: "1" },
    parallel: { type: "string", default: "6" },
    flow: { type: "string", default: "ingress" },
    store: { type: "string", default: "sqlite" },
    replicas: { type: "string", default: "1" },
    workflows: { type: "string", default: "200,1000" },
    profiles: { type: "string" },
    count: { type: "string", default: "10000" },
    real: { type: "boolean", default: false },
    minutes: { type: "string", default: "10" },
  },
});

const benches: Readonly<Record<string, Bench>> = {
  queue: queueAlone,
  "queue-postgres": queuesSideBySide,
  engine: engineAlone,
  "end-to-end": () => endToEnd(contactsOfAdventureWorks),
  "end-to-end-200000": () => endToEnd(200_000),
  "two-million": twoMillion,
  "two-million-http": twoMillionOverHttp,
  egress,
  image: imageAlone,
  page: pageAtScale,
  ceiling: () => ceiling(Number(values.seconds)),
  operator: async () => {
    await operatorBench({ workflows: values.workflows.split(",").map(Number), profiles: values.profiles });
    return [];
  },
  idle: async () => {
    const count = Math.max(...values.workflows.split(",").map(Number));
    if (!(await idle(count, Number(values.minutes)))) process.exitCode = 1;
    return [];
  },
  walks: async () => {
    const options = { count: Number(values.count), from: Number(values.from), parallel: Number(values.parallel) };
    const isSound = await (values.real ? realWalks(options) : modelWalks(options));
    if (!isSound) process.exitCode = 1;
    return [];
  },
  storm: async () => {
    const { seeds, from, parallel, store } = values;
    const flow = (Object.keys(flows) as FlowName[]).find((name) => name === values.flow); // All of its keys are names.
    if (flow === undefined) throw new RangeError(`--flow is one of ${Object.keys(flows).join(", ")}`);
    const replicas = store === "postgres" ? Number(values.replicas) : undefined;
    const isSound = await manyStorms({
      flow,
      seeds: Number(seeds),
      from: Number(from),
      parallel: Number(parallel),
      replicas,
    });
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
