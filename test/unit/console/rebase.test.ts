import fc from "fast-check";
import { expect, test } from "vitest";
import { rebase } from "../../../src/console/edit/rebase.ts";

const field = (name: string, column: string) => ({ field: name, column });
const spec = (fields: readonly object[], more: object = {}) => ({
  ingress: { mappings: [{ table: "contact", fields }] },
  ...more,
});
const base = spec([field("a", "one"), field("b", "two")], { dynamics: { share: 100 } });

test("edits of different fields are both kept, in the order of theirs", () => {
  const mine = spec([field("a", "ONE"), field("b", "two"), field("mine", "m")], { dynamics: { share: 100 } });
  const theirs = spec([field("b", "two"), field("theirs", "t"), field("a", "one")], { dynamics: { share: 50 } });
  expect(rebase(base, mine, theirs)).toEqual({
    spec: spec([field("b", "two"), field("theirs", "t"), field("a", "ONE"), field("mine", "m")], {
      dynamics: { share: 50 },
    }),
    collisions: [],
  });
});

test("what either took away is gone", () => {
  const mine = spec([field("b", "two")], { dynamics: { share: 100 } });
  const theirs = spec([field("a", "one")], { dynamics: { share: 100 } });
  expect(rebase(base, mine, theirs)).toEqual({ spec: spec([], { dynamics: { share: 100 } }), collisions: [] });
});

test.each([
  ["both changed it", spec([field("a", "M"), field("b", "two")]), spec([field("a", "T"), field("b", "two")])],
  ["they took away what I changed", spec([field("a", "M"), field("b", "two")]), spec([field("b", "two")])],
  ["I took away what they changed", spec([field("b", "two")]), spec([field("a", "T"), field("b", "two")])],
])("mine stands and is told of where %s", (_name, mine, theirs) => {
  const { spec: merged, collisions } = rebase(spec([field("a", "one"), field("b", "two")]), mine, theirs);
  expect(collisions).toHaveLength(1);
  expect(collisions[0]).toMatch(/^ingress\.mappings\[table=contact\]\.fields\[field=a\]/);
  const fieldsOf = (one: unknown) => new Set(JSON.stringify(one).match(/"column":"\w+"/g));
  expect(fieldsOf(merged)).toEqual(fieldsOf(mine));
});

const anySpec = fc
  .uniqueArray(fc.record({ field: fc.constantFrom("a", "b", "c", "d"), column: fc.constantFrom("one", "two") }), {
    selector: ({ field: name }) => name,
  })
  .map((fields) => spec(fields));

test("whoever changed nothing changes nothing", () => {
  fc.assert(
    fc.property(anySpec, anySpec, (from, to) => {
      expect(rebase(from, from, to)).toEqual({ spec: to, collisions: [] });
      expect(rebase(from, to, from)).toEqual({ spec: to, collisions: [] });
      expect(rebase(from, to, to)).toEqual({ spec: to, collisions: [] });
    }),
  );
});
