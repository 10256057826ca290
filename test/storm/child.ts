/** A worker as a process, with figures that no flag sets. `node test/storm/child.ts <options as JSON>` */
import { createLogger } from "../../src/telemetry/log.ts";
import { shutdownSignal } from "../../src/telemetry/shutdown.ts";
import { runWorker, type WorkerOptions } from "../../src/worker/process/run.ts";

const options = JSON.parse(process.argv[2] ?? "") as WorkerOptions; // Written by ground.ts alone.
process.exitCode = await runWorker(options, createLogger("worker", "debug"), shutdownSignal());
