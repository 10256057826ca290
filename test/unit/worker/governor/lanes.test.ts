import fc from "fast-check";
import { expect, test } from "vitest";
import { type Lane, Lanes } from "../../../../src/worker/governor/lanes.ts";

const weights: Readonly<Record<Lane, number>> = { control: 8, delta: 4, write: 4, snapshot: 1 };
const all = Object.keys(weights) as Lane[];

interface Waiter {
  readonly lane: Lane;
}

test("a lane in which somebody waits is served within its share, whatever the other lanes do", () => {
  fc.assert(
    fc.property(
      fc.shuffledSubarray(all, { minLength: all.length }),
      fc.constantFrom(...all),
      fc.array(fc.record({ lane: fc.constantFrom(...all), count: fc.integer({ min: 1, max: 5 }) }), { maxLength: 200 }),
      (order, watched, pushes) => {
        const lanes = new Lanes<Waiter>();
        const push = (lane: Lane) => lanes.push(lane, { lane });
        for (const lane of order) push(lane);
        for (let index = 0; index < 50; index++) push(watched);
        let sinceServed = 0;
        let served = 0;
        const most = Math.ceil(17 / weights[watched]) + all.length;
        for (const { lane, count } of pushes) {
          for (let index = 0; index < count; index++) push(lane);
          if (served === 49) break;
          if (lanes.shift()?.lane === watched) {
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
  const lanes = new Lanes<Waiter>();
  for (let index = 0; index < 1000; index++) for (const lane of all) lanes.push(lane, { lane });
  const order = Array.from({ length: 170 }, () => lanes.shift()?.lane);
  const served = Object.fromEntries(all.map((lane) => [lane, order.filter((name) => name === lane).length]));
  expect(served).toEqual({ control: 80, delta: 40, write: 40, snapshot: 10 });
  expect(order.indexOf("delta")).toBeLessThan(order.indexOf("snapshot"));
});

test("within a lane, first come is first served, and who left is passed over", () => {
  const lanes = new Lanes<Waiter>();
  const [a, b, c] = [{ lane: "delta" }, { lane: "delta" }, { lane: "delta" }] as const;
  for (const waiter of [a, b, c]) lanes.push("delta", waiter);
  lanes.remove("delta", b);
  lanes.remove("delta", b);
  expect(lanes.size).toBe(2);
  expect(lanes.shift()).toBe(a);
  expect(lanes.shift()).toBe(c);
  expect(lanes.shift()).toBeUndefined();
  expect(lanes.size).toBe(0);
});

test("a lane that slept has no claim to what it did not use", () => {
  const lanes = new Lanes<Waiter>();
  for (let index = 0; index < 100; index++) lanes.push("write", { lane: "write" });
  for (let index = 0; index < 50; index++) lanes.shift();
  for (let index = 0; index < 100; index++) lanes.push("snapshot", { lane: "snapshot" });
  const next = Array.from({ length: 10 }, () => lanes.shift()?.lane);
  expect(next.filter((lane) => lane === "snapshot")).toHaveLength(2);
});
