import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Cached, type CacheEvent, ObjectCache } from "../../../src/kubernetes/cache.ts";
import { keyOf } from "../../../src/kubernetes/objects.ts";
import { isAtLeast, opaquePatienceMs } from "../../../src/kubernetes/own-writes.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { ManualClock } from "./manual-clock.ts";

interface Thing extends Cached {
  colors: string[];
}

function thing(name: string, resourceVersion: string, uid = `${name}-1`, colors: string[] = []): Thing {
  return { metadata: { namespace: "ns", name, uid, resourceVersion }, colors };
}

function cacheUnderTest() {
  const clock = new ManualClock();
  const cache = new ObjectCache<Thing, "color">({
    indexes: { color: (object) => object.colors },
    clock,
    logger: silentLogger,
  });
  const events: CacheEvent<Thing>[] = [];
  cache.subscribe((event) => events.push(event));
  return { cache, clock, events, told: () => events.map(({ type, object }) => `${type} ${object.metadata.uid}`) };
}

const listed = (...things: Thing[]) => new Map(things.map((object) => [keyOf(object.metadata), object]));

describe("events", () => {
  test("a list tells the deletes that were missed, and nothing about what stayed the same", () => {
    const { cache, events, told } = cacheUnderTest();
    cache.replace("", listed(thing("gone", "1"), thing("same", "2"), thing("changed", "3")), "5");
    events.length = 0;
    cache.replace("", listed(thing("same", "2"), thing("changed", "6"), thing("new", "7")), "8");
    expect(told()).toEqual(["delete gone-1", "update changed-1", "add new-1"]);
  });

  test("an object of another uid under the same name is a delete and an add", () => {
    const { cache, told } = cacheUnderTest();
    cache.put("", thing("a", "1", "first"));
    cache.put("", thing("a", "2", "second"));
    expect(told()).toEqual(["add first", "delete first", "add second"]);
  });

  test("what did not change of an object is in the one that comes after it", () => {
    const { cache, events } = cacheUnderTest();
    cache.put("", thing("a", "1", "a-1", ["red"]));
    cache.put("", thing("a", "2", "a-1", ["red"]));
    cache.put("", thing("a", "3", "another", ["red"]));
    const [first, second, , third] = events.map(({ object }) => object.colors);
    expect(second).toBe(first);
    expect(third).not.toBe(first);
  });

  test("a list of one namespace leaves the others alone", () => {
    const { cache, told } = cacheUnderTest();
    const other = { ...thing("b", "1"), metadata: { ...thing("b", "1").metadata, namespace: "other" } };
    cache.put("ns", thing("a", "1"));
    cache.put("other", other);
    cache.replace("ns", new Map(), "5");
    expect(told()).toEqual(["add a-1", "add b-1", "delete a-1"]);
  });

  test("a handler that comes late is told what is there", () => {
    const { cache } = cacheUnderTest();
    cache.put("", thing("a", "1"));
    const late: string[] = [];
    cache.subscribe(({ type, key }) => late.push(`${type} ${key}`));
    expect(late).toEqual(["add ns/a"]);
  });

  test("a handler that throws does not keep the others from being called", () => {
    const { cache } = cacheUnderTest();
    const heard: string[] = [];
    cache.subscribe(() => {
      throw new Error("broken handler");
    });
    cache.subscribe(({ key }) => heard.push(key));
    cache.put("", thing("a", "1"));
    expect(heard).toEqual(["ns/a"]);
  });
});

test("what is cached is frozen to its depth", () => {
  const { cache } = cacheUnderTest();
  cache.put("", thing("a", "1", "u", ["red"]));
  const object = cache.get("ns/a");
  expect(() => object?.colors.push("blue")).toThrow(TypeError);
  expect(() => Object.assign(object?.metadata ?? {}, { name: "b" })).toThrow(TypeError);
});

test("whatever comes in, an index finds exactly the objects that have the value", () => {
  const color = fc.constantFrom("red", "green", "blue");
  const change = fc.record({
    name: fc.constantFrom("a", "b", "c"),
    uid: fc.constantFrom("1", "2"),
    colors: fc.uniqueArray(color),
    do: fc.constantFrom("put", "put", "remove", "replace"),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
      const { cache } = cacheUnderTest();
      for (const [index, { name, uid, colors, do: what }] of changes.entries()) {
        const object = thing(name, String(index + 1), uid, colors);
        if (what === "put") cache.put("", object);
        else if (what === "remove") cache.remove("", object.metadata);
        else cache.replace("", listed(object), String(index + 1));
        for (const value of ["red", "green", "blue"]) {
          const expected = [...cache.values()].filter((entry) => entry.colors.includes(value));
          expect(new Set(cache.byIndex("color", value))).toEqual(new Set(expected));
        }
      }
    }),
  );
});

describe("own writes", () => {
  test("a cache that still holds the object as it was has not seen the write", () => {
    const { cache } = cacheUnderTest();
    cache.put("", thing("a", "9"));
    cache.noteWrite(thing("a", "10"));
    expect(cache.hasSeenWrites("ns/a")).toBe(false);
    cache.put("", thing("a", "10"));
    expect(cache.hasSeenWrites("ns/a")).toBe(true);
  });

  test("a later version is enough, and versions are compared as numbers", () => {
    const { cache } = cacheUnderTest();
    cache.put("", thing("a", "99"));
    cache.noteWrite(thing("a", "100"));
    expect(cache.hasSeenWrites("ns/a")).toBe(false);
    cache.put("", thing("a", "1000"));
    expect(cache.hasSeenWrites("ns/a")).toBe(true);
  });

  test("a write whose event came before its answer is seen at once", () => {
    const { cache } = cacheUnderTest();
    cache.put("", thing("a", "12"));
    cache.noteWrite(thing("a", "11"));
    expect(cache.hasSeenWrites("ns/a")).toBe(true);
  });

  test("a new object is not seen while the cache holds the old one of its name", () => {
    const { cache } = cacheUnderTest();
    cache.put("", thing("a", "5", "old"));
    cache.noteWrite(thing("a", "10", "new"));
    expect(cache.hasSeenWrites("ns/a")).toBe(false);
    cache.remove("", thing("a", "9", "old").metadata);
    expect(cache.hasSeenWrites("ns/a")).toBe(false);
    cache.put("", thing("a", "10", "new"));
    expect(cache.hasSeenWrites("ns/a")).toBe(true);
  });

  test.each([
    ["the object was replaced", (cache: ObjectCache<Thing, "color">) => cache.put("", thing("a", "12", "other"))],
    ["the object is gone", (cache: ObjectCache<Thing, "color">) => cache.remove("", thing("a", "12").metadata)],
    ["another object shows a later version", (cache: ObjectCache<Thing, "color">) => cache.put("", thing("b", "12"))],
    ["a bookmark shows a later version", (cache: ObjectCache<Thing, "color">) => cache.advance("", "12")],
    ["a list without the object is later", (cache: ObjectCache<Thing, "color">) => cache.replace("", new Map(), "12")],
  ])("a write is seen when %s", (_name, happen) => {
    const { cache } = cacheUnderTest();
    cache.put("", thing("a", "9"));
    cache.noteWrite(thing("a", "11"));
    expect(cache.hasSeenWrites("ns/a")).toBe(false);
    happen(cache);
    expect(cache.hasSeenWrites("ns/a")).toBe(true);
  });

  test("a deletion is seen when the object is gone or replaced, not when it merely changed", () => {
    const { cache } = cacheUnderTest();
    cache.put("", thing("a", "9", "first"));
    cache.noteDeletion({ namespace: "ns", name: "a" }, "first");
    cache.put("", thing("a", "10", "first"));
    expect(cache.hasSeenWrites("ns/a")).toBe(false);
    cache.put("", thing("a", "11", "second"));
    expect(cache.hasSeenWrites("ns/a")).toBe(true);
  });

  test("another namespace's progress says nothing", () => {
    const { cache } = cacheUnderTest();
    cache.put("ns", thing("a", "9"));
    cache.noteWrite(thing("a", "11"));
    cache.advance("other", "20");
    expect(cache.hasSeenWrites("ns/a")).toBe(false);
  });

  test("versions that are no numbers are seen when equal, when the object is gone, or after a while", async () => {
    const { cache, clock } = cacheUnderTest();
    cache.put("", thing("a", "x9"));
    cache.noteWrite(thing("a", "x1"));
    expect(cache.hasSeenWrites("ns/a")).toBe(false);
    cache.put("", thing("a", "x1"));
    expect(cache.hasSeenWrites("ns/a")).toBe(true);

    cache.noteWrite(thing("a", "x2"));
    cache.remove("", thing("a", "x3").metadata);
    expect(cache.hasSeenWrites("ns/a")).toBe(true);

    cache.put("", thing("a", "x5", "other"));
    cache.noteWrite(thing("a", "x4", "other"));
    expect(cache.hasSeenWrites("ns/a")).toBe(false);
    await clock.advance(opaquePatienceMs + 1);
    expect(cache.hasSeenWrites("ns/a")).toBe(true);
  });

  test("whoever waits is woken when the write has been seen, or by the signal", async () => {
    const { cache } = cacheUnderTest();
    cache.put("", thing("a", "9"));
    cache.noteWrite(thing("a", "11"));
    const waiting = cache.waitForWrites("ns/a", new AbortController().signal);
    cache.put("", thing("a", "10"));
    cache.put("", thing("a", "11"));
    await waiting;

    cache.noteWrite(thing("a", "13"));
    const stop = new AbortController();
    const stopped = cache.waitForWrites("ns/a", stop.signal);
    stop.abort();
    await stopped;
    expect(cache.hasSeenWrites("ns/a")).toBe(false);
  });

  test("versions compare as the integers that they are, of any length", () => {
    const version = fc.bigInt({ min: 1n, max: 10n ** 30n });
    fc.assert(
      fc.property(version, version, (left, right) => {
        expect(isAtLeast(`${left}`, `${right}`)).toBe(left >= right);
      }),
    );
    expect(isAtLeast("5", "abc")).toBeUndefined();
    expect(isAtLeast("05", "4")).toBeUndefined();
  });
});
