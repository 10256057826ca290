/** Leases one record and begins a call for it, says so, and settles it when it is told to. It is stopped from outside. */
import { once } from "node:events";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { openPostgresQueue } from "../../../src/worker/queue/postgres/postgres-queue.ts";

const [url = "", name = "", leaseMs = "0"] = process.argv.slice(2);
const queue = await openPostgresQueue(
  { url: async () => url, secret: "the Secret", workflow: { namespace: "crm", name, uid: "1" }, logger: silentLogger },
  new AbortController().signal,
);
const [record] = await queue.lease("contact", 1, Number(leaseMs));
if (record === undefined) throw new Error("nothing is due");
const written = { targetKey: "k", version: 1n, generation: 1, left: false } as const;
process.stdout.write(`${await queue.begin(record, { ...written, certainty: "Inserting" }, Number(leaseMs))}\n`);
await once(process.stdin, "data");
await queue.settle(record, { kind: "Written", written: { ...written, certainty: "Known" }, sent: true });
process.stdout.write("settled\n");
