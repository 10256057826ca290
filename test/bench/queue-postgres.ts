/**
 * The embedded queue and the one in PostgreSQL side by side, on one machine and in one run: the store alone, and workers as
 * processes of their own between a sandbox's two services, with nothing in their way but the most calls a second that a
 * workflow may be given.
 */
import { setTimeout as delay } from "node:timers/promises";
import { silentLogger } from "../../src/telemetry/log.ts";
import { openPostgresQueue } from "../../src/worker/queue/postgres/postgres-queue.ts";
import { PostgresServer } from "../integration/postgres/server.ts";
import { BenchWorld } from "./bench-processes.ts";
import { benchMapping, configurationText } from "./mapping.ts";
import { embeddedSpeed, type QueueSpeed, speedOf } from "./queue.ts";
import { type Measurement, printColumns } from "./table.ts";

const replicas = [1, 2, 4] as const;
const recordsAlone = 20_000;
const contacts = 6000;
const callsPerSecond = 1000;

/** Prints what it finds. */
export async function queuesSideBySide(): Promise<readonly Measurement[]> {
  const server = await PostgresServer.start();
  try {
    const alone = [await embeddedSpeed(recordsAlone)];
    for (const workers of replicas) alone.push(await sharedSpeed(server, workers));
    const worked = [await workedPerSecond(1)];
    for (const workers of replicas) {
      worked.push(await workedPerSecond(workers, await server.database(`workers-of-${workers}`)));
    }
    printColumns([
      ["records a second", "SQLite", ...replicas.map((n) => `PostgreSQL, ${n} ${n === 1 ? "worker" : "workers"}`)],
      compared(
        "the store alone: pages of 5,000 stored",
        alone.map(({ pages }) => pages),
      ),
      compared(
        "the store alone: leased, begun and settled",
        alone.map(({ turns }) => turns),
      ),
      compared(`worker processes, at most ${callsPerSecond.toLocaleString("en")} calls/s`, worked),
    ]);
    return [];
  } finally {
    await server.end();
  }
}

/** @param speeds that of the embedded store first, which the others are told as shares of */
function compared(what: string, [embedded = Number.NaN, ...shared]: readonly number[]): string[] {
  const rounded = (speed: number) => Math.round(speed).toLocaleString("en");
  return [what, rounded(embedded), ...shared.map((speed) => `${rounded(speed)} (${(speed / embedded).toFixed(2)})`)];
}

async function sharedSpeed(server: PostgresServer, workers: number): Promise<QueueSpeed> {
  const options = {
    url: async () => server.url(),
    secret: "no Secret",
    workflow: { namespace: "bench", name: `of-${workers}`, uid: "" },
    logger: silentLogger,
  };
  const open = () => openPostgresQueue(options, new AbortController().signal);
  const queues = await Promise.all(Array.from({ length: workers }, open));
  const speed = await speedOf(queues, recordsAlone);
  await Promise.all(queues.map((queue) => queue.close()));
  return speed;
}

/** @param url of the database; absent: the embedded queue */
async function workedPerSecond(workers: number, url?: string): Promise<number> {
  const world = await BenchWorld.make({ contacts, tables: [] });
  try {
    const { dataverseUrl, campaignUrl } = world.addresses;
    if (url !== undefined) world.secret("postgres", { url });
    const queue = url === undefined ? {} : { queue: { postgres: { credentialsSecretRef: { name: "queue" } } } };
    const more = { ...queue, worker: { replicas: workers } };
    const text = configurationText(dataverseUrl, campaignUrl, [benchMapping], callsPerSecond, more);
    const processes = Array.from({ length: workers }, () => world.startConfigured(text, ["--address", "0"]));
    const written = async (records: number) => {
      while ((await world.control.countRecords({ resource: "profile" })) < records) {
        if (processes.some(({ hasEnded }) => hasEnded)) throw new Error("a worker has ended");
        await delay(20);
      }
      return performance.now();
    };
    // Without what it takes to start, and to end.
    const [from, until] = [contacts * 0.1, contacts * 0.95];
    const startedAt = await written(from);
    return ((until - from) * 1000) / ((await written(until)) - startedAt);
  } finally {
    await world.end();
  }
}
