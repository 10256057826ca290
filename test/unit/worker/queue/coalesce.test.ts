import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { coalesce, type KnownState, type PendingState, type Reading } from "../../../../src/worker/queue/coalesce.ts";
import type { Incoming } from "../../../../src/worker/queue/page.ts";

const reading: Reading = { generation: 2, replay: false, stage: "Round", goesOn: false };
const content = { targetKey: "k", payload: "{}" };
const upsert = (version: bigint): Incoming => ({ kind: "Upsert", id: "a", version, content });
const deletion: Incoming = { kind: "Delete", id: "a" };
const pending = (over: Partial<PendingState> = {}): PendingState => ({
  operation: "Upsert",
  version: 5n,
  hasContent: true,
  generation: 2,
  replay: false,
  begun: false,
  ...over,
});
const written = (version: bigint, over: { generation?: number; left?: boolean } = {}) => ({
  version,
  generation: 2,
  left: false,
  ...over,
});

describe("of one record, what was read and what is known", () => {
  it.each<[string, Incoming, KnownState, object]>([
    ["a new record waits", upsert(1n), {}, { kind: "Put", row: { version: 1n, withContent: true } }],
    [
      "a newer version replaces the one that waits",
      upsert(6n),
      { pending: pending() },
      { kind: "Put", row: { version: 6n } },
    ],
    ["an older version is dropped", upsert(4n), { pending: pending() }, { kind: "Keep" }],
    ["the same version is not queued twice", upsert(5n), { pending: pending() }, { kind: "Keep" }],
    ["a version older than the written one is dropped", upsert(4n), { written: written(5n) }, { kind: "Keep" }],
    ["the written version is not queued again", upsert(5n), { written: written(5n) }, { kind: "Keep" }],
    [
      "a new generation compares what was written before",
      upsert(5n),
      { written: written(5n, { generation: 1 }) },
      { kind: "Put" },
    ],
    ["a refused version is not tried again", upsert(5n), { dead: { version: 5n, generation: 2 } }, { kind: "Keep" }],
    [
      "a newer version of a refused record is tried",
      upsert(6n),
      { dead: { version: 5n, generation: 2 } },
      { kind: "Put" },
    ],
    [
      "a deletion of a written record is decided by reading, at the round's end",
      deletion,
      { written: written(5n) },
      { kind: "Put", row: { operation: "Upsert", withContent: false, held: "Round" } },
    ],
    [
      "a deletion while an upsert waits is decided by reading",
      deletion,
      { pending: pending() },
      { kind: "Put", row: { operation: "Upsert", withContent: false, version: 5n } },
    ],
    [
      "a deletion of what is being read is no old news: it is read once more",
      deletion,
      { pending: pending({ hasContent: false }) },
      { kind: "Put", row: { operation: "Upsert", withContent: false } },
    ],
    [
      "a deletion of what was refused is decided by reading",
      deletion,
      { dead: { version: 5n, generation: 2 } },
      { kind: "Put", row: { operation: "Upsert", withContent: false } },
    ],
    [
      "an upsert while a deletion waits is decided by reading",
      upsert(9n),
      { pending: { operation: "Upsert", hasContent: false, generation: 2, replay: false, begun: false } },
      { kind: "Put", row: { operation: "Upsert", withContent: false, version: 9n } },
    ],
    [
      "what is to be read stays so, whatever comes",
      upsert(9n),
      { pending: pending({ hasContent: false }) },
      { kind: "Put", row: { withContent: false, version: 9n } },
    ],
    ["a deletion of what was never written needs nothing", deletion, {}, { kind: "Drop", left: false }],
    [
      "leaving the filter drops what waits",
      { kind: "FilteredOut", id: "a", version: 6n, remove: false },
      { pending: pending(), written: written(4n) },
      { kind: "Drop", left: true },
    ],
    [
      "leaving the filter deletes what was written, if asked",
      { kind: "FilteredOut", id: "a", version: 6n, remove: true },
      { written: written(4n) },
      { kind: "Put", row: { operation: "Delete", version: 6n, held: "Round" } },
    ],
    [
      "leaving the filter deletes nothing that was not written",
      { kind: "FilteredOut", id: "a", version: 6n, remove: true },
      {},
      { kind: "Drop" },
    ],
    [
      "coming back into the filter is written, same version or not",
      upsert(5n),
      { written: written(5n, { left: true }) },
      { kind: "Put" },
    ],
    [
      "what cannot be converted is buried",
      { kind: "Refused", id: "a", version: 6n, refusal: { reason: "R", message: "m" } },
      { pending: pending() },
      { kind: "Bury" },
    ],
    [
      "a row whose call was begun is kept, to keep the key out",
      { kind: "Refused", id: "a", version: 6n, refusal: { reason: "R", message: "m" } },
      { pending: pending({ begun: true }) },
      { kind: "Put", row: { withContent: false } },
    ],
  ])("%s", (_name, incoming, known, expected) => {
    expect(coalesce(incoming, known, reading)).toMatchObject(expected);
  });

  it("a deletion is remembered while the round goes on, whatever is known", () => {
    expect(coalesce(deletion, {}, { ...reading, goesOn: true })).toMatchObject({
      kind: "Put",
      row: { operation: "Upsert", withContent: false, held: "Round" },
    });
  });

  it("a replay takes the written version once more, and reads again what a newer reading wrote", () => {
    const replay = { ...reading, replay: true };
    expect(coalesce(upsert(5n), { written: written(5n) }, replay)).toMatchObject({
      kind: "Put",
      row: { withContent: true },
    });
    expect(coalesce(upsert(4n), { written: written(5n) }, replay)).toMatchObject({
      kind: "Put",
      row: { withContent: false, version: 5n },
    });
  });

  const version = fc.bigInt({ min: 1n, max: 6n });
  const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  const known = fc
    .record({
      pending: optional(
        fc.record({
          operation: fc.constantFrom("Upsert" as const, "Delete" as const),
          version: optional(version),
          hasContent: fc.boolean(),
          generation: fc.integer({ min: 1, max: 2 }),
          replay: fc.boolean(),
          begun: fc.boolean(),
        }),
      ),
      written: optional(fc.record({ version, generation: fc.integer({ min: 1, max: 2 }), left: fc.boolean() })),
    })
    .map((state) => JSON.parse(JSON.stringify(state, bigintAsText), textAsBigint) as KnownState);

  it("content never replaces what is newer, in any state", () => {
    fc.assert(
      fc.property(known, version, fc.boolean(), fc.boolean(), (state, found, replay, goesOn) => {
        const decision = coalesce(upsert(found), state, { generation: 2, replay, stage: "Round", goesOn });
        if (decision.kind !== "Put" || !decision.row.withContent) return;
        expect(found).toBeGreaterThanOrEqual(state.pending?.version ?? 0n);
        if (state.pending === undefined) expect(found).toBeGreaterThanOrEqual(state.written?.version ?? 0n);
      }),
    );
  });

  it("a deletion removes nothing unread, in any state", () => {
    fc.assert(
      fc.property(known, fc.boolean(), (state, goesOn) => {
        fc.pre(state.pending !== undefined || state.written !== undefined);
        const decision = coalesce(deletion, state, { ...reading, goesOn });
        expect(decision).toMatchObject({ kind: "Put", row: { operation: "Upsert", withContent: false } });
      }),
    );
  });

  it("content never replaces what is to be read", () => {
    fc.assert(
      fc.property(known, version, (state, found) => {
        const { pending } = state;
        fc.pre(pending?.operation === "Upsert" && !pending.hasContent && pending.generation === reading.generation);
        const decision = coalesce(upsert(found), state, reading);
        if (decision.kind === "Put") expect(decision.row.withContent).toBe(false);
      }),
    );
  });
});

function bigintAsText(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value;
}

function textAsBigint(_name: string, value: unknown): unknown {
  return typeof value === "string" && /^\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value;
}
