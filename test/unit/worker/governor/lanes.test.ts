import fc from "fast-check";
import { expect, test } from "vitest";
import { type Lane, Lanes } from "../../../../src/worker/governor/lanes.ts";

const weights: Readonly<Record<Lane, number>> = { control: 8, delta: 4, write: 4, snapshot: 1 };
const all = Object.keys(weights) as Lane[];

test("a lane in which somebody waits is served within its share, whatever the other lanes do", () => {
  fc.assert(
    fc.property(
      fc.shuffledSubarray(all, { minLength: all.length }),
      fc.constantFrom(...all),
      fc.array(fc.record({ lane: fc.constantFrom(...all), count: fc.integer({ min: 1, max: 5 }) }), { maxLength: 200 }),
      (order, watched, pushes) => {
        const lanes = new Lanes<Lane>();
        // Waiters are told apart by identity: objects in disguise.
        const push = (lane: Lane) => lanes.push(lane, Object(lane) as Lane);
        for (const lane of order) push(lane);
        for (let index = 0; index < 50; index++) push(watched);
        let sinceServed = 0;
        let served = 0;
        const most = Math.ceil(17 / weights[watched]) + all.length;
        for (const { lane, count } of pushes) {
          for (let index = 0; index < count; index++) push(lane);
          if (served === 49) break;
          if (String(lanes.shift()) === watched) {
            sinceServed = 0;
            served++;
          } else {
            sinceServed++;
          }
          expect(sinceServed).toBeLessThanOrEqual(most);
        }
      },
    ),
  );
});

test("lanes are served in proportion to their weights, delta before snapshot", () => {
  const lanes = new Lanes<Lane>();
  for (let index = 0; index < 1000; index++) for (const lane of all) lanes.push(lane, Object(lane) as Lane);
  const served: Record<string, number> = {};
  const order: string[] = [];
  for (let index = 0; index < 170; index++) {
    const lane = String(lanes.shift());
    served[lane] = (served[lane] ?? 0) + 1;
    order.push(lane);
  }
  expect(served).toEqual({ control: 80, delta: 40, write: 40, snapshot: 10 });
  expect(order.indexOf("delta")).toBeLessThan(order.indexOf("snapshot"));
});

test("within a lane, first come is first served, and who left is passed over", () => {
  const lanes = new Lanes<string>();
  for (const name of ["a", "b", "c"]) lanes.push("delta", name);
  lanes.remove("delta", "b");
  lanes.remove("delta", "b");
  expect(lanes.size).toBe(2);
  expect([lanes.shift(), lanes.shift(), lanes.shift()]).toEqual(["a", "c", undefined]);
  expect(lanes.size).toBe(0);
});

test("a lane that slept has no claim to what it did not use", () => {
  const lanes = new Lanes<string>();
  for (let index = 0; index < 100; index++) lanes.push("write", "write");
  for (let index = 0; index < 50; index++) lanes.shift();
  for (let index = 0; index < 100; index++) lanes.push("snapshot", "snapshot");
  const next = Array.from({ length: 10 }, () => lanes.shift());
  expect(next.filter((lane) => lane === "snapshot").length).toBeLessThanOrEqual(2);
});
