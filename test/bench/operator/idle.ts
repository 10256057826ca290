/**
 * `npm run bench -- idle [--workflows 1000] [--minutes 10]`: what the operator asks of the API server while nothing happens.
 * Of so many workflows, four of five run, in played pods, and one of five is stopped. Writes are a fault.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ground } from "./ground.ts";
import { builtIn } from "./main.ts";
import { Observer } from "./observer.ts";
import { OperatorProcess } from "./operator-process.ts";
import { countsOf, eventsOf, inWords, writesOf } from "./requests.ts";
import { inParallel, pause } from "./waiting.ts";
import { createWorkflow, names, patchSpec, writersAtOnce } from "./workload.ts";

/** After the last start, for what is still said of it. */
const quietMs = 10_000;

/** @returns whether nothing was written, leases apart */
export async function idle(count: number, minutes: number): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "bench-idle-"));
  const ground = await Ground.make(count);
  const observer = Observer.workflows(ground.client);
  const operator = new OperatorProcess({
    program: builtIn(folder),
    kubeconfig: ground.operatorKubeconfig,
    nodeFlags: [],
  });
  try {
    const all = names("workflow", count);
    const running = all.slice(0, Math.ceil(count * 0.8));
    await inParallel(all, writersAtOnce, (name) => createWorkflow(ground.client, name));
    await observer.all(all, ({ state }) => state === "STOPPED");
    await inParallel(running, writersAtOnce, (name) => patchSpec(ground.client, name, { state: "Running" }));
    await observer.all(running, ({ state }) => state === "RUNNING");
    await pause(quietMs);
    ground.audit.read();
    console.error(`bench: ${running.length} of ${count} workflows run; nothing is done for ${minutes} minutes ...`);
    await pause(minutes * 60_000);
    const counts = countsOf(ground.audit.read());
    const [writes, events] = [writesOf(counts), eventsOf(counts)];
    console.log(
      `idle for ${minutes} minutes with ${count} workflows: ${writes} writes, ${events} Events, leases apart`,
    );
    console.log(`  all requests, a minute: ${inWords(counts, minutes) || "none"}`);
    for (const complaint of operator.complaints.slice(0, 5)) console.log(`  ${complaint.slice(0, 300)}`);
    return writes + events === 0;
  } finally {
    await operator.kill();
    await observer.end();
    await ground.end();
    rmSync(folder, { recursive: true, force: true });
  }
}
