import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type RunningSandbox, startSandbox } from "../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { benchMapping, configurationText } from "./mapping.ts";
import type { Measurement } from "./table.ts";

const workerFile = fileURLToPath(new URL("../integration/worker/worker-process.ts", import.meta.url));
const contactsFile = fileURLToPath(new URL("../../../shared/data/contacts.csv", import.meta.url));
const contactsInFile = 18_484;
/** Without a bound, V8 lets garbage lie for as long as the machine has memory, and the peak says nothing. */
const heapMegabytes = 128;

/** A first load by a worker process, over loopback HTTP against the sandbox in this process. */
export async function endToEnd(contacts: number): Promise<readonly Measurement[]> {
  const fromFile = contacts === contactsInFile && existsSync(contactsFile);
  const sandbox = await startSandbox({ contacts: fromFile ? { file: contactsFile } : contacts }, silentLogger);
  await sandbox.control.setWriteLog({ enabled: false });
  const directory = mkdtempSync(join(tmpdir(), "bench-worker-"));
  const worker = startWorker(directory, sandbox);
  try {
    const startedAt = performance.now();
    while ((await sandbox.control.countRecords({ resource: "profile" })) < contacts) {
      if (worker.exitCode !== null) throw new Error(`the worker ended with ${worker.exitCode}`);
      await delay(50);
    }
    const seconds = (performance.now() - startedAt) / 1000;
    const peakMegabytes = peakMegabytesOf(worker);
    return [
      {
        what: `worker and sandbox over HTTP, at most 1000 calls/s, heap of ${heapMegabytes} MB`,
        records: contacts,
        seconds,
        ...peakMegabytes,
      },
    ];
  } finally {
    worker.kill("SIGKILL");
    await once(worker, "close");
    await sandbox.close();
    rmSync(directory, { recursive: true });
  }
}

function startWorker(directory: string, sandbox: RunningSandbox): ChildProcess {
  const { credentials, dataverseTokenUrl, campaignTokenUrl, dataverseUrl, campaignUrl } = sandbox;
  secret(join(directory, "dynamics"), { ...credentials, tokenUrl: dataverseTokenUrl });
  secret(join(directory, "campaign"), { ...credentials, scopes: "campaign", tokenUrl: campaignTokenUrl });
  const configuration = join(directory, "workflow.json");
  writeFileSync(configuration, configurationText(dataverseUrl, campaignUrl, [benchMapping]));
  const args = [
    `--max-old-space-size=${heapMegabytes}`,
    workerFile,
    ...["--config", configuration, "--credentials", directory, "--state", join(directory, "state")],
    ...["--termination-log", join(directory, "last-words"), "--address", "0", "--log-level", "warn"],
  ];
  return spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] });
}

function secret(directory: string, values: Readonly<Record<string, string>>): void {
  mkdirSync(directory);
  for (const [key, value] of Object.entries(values)) writeFileSync(join(directory, key), value);
}

/** Linux says it; elsewhere it is left out. */
function peakMegabytesOf(worker: ChildProcess): { peakMegabytes?: number } {
  const path = `/proc/${worker.pid}/status`;
  const kilobytes = existsSync(path) ? /VmHWM:\s+(\d+) kB/.exec(readFileSync(path, "utf8"))?.[1] : undefined;
  return kilobytes === undefined ? {} : { peakMegabytes: Number(kilobytes) / 1000 };
}
