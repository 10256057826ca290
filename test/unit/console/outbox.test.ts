import fc from "fast-check";
import { expect, test } from "vitest";
import { Outbox } from "../../../src/console/outbox.ts";

test("whatever comes before a page reads: of each thing it gets the newest, and never more than a page's worth", () => {
  const changes = fc.array(fc.record({ id: fc.integer({ min: 0, max: 400 }), value: fc.nat() }), { maxLength: 600 });
  fc.assert(
    fc.property(changes, (all) => {
      const outbox = new Outbox<{ id: number; value: number }>("0");
      const newest = new Map<number, number>();
      for (const [index, change] of all.entries()) {
        outbox.put(String(change.id), change, String(index + 1));
        newest.set(change.id, change.value);
      }
      const letter = outbox.take();
      expect(letter.version).toBe(String(all.length));
      if (newest.size > 250) expect(letter).toMatchObject({ changes: [], notice: "refresh" });
      else expect(new Map(letter.changes.map(({ id, value }) => [id, value]))).toEqual(newest);
      expect(outbox.take()).toMatchObject({ changes: [], notice: undefined });
    }),
  );
});

test("a page that is to load itself anew is not told that all is well instead", () => {
  const outbox = new Outbox<string>("1");
  outbox.put("a", "change", "2");
  outbox.say("refresh");
  outbox.say("seen");
  outbox.put("b", "change", "3");
  expect(outbox.take()).toEqual({ changes: [], notice: "refresh", version: "3" });
});

test("whoever waits is woken by a change and by a word, and not by what is not for this page", async () => {
  const outbox = new Outbox<string>("1");
  let woken = 0;
  const wait = () => void outbox.filled.then(() => (woken += 1));
  wait();
  outbox.pass("2");
  await Promise.resolve();
  expect(woken).toBe(0);
  outbox.put("a", "change", "3");
  await Promise.resolve();
  expect(woken).toBe(1);
  expect(outbox.take().version).toBe("3");
  wait();
  outbox.say("wait");
  await Promise.resolve();
  expect(woken).toBe(2);
});
