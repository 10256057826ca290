/** What every store of the queue promises, on PostgreSQL. */
import { afterAll, it } from "vitest";
import { testOn } from "../../unit/worker/queue/queue-ground.ts";
import { PostgresStore } from "./postgres-store.ts";
import { PostgresServer } from "./server.ts";

const missing = await PostgresServer.missing();
if (missing === undefined) {
  const server = await PostgresServer.start();
  afterAll(() => server.end());
  testOn(() => new PostgresStore(server));
  await import("../../unit/worker/queue/queue.test.ts");
  await import("../../unit/worker/queue/contacts.test.ts");
  await import("../../unit/worker/queue/files.test.ts");
  await import("../../unit/worker/queue/held.test.ts");
  await import("../../unit/worker/queue/keys.test.ts");
  await import("../../unit/worker/queue/links.test.ts");
  await import("../../unit/worker/queue/order.test.ts");
  await import("../../unit/worker/queue/progress.test.ts");
  await import("../../unit/worker/queue/records.test.ts");
} else {
  it("keeps what every store promises", ({ skip }) => skip(missing));
}
