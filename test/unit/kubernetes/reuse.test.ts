import fc from "fast-check";
import { expect, test } from "vitest";
import { reuse } from "../../../src/kubernetes/reuse.ts";

test("the value is the same as without, whatever was there before", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (before, now) => {
      const expected = structuredClone(now);
      const untouched = structuredClone(before);
      expect(reuse(before, now)).toEqual(expected);
      expect(before).toEqual(untouched);
    }),
  );
});

test("what did not change is what was there before, and what did is not", () => {
  const before = Object.freeze({
    metadata: { resourceVersion: "1", labels: { a: "b" } },
    spec: { list: [{ x: 1 }, { y: 2 }] },
  });
  const now = reuse(before, {
    metadata: { resourceVersion: "2", labels: { a: "b" } },
    spec: { list: [{ x: 1 }, { y: 3 }] },
  });
  expect(now.metadata).not.toBe(before.metadata);
  expect(now.metadata.labels).toBe(before.metadata.labels);
  expect(now.spec).not.toBe(before.spec);
  expect(now.spec.list[0]).toBe(before.spec.list[0]);
  expect(now).toEqual({ metadata: { resourceVersion: "2", labels: { a: "b" } }, spec: { list: [{ x: 1 }, { y: 3 }] } });
});

test("a value that did not change at all is the one that was there before", () => {
  const before = { spec: [1, { a: null }] };
  expect(reuse(before, { spec: [1, { a: null }] })).toBe(before);
});

test("so is one of which a field is there and undefined, as it was", () => {
  const before = { steps: { createdAtMs: 1, workerAtMs: undefined } };
  expect(reuse(before, { steps: { createdAtMs: 1, workerAtMs: undefined } })).toBe(before);
});

test.each([
  ["fewer fields", { a: 1, b: 2 }, { a: 1 }],
  ["more fields", { a: 1 }, { a: 1, b: undefined }],
  ["a shorter list", [1, 2], [1]],
  ["a list for an object", { 0: 1 }, [1]],
  ["an object for nothing", null, { a: 1 }],
])("%s are another value", (_what, before, now) => {
  const expected = structuredClone(now);
  const result = reuse<unknown>(before, now);
  expect(result).not.toBe(before);
  expect(result).toEqual(expected);
});

test("what is frozen is left as it is", () => {
  const shared = Object.freeze({ probe: Object.freeze({ path: "/" }) });
  expect(reuse({ probe: { path: "/" } }, shared)).toBe(shared);
});

test("what every object inherits is not what was there before", () => {
  const now = JSON.parse('{"__proto__":{},"a":1}');
  const result = reuse<Record<string, unknown>>({ a: 1 }, now);
  expect(Object.getOwnPropertyDescriptor(result, "__proto__")?.value).not.toBe(Object.prototype);
});
