/**
 * How near to Dataverse's limits a worker makes activities of exported events: a real SSH server, a worker and a sandbox,
 * each a process of its own, with service protection on. Once execution time is what binds, once the number of calls. And
 * the engine alone.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startSftpServer, whyNoSftpServer } from "../integration/sftp/sshd.ts";
import { type BenchWorker, BenchWorld } from "./bench-processes.ts";
import { egressAlone } from "./egress-engine.ts";
import type { Exchange } from "./observed-worker.ts";
import { type Measurement, percentile, printColumns } from "./table.ts";

const rowsPerCall = 100;
const contacts = 2000;
const seconds = 30;
/** Microsoft gives no figures of what a new row costs; a row with a link in a bulk takes milliseconds. */
const costs = [
  { what: "execution time binds", millisecondsPerRow: 10 },
  { what: "the number of calls binds", millisecondsPerRow: 1 },
] as const;

/** Prints what it finds of the worker process; what is returned is the engine's. */
export async function egress(): Promise<readonly Measurement[]> {
  const whyNot = await whyNoSftpServer();
  if (whyNot !== undefined) console.log(`Egress as a process is not measured: ${whyNot}`);
  else for (const cost of costs) await asProcess(cost);
  return await egressAlone();
}

async function asProcess({ what, millisecondsPerRow }: (typeof costs)[number]): Promise<void> {
  const callSeconds = (rowsPerCall * millisecondsPerRow) / 1000;
  const enough = Math.ceil(Math.min(20 * rowsPerCall, (4 * rowsPerCall) / callSeconds) * (seconds + 20));
  const world = await BenchWorld.make({ contacts, tables: [] });
  const server = await startSftpServer();
  try {
    const { control, addresses } = world;
    const ids: string[] = [];
    for await (const { id } of control.rows({ table: "contact" })) ids.push(id);
    mkdirSync(join(server.home, "exports"));
    writeFileSync(join(server.home, "exports", "delivery_logs_20260715_120000.txt"), deliveryLogs(ids, enough));
    world.secret("sftp", { privateKey: server.privateKey });
    await control.setServiceProtection({
      enabled: true,
      rowCostMilliseconds: millisecondsPerRow,
      recommendedParallelism: 10, // Not to measure a hint: the formula has none.
    });
    const worker = world.startConfigured(configurationText(addresses, server), [
      ...["--address", "0", "--still-seconds", "1", "--poll-seconds", "1"],
    ]);
    await until(worker, () => creations(worker).length > 0);
    const rows = () => control.countRows({ table: "adobe_emailsend" });
    const [from, before] = [Date.now(), await rows()];
    await until(worker, () => Date.now() >= from + seconds * 1000);
    const rate = ((await rows()) - before) / ((Date.now() - from) / 1000);
    report(what, worker, callSeconds, rate);
  } finally {
    await world.end();
    await server.stop();
  }
}

function report(what: string, worker: BenchWorker, callSeconds: number, rate: number): void {
  const calls = worker.exchanges.filter(({ path }) => path.startsWith("/api/data/"));
  const made = creations(worker);
  const throttled = calls.filter(({ status }) => status === 429).length;
  const latency = made.map(({ milliseconds }) => milliseconds / 1000).sort((a, b) => a - b);
  const typical = percentile(latency, 0.5);
  const terms = {
    calls: 20 * rowsPerCall,
    execution: (4 * rowsPerCall) / callSeconds,
    concurrency: (52 * rowsPerCall) / typical,
  };
  const most = Math.min(terms.calls, terms.execution, terms.concurrency);
  const whole = (value: number) => Math.round(value).toLocaleString("en");
  printColumns([
    [`Dataverse: new activities, ${what}`, "", "of the ceiling"],
    ["B, rows a call", whole(rowsPerCall), ""],
    ["t(B), server seconds a call, as configured", callSeconds.toFixed(2), ""],
    ["latency p50 / p95, s", `${typical.toFixed(2)} / ${percentile(latency, 0.95).toFixed(2)}`, ""],
    ["20 x B, rows/s", whole(terms.calls), ""],
    ["4 x B / t(B), rows/s", whole(terms.execution), ""],
    ["52 x B / latency, rows/s", whole(terms.concurrency), ""],
    ["ceiling, rows/s", whole(most), "100 %"],
    [`events in ${seconds} s, a second`, whole(rate), `${((rate / most) * 100).toFixed(1)} %`],
    ["calls", whole(calls.length), ""],
    ["429s", `${throttled} (${((throttled / calls.length) * 100).toFixed(2)} %)`, ""],
  ]);
  if (worker.complaints.size > 0) console.log("log events above info:", Object.fromEntries(worker.complaints));
}

function creations(worker: BenchWorker): readonly Exchange[] {
  return worker.exchanges.filter(({ path, status }) => path.includes("CreateMultiple") && status === 200);
}

async function until(worker: BenchWorker, isSo: () => boolean): Promise<void> {
  while (!isSo()) {
    if (worker.hasEnded) throw new Error("the worker ended by itself");
    await sleep(100);
  }
}

function deliveryLogs(ids: readonly string[], count: number): string {
  const lines = Array.from(
    { length: count },
    (_, n) =>
      `${n},${ids[n % ids.length]},2026-07-15 10:00:00,Sent,,CMP12,2026LoyaltyCamp,DM190,Spring,https://t.example/m?p=${n}\n`,
  );
  const header =
    "deliveryLogId,contactId,eventDate,status,failureType,campaignId,campaignName,deliveryId,deliveryName,mirrorPageUrl";
  return `${header}\n${lines.join("")}`;
}

function configurationText(
  { dataverseUrl, campaignUrl }: BenchWorld["addresses"],
  { port, username, hostKey }: Awaited<ReturnType<typeof startSftpServer>>,
): string {
  return JSON.stringify({
    workflow: { name: "bench", namespace: "default", uid: "bench" },
    spec: {
      type: "Egress",
      dynamics: { url: dataverseUrl, credentialsSecretRef: { name: "dynamics" } },
      campaign: {
        url: campaignUrl,
        credentialsSecretRef: { name: "campaign" },
        engineCallsPerSecond: 20,
        sftp: {
          host: "127.0.0.1",
          port,
          username,
          path: "exports",
          hostKey,
          credentialsSecretRef: { name: "campaign-sftp" },
          format: { timeZone: "UTC" },
        },
      },
      egress: { since: "2026-07-01T00:00:00Z" },
    },
  });
}
