/** The worker role as a process of its own. */
import { shutdownSignal } from "../../../src/telemetry/shutdown.ts";
import { workerCommand } from "../../../src/worker/command.ts";

await workerCommand(shutdownSignal()).parseAsync(process.argv.slice(2), { from: "user" });
