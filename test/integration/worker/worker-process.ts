/** The worker role as a process of its own. */
import { workerCommand } from "../../../src/worker/command.ts";

await workerCommand().parseAsync(process.argv.slice(2), { from: "user" });
