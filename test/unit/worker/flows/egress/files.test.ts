import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  byTimeInName,
  type FileProgress,
  observe,
  type SeenFile,
  tasks,
} from "../../../../../src/worker/flows/egress/files.ts";

const file = (name: string, sizeBytes = 10, modifiedSeconds = 1) => ({ name, sizeBytes, modifiedSeconds });
const position = (offsetBytes: number, digest = "d") => ({ offsetBytes, lines: 1, digest, columns: ["id"] });

function readyOf(names: readonly string[], progress: readonly FileProgress[] = []) {
  const first = observe(
    [],
    names.map((name) => file(name)),
    0,
  );
  return tasks(
    observe(
      first,
      names.map((name) => file(name)),
      60_000,
    ),
    progress,
    "utf-8 ,",
    60_000,
  );
}

describe("exported files", () => {
  it("are ready when size and time stood still over two listings a minute apart, however many came between", () => {
    let seen: SeenFile[] = observe([], [file("a")], 0);
    seen = observe(seen, [file("a")], 30_000);
    expect(tasks(seen, [], "", 30_000)).toEqual([]);
    seen = observe(seen, [file("a", 11)], 60_000);
    expect(tasks(seen, [], "", 60_000)).toEqual([]);
    seen = observe(seen, [file("a", 11, 2)], 90_000);
    expect(tasks(seen, [], "", 149_999)).toEqual([]);
    seen = observe(seen, [file("a", 11, 2)], 150_000);
    expect(tasks(seen, [], "", 150_000)).toMatchObject([{ kind: "Read", file: { name: "a" } }]);
  });

  it("that vanish and come back stand still anew", () => {
    const seen = observe(observe(observe([], [file("a")], 0), [], 60_000), [file("a")], 120_000);
    expect(tasks(seen, [], "", 120_000)).toEqual([]);
  });

  it("come in the order of the last time in their name, then by name; without a time they come last", () => {
    const ordered = [
      "b_20260101.txt",
      "z_2026-01-01_06-00-00.txt",
      "x_20250101_to_20260101_070000.csv",
      "a_20260101_080000.txt",
      "b_20260101_080000.txt",
      "a_20260101_080001.txt",
      "A.txt",
      "a.txt",
      "b_99999999_999999.txt",
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(ordered, { minLength: ordered.length }), (names) => {
        expect(
          names
            .map((name) => file(name))
            .toSorted(byTimeInName)
            .map(({ name }) => name),
        ).toEqual(ordered);
      }),
    );
    expect(readyOf(ordered.toReversed()).map(({ file: { name } }) => name)).toEqual(ordered);
  });

  it("are done, gone on with, compared or read, by what is known of them", () => {
    const progress: FileProgress[] = [
      { ...file("done"), position: position(10), done: true },
      { ...file("half"), position: position(4), done: false },
      { ...file("other", 10, 0), position: position(10, "e"), done: true },
      { ...file("small", 3), position: position(3, "f"), done: true },
    ];
    expect(readyOf(["done", "half", "new", "other", "small"], progress)).toMatchObject([
      { kind: "GoOn", file: { name: "half" }, position: { offsetBytes: 4 } },
      { kind: "Compare", file: { name: "new" }, digests: ["d", "e"] },
      { kind: "Compare", file: { name: "other" }, digests: ["d", "e"] },
      { kind: "Compare", file: { name: "small" }, digests: ["d", "e"] },
    ]);
    expect(readyOf(["new"])).toMatchObject([{ kind: "Read" }]);
  });

  it("are read once more under another name when the same content was taken for lines in another way", () => {
    const read = (format?: string): FileProgress => ({ ...file("old"), position: position(10), done: true, format });
    expect(readyOf(["new"], [read("utf-16le ,")])).toMatchObject([{ kind: "Read" }]);
    expect(readyOf(["new"], [read("utf-8 ,")])).toMatchObject([{ kind: "Compare" }]);
    expect(readyOf(["new"], [read()])).toMatchObject([{ kind: "Compare" }]);
  });
});
