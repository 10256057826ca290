import { describe, expect, test } from "vitest";
import { LabelSelectorError, parseLabelSelector } from "../../../src/kubernetes/label-selector.ts";

describe("what a selector selects is what kubectl would select", () => {
  const objects = {
    none: undefined,
    a: { shard: "a" },
    b: { shard: "b" },
    empty: { shard: "" },
    aBlue: { shard: "a", "example.com/colour": "blue" },
    blue: { "example.com/colour": "blue" },
  };
  test.each([
    ["shard=a", ["a", "aBlue"]],
    [" shard == a ", ["a", "aBlue"]],
    ["shard=", ["empty"]],
    ["shard!=a", ["none", "b", "empty", "blue"]],
    ["shard", ["a", "b", "empty", "aBlue"]],
    ["!shard", ["none", "blue"]],
    ["! shard", ["none", "blue"]],
    ["shard in (a, b)", ["a", "b", "aBlue"]],
    ["shard in (a,)", ["a", "empty", "aBlue"]],
    ["shard notin (a,b)", ["none", "empty", "blue"]],
    ["shard,shard notin (a,b),shard!=c", ["empty"]],
    ["shard in (a,b),example.com/colour=blue", ["aBlue"]],
    ["example.com/colour=blue,!shard", ["blue"]],
  ])("%s", (text, expected) => {
    const isSelected = parseLabelSelector(text);
    const selected = Object.entries(objects).filter(([, labels]) => isSelected(labels));
    expect(selected.map(([name]) => name)).toEqual(expected);
  });
});

test.each([
  "",
  "=a",
  "shard=a,",
  "shard = a b",
  "shard in a",
  "shard in (a",
  "shard>1",
  "-shard",
  "shard=-a",
  "a/b/c=d",
  "!",
])("what is no selector is refused, and quoted: '%s'", (text) => {
  expect(() => parseLabelSelector(text)).toThrow(LabelSelectorError);
  expect(() => parseLabelSelector(text)).toThrow(`"${text}" is no label selector`);
});
