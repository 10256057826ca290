/** How fast records move, told by a process that shares its store with others. */
import { describe, expect, it } from "vitest";
import { Paces } from "../../../../src/worker/queue/postgres/pace.ts";

const counted = (pending: number, totalRead: number, totalWritten: number) =>
  new Map([["contact", { pending, totalRead, totalWritten }]]);

describe("a pace", () => {
  it("is what all processes wrote and were done with, over the last minute", () => {
    const paces = new Paces();
    expect(paces.of(counted(0, 0, 0), 0).size).toBe(0);
    expect(paces.of(counted(100, 100, 0), 1000).size).toBe(0);
    expect(paces.of(counted(60, 100, 30), 10_000).get("contact")).toEqual({ writtenPerSecond: 3, donePerSecond: 4 });
    for (let second = 15; second <= 70; second += 5) paces.of(counted(60, 100, 30), second * 1000);
    expect(paces.of(counted(60, 100, 30), 71_000).get("contact")).toEqual({ writtenPerSecond: 0, donePerSecond: 0 });
  });

  it("is told to who asks once a minute or less often", () => {
    const paces = new Paces();
    paces.of(counted(0, 0, 0), 0);
    expect(paces.of(counted(0, 600, 600), 60_000).get("contact")).toMatchObject({ writtenPerSecond: 10 });
    expect(paces.of(counted(0, 900, 900), 160_000).get("contact")).toMatchObject({ writtenPerSecond: 3 });
  });

  it("is never negative, and is of those mappings that were counted before", () => {
    const paces = new Paces();
    paces.of(counted(0, 0, 0), 0);
    const now = new Map([...counted(50, 0, 0), ["account", { pending: 1, totalRead: 1, totalWritten: 1 }]] as const);
    expect([...paces.of(now, 10_000)]).toEqual([["contact", { writtenPerSecond: 0, donePerSecond: 0 }]]);
  });
});
