/** Commits pages as fast as it can, and says on standard output which are on disk. It is killed from outside. */
import { silentLogger } from "../../../../src/telemetry/log.ts";
import { openSqliteQueue } from "../../../../src/worker/queue/sqlite/sqlite-queue.ts";
import { checkpointAt, pageOf } from "./pages.ts";

const [directory = "", from = "0"] = process.argv.slice(2);
const queue = await openSqliteQueue({ directory, now: Date.now, logger: silentLogger }, new AbortController().signal);
process.stdout.write("open\n");
for (let page = Number(from); ; page++) {
  await queue.commitPage({
    checkpoint: checkpointAt(page),
    records: pageOf(page),
    stage: "Snapshot",
    replay: false,
    listed: false,
  });
  process.stdout.write(`${page}\n`);
}
