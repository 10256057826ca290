import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readList } from "../../../src/kubernetes/list-text.ts";
import { metadataOf, trickyText } from "./tricky-text.ts";

const text = trickyText(
  '},{"metadata":{',
  '"items":[',
  "]",
  '\\"}',
  "{",
  "é€😀",
  '{"apiVersion":"v1","kind":"A","metadata":{',
);
const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    text,
    fc.integer(),
    fc.constant(null),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.oneof(text, fc.constantFrom("metadata", "items")), tie("value"), { maxKeys: 3 }),
    // A list of objects that begin as items of a list do.
    fc.array(fc.record({ metadata: fc.dictionary(text, text, { maxKeys: 2 }), spec: tie("value") }), { maxLength: 3 }),
  ),
})).value;
const metadata = metadataOf(text);
const builtIn = fc.record({ metadata, spec: value, status: value });
const custom = fc
  .record({ metadata, spec: value })
  .map((rest) => ({ apiVersion: "example/v1", kind: "Thing", ...rest }));
const head = fc.record({ resourceVersion: fc.nat().map(String), continue: fc.base64String() });

function visited(list: string): { items: unknown[]; head: unknown } {
  const items: unknown[] = [];
  return { head: readList(list, (item) => items.push(item)), items };
}

describe("a list", () => {
  test("as kube-apiserver writes it of built-in kinds is read as if it were parsed at once, whatever stands in it", () => {
    fc.assert(
      fc.property(fc.array(builtIn, { maxLength: 5 }), head, (items, listMetadata) => {
        const list = { kind: "PodList", apiVersion: "v1", metadata: listMetadata, items };
        const { items: _, ...rest } = JSON.parse(JSON.stringify(list));
        expect(visited(`${JSON.stringify(list)}\n`)).toEqual({ head: rest, items: JSON.parse(JSON.stringify(items)) });
      }),
    );
  });
  test("as it writes it of custom resources, its metadata last", () => {
    fc.assert(
      fc.property(fc.array(custom, { maxLength: 5 }), head, (items, listMetadata) => {
        const list = { apiVersion: "example/v1", items, kind: "ThingList", metadata: listMetadata };
        const { items: _, ...rest } = JSON.parse(JSON.stringify(list));
        expect(visited(`${JSON.stringify(list)}\n`)).toEqual({ head: rest, items: JSON.parse(JSON.stringify(items)) });
      }),
    );
  });
  test("written in any other way is read too", () => {
    const items = [{ spec: [1], metadata: { name: "a" } }, { metadata: { name: "b" } }];
    const list = { metadata: { resourceVersion: "1" }, items };
    for (const written of [JSON.stringify(list), JSON.stringify(list, undefined, 2)]) {
      expect(visited(written)).toEqual({ head: { metadata: list.metadata }, items });
    }
    expect(visited('{"metadata":{"resourceVersion":"1"},"items":null}').items).toEqual([]);
  });
  test("hands each on before the next is read", () => {
    const list = '{"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b"}';
    const names: unknown[] = [];
    const visit = (item: unknown): void => void names.push((item as { metadata: { name: string } }).metadata.name);
    expect(() => readList(`${list},]}`, visit)).toThrow(SyntaxError);
    expect(names).toEqual(["a"]);
  });
  test("that was cut is none", () => {
    const whole = JSON.stringify({ metadata: { resourceVersion: "1" }, items: [{ metadata: { name: "a" } }] });
    for (let length = 0; length < whole.length; length += 1) {
      expect(() => readList(whole.slice(0, length), () => {})).toThrow(SyntaxError);
    }
  });
});
