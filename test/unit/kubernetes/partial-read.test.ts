import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readWithoutManagedFields } from "../../../src/kubernetes/partial-read.ts";
import { metadataOf, trickyText } from "./tricky-text.ts";

const text = trickyText(
  ',"managedFields":[',
  "]",
  "}]}",
  '\\"',
  "\\",
  '"',
  "[",
  'k:{"name":"worker"}',
  "f:spec",
  "é€😀",
);
/** Objects within objects, without a list: https://kubernetes.io/docs/reference/using-api/server-side-apply/ */
const { fields } = fc.letrec((tie) => ({
  fields: fc.oneof({ maxDepth: 3 }, fc.constant({}), fc.dictionary(text, tie("fields"), { maxKeys: 3 })),
}));
const entry = fc.record({ manager: text, operation: text, time: text, fieldsType: text, fieldsV1: fields });
const managedFields = fc.array(entry, { minLength: 1, maxLength: 3 });
const metadata = metadataOf(text);

describe("an object is read without its managed fields", () => {
  test("and with all else, whatever stands in it; all of it where they hold what looks like their end", () => {
    fc.assert(
      fc.property(metadata, managedFields, fc.jsonValue(), (meta, managed, spec) => {
        const plain = JSON.parse(JSON.stringify({ kind: "A", metadata: meta, spec }));
        const whole = JSON.stringify({ kind: "A", metadata: { ...meta, managedFields: managed }, spec });
        const isUsual = !JSON.stringify(managed).slice(0, -2).includes("}]");
        expect(readWithoutManagedFields(whole)).toEqual(isUsual ? plain : JSON.parse(whole));
        const event = `{"type":"ADDED","object":${whole}}`;
        expect(readWithoutManagedFields(event)).toEqual(isUsual ? { type: "ADDED", object: plain } : JSON.parse(event));
      }),
      { numRuns: 1000 },
    );
  });

  test("also where they are not the last of its metadata", () => {
    const whole = '{"metadata":{"name":"a","managedFields":[{"fieldsV1":{"f:x":{}}}],"uid":"1"},"items":[1]}';
    expect(readWithoutManagedFields(whole)).toEqual({ metadata: { name: "a", uid: "1" }, items: [1] });
  });
});

describe("an object is read whole", () => {
  test.each([
    ["that has none", '{"metadata":{"name":"a"},"spec":{"text":",\\"managedFields\\":["}}'],
    ["of which they are the first", '{"metadata":{"managedFields":[{}],"name":"a"}}'],
    ["whose list of that name holds lists", '{"metadata":{"name":"a","managedFields":[[1],[2]]}}'],
    [
      "whose list of that name holds lists of objects",
      '{"metadata":{"name":"a","managedFields":[{"a":[{}]},{"b":1}]}}',
    ],
    [
      "whose list of that name is empty",
      '{"metadata":{"name":"a","managedFields":[],"ownerReferences":[{"uid":"1"}]}}',
    ],
    ["with an end of them in a string", '{"metadata":{"name":"a","managedFields":[{"manager":"}],"}]},"spec":{}}'],
  ])("%s", (_what, whole) => {
    expect(readWithoutManagedFields(whole)).toEqual(JSON.parse(whole));
  });
});

test("what was cut off is no JSON, wherever", () => {
  const whole = '{"metadata":{"name":"a","managedFields":[{"manager":"m","fieldsV1":{"k:{\\"a\\":1}":{}}}]},"spec":{}}';
  for (let length = 0; length < whole.length; length += 1) {
    expect(() => readWithoutManagedFields(whole.slice(0, length))).toThrow(SyntaxError);
  }
});
