/**
 * How fast the sandbox makes and serves contacts, so that a measurement of the worker is known not to measure it.
 * `node test/bench/sandbox.ts [contacts]`
 */
import { startSandbox } from "../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { batchBody } from "../sandbox/batch-message.ts";
import { dataverseCaller } from "../sandbox/callers.ts";

const contacts = Number(process.argv[2] ?? 200_000);
const columns =
  "firstname,lastname,emailaddress1,gendercode,birthdate,telephone1,address1_city,_parentcustomerid_value";

function report(what: string, startedAt: number, rows: number): void {
  const seconds = (performance.now() - startedAt) / 1000;
  const megabytes = Math.round(process.memoryUsage().rss / 1_000_000);
  console.log(`${what}: ${seconds.toFixed(2)} s, ${Math.round(rows / seconds)} rows/s, ${megabytes} MB resident`);
}

let startedAt = performance.now();
const sandbox = await startSandbox({ contacts }, silentLogger);
report(`start with ${contacts} contacts`, startedAt, contacts);

const caller = await dataverseCaller(sandbox);
startedAt = performance.now();
let target: string | undefined = `contacts?$select=${columns}`;
let read = 0;
while (target !== undefined) {
  const { json } = await caller.call("GET", target, {
    headers: { prefer: "odata.track-changes,odata.maxpagesize=5000" },
  });
  read += json.value.length;
  target = json["@odata.nextLink"];
}
report(`tracked read of ${read} rows`, startedAt, read);

const changes = Math.min(100_000, contacts);
startedAt = performance.now();
await sandbox.control.changeMany({
  table: "contact",
  count: changes,
  operation: "update",
  cells: { jobtitle: "Job {n}" },
});
report(`change of ${changes} rows`, startedAt, changes);

const batches = Math.ceil(Math.min(20_000, contacts) / 100);
const parts = Array.from({ length: 100 }, () => ({ method: "POST", url: "contacts", body: { lastname: "Batch" } }));
startedAt = performance.now();
for (let n = 0; n < batches; n += 1) {
  const headers = { "content-type": "multipart/mixed; boundary=b" };
  await caller.call("POST", "$batch", { headers, body: batchBody("b", [parts]) });
}
report(`${batches} change sets of 100 new rows`, startedAt, batches * 100);

startedAt = performance.now();
const records = Array.from({ length: changes }, (_, n) => ({ externalId: `key ${n}`, firstName: "A", lastName: "B" }));
await sandbox.control.insertRecords({ resource: "profile", records });
report(`insert of ${changes} profiles`, startedAt, changes);
await sandbox.close();
