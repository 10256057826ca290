/** What a database that fails between a commit and its way to the disk may be believed. */
import { expect, it } from "vitest";
import { storeUnreachable } from "../../../../src/worker/queue/errors.ts";
import type { Database } from "../../../../src/worker/queue/postgres/connection.ts";
import { Turns } from "../../../../src/worker/queue/postgres/turns.ts";

it("answers nobody whose commit a failed flush may have lost, though the next flush succeeds", async () => {
  const flushes: PromiseWithResolvers<void>[] = [];
  const batches: string[] = [];
  const change = async (sql: string, values: readonly unknown[] = []) => {
    if (sql.includes("take_turns")) {
      batches.push(String(values[0]));
      return [{ answers: ["Begun"] }];
    }
    const flush = Promise.withResolvers<void>();
    flushes.push(flush);
    await flush.promise;
    return [];
  };
  const turns = new Turns({ change } as Pick<Database, "change">); // Its rows are of whatever was asked.
  const begin = () => {
    const begun = turns.run({ do: "begin" });
    begun.catch(() => undefined); // Looked at below.
    return begun;
  };
  const first = begin();
  await expect.poll(() => flushes.length).toBe(1);
  const second = begin();
  await expect.poll(() => batches.length).toBe(2);
  await new Promise(setImmediate);
  flushes[0]?.reject(storeUnreachable("the connection was lost", undefined));
  await expect(first).rejects.toThrow("the connection was lost");
  await new Promise(setImmediate);
  flushes[1]?.resolve();
  await expect(second).rejects.toThrow("the connection was lost");
  const third = begin();
  await expect.poll(() => batches.length).toBe(3);
  await expect.poll(() => flushes.length).toBe(2);
  flushes[1]?.resolve();
  await expect(third).resolves.toBe("Begun");
  await turns.close();
});
