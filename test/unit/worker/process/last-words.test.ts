import fc from "fast-check";
import { expect, it } from "vitest";
import { type LastWords, lastWordsMaxBytes } from "../../../../src/api/worker-contract.ts";
import { encodeLastWords } from "../../../../src/worker/process/last-words.ts";

const statusOf = (names: readonly string[]) => ({
  backlog: 1204,
  lastSyncTime: "2026-11-21T10:00:00.000Z",
  mappings: names.map((name) => ({ name, phase: "Incremental", backlog: 1, read: 1, written: 1, deadLettered: 0 })),
  schemaDrift: [],
});

it("last words are JSON of at most 4,096 bytes with reason and backlog, however much there is to say", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme", maxLength: 6000, size: "max" }),
      fc.array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 128 }), { maxLength: 64, size: "max" }),
      (message, names) => {
        const text = encodeLastWords("Stopped", message, statusOf(names));
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(lastWordsMaxBytes);
        expect(JSON.parse(text)).toMatchObject({ reason: "Stopped", backlog: 1204 });
      },
    ),
    { numRuns: 50 },
  );
});

it("keeps as many mappings as fit, the first ones", () => {
  const words = JSON.parse(
    encodeLastWords("Stopped", "m", statusOf(Array.from({ length: 64 }, (_, n) => `table${n}`))),
  ) as LastWords;
  expect(words.mappings?.length).toBeGreaterThan(20);
  expect(words.mappings?.[0]?.name).toBe("table0");
});

it("says why a mapping is paused in one word: what is said of it at length has no room here", () => {
  const paused = { name: "contact", phase: "Paused", reason: "MassDeletion", message: "m".repeat(1024) };
  const words = JSON.parse(encodeLastWords("Stopped", "m", { ...statusOf([]), mappings: [paused] })) as LastWords;
  expect(words.mappings).toEqual([{ name: "contact", phase: "Paused", reason: "MassDeletion" }]);
});

it("says nothing of a backlog that nobody counted", () => {
  expect(JSON.parse(encodeLastWords("CredentialsMissing", "m", undefined))).toEqual({
    reason: "CredentialsMissing",
    message: "m",
  });
});
