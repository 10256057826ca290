import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { IngressMapping } from "../../../../../src/api/integration-workflow.ts";
import type { CampaignFieldType } from "../../../../../src/worker/campaign/interface.ts";
import { convert, type FieldValue, textSource } from "../../../../../src/worker/flows/ingress/convert.ts";
import { insertBody, mapRow } from "../../../../../src/worker/flows/ingress/record.ts";
import { columns, planOf, planOne } from "./plans.ts";

type Replacements = NonNullable<IngressMapping["fields"][number]["replacements"]>;

const label = (property: string, text: string) => ({
  [`${property}@OData.Community.Display.V1.FormattedValue`]: text,
});

interface Reading {
  readonly property?: string;
  readonly raw: unknown;
  readonly label?: string;
  readonly picklistValues?: "Label" | "Value";
}

/** The value that the field gets; undefined: the record is refused. */
function written(
  column: string,
  type: CampaignFieldType,
  replacements: Replacements,
  { property = column, raw, label: seen, picklistValues = "Label" }: Reading,
): unknown {
  const row = { contactid: "id", [property]: raw, ...(seen === undefined ? {} : label(property, seen)) };
  const mapped = mapRow(planOne(column, type, { replacements }, { picklistValues }), row);
  return mapped.kind === "Mapped" ? mapped.fields["target"] : undefined;
}

/** What a text of the configuration is as a value of this type. */
function configured(text: string, type: CampaignFieldType): FieldValue | undefined {
  const source = textSource(text);
  return source === undefined ? undefined : convert(source, type);
}

const type = fc.constantFrom<CampaignFieldType>("string", "integer", "number", "boolean", "date", "datetime");
/** Texts that are each other's values and replacements, so that a second replacement would show. */
const word = fc.oneof(fc.constantFrom("a", "b", "c", "A", " a", "", "1", "2", "true", "2026-11-21"), fc.string());
const replacements = fc.uniqueArray(fc.record({ from: word, to: word }), { selector: ({ from }) => from });

describe("replacements", () => {
  it("put another text for an exact one, once, and what stands there then is converted", () => {
    fc.assert(
      fc.property(replacements, word, type, (list, raw, to) => {
        const replaced = list.find(({ from }) => from === raw)?.to ?? raw;
        expect(written("firstname", to, list, { raw })).toEqual(configured(replaced, to));
        for (const nothing of raw === "" ? [null, undefined, ""] : [])
          expect(written("firstname", to, list, { raw: nothing })).toEqual(configured(replaced, to));
      }),
    );
  });

  it("do nothing when they replace a value by itself, whatever the types", () => {
    const rows = [
      { column: "children", raw: 3, from: "3" },
      { column: "income", raw: 0.0000001, from: "0.0000001" },
      { column: "income", raw: "9007199254740993", from: "9007199254740993" },
      { column: "donotemail", raw: true, from: "true" },
      { column: "birthdate", raw: "1980-02-29", from: "1980-02-29" },
      { column: "lastcall", raw: "2026-11-21T10:00:00Z", from: "2026-11-21T10:00:00Z" },
      { column: "owner", property: "_owner_value", raw: "guid-1", from: "guid-1" },
    ];
    fc.assert(
      fc.property(fc.constantFrom(...rows), type, ({ column, from, ...reading }, to) => {
        const plain = written(column, to, [], { ...reading, picklistValues: "Value" });
        const same = written(column, to, [{ from, to: from }], { ...reading, picklistValues: "Value" });
        // A text fits other types than the column's own value: "3" is a text, a truth is a number.
        if (plain !== undefined && same !== undefined) expect(same).toEqual(plain);
        expect(written(column, "string", [{ from, to: "§" }], reading)).toBe("§");
      }),
    );
  });

  it("of a choice go by its number, then, where labels are written, by its label", () => {
    const choice = fc.integer({ min: 1, max: 3 });
    const name = fc.constantFrom("1", "2", "Red", "Green");
    fc.assert(
      fc.property(replacements, choice, name, fc.constantFrom("Label", "Value"), (list, raw, seen, picklistValues) => {
        const by = (text: string) => list.find(({ from }) => from === text)?.to;
        const plain = picklistValues === "Label" ? seen : String(raw);
        const expected = by(String(raw)) ?? (picklistValues === "Label" ? by(seen) : undefined) ?? plain;
        expect(written("gendercode", "string", list, { raw, label: seen, picklistValues })).toBe(expected);
      }),
    );
  });

  it("never go by how a user would see a number, a time or a truth: other columns bring such texts along", () => {
    const rows = [
      { column: "donotemail", raw: true, label: "Yes", plain: "true" },
      { column: "income", raw: 1234.5, label: "$1,234.50", plain: "1234.5" },
      { column: "birthdate", raw: "1980-02-29", label: "2/29/1980", plain: "1980-02-29" },
    ];
    for (const { column, raw, label: seen, plain } of rows)
      expect(written(column, "string", [{ from: seen, to: "§" }], { raw, label: seen })).toBe(plain);
  });
});

describe("a key", () => {
  const keyTypes = fc.constantFrom<CampaignFieldType>("string", "integer", "number", "boolean", "date", "datetime");
  const raws = fc.oneof(
    fc.record({ column: fc.constant("firstname"), raw: fc.string({ unit: "binary" }) }),
    fc.record({
      column: fc.constant("firstname"),
      raw: fc.constantFrom("42", "1e3", "true", "2026-11-21", "a\u0000b"),
    }),
    fc.record({ column: fc.constant("children"), raw: fc.maxSafeInteger() }),
    fc.record({ column: fc.constant("income"), raw: fc.double({ noNaN: true, noDefaultInfinity: true }) }),
    fc.record({ column: fc.constant("donotemail"), raw: fc.boolean() }),
    fc.record({
      column: fc.constant("lastcall"),
      raw: fc.constantFrom("2026-11-21T10:00:00Z", "2026-11-21T10:00:00.5Z"),
    }),
  );

  it("is a text that can be stored, and from it the same value is made that the column holds", () => {
    fc.assert(
      fc.property(raws, keyTypes, ({ column, raw }, to) => {
        const field = { column, field: "target", applyUpdates: true };
        const plan = planOf({ key: { column, field: "key" }, fields: [field] }, { key: to, target: to });
        const mapped = mapRow(plan, { contactid: "id", [column]: raw });
        if (mapped.kind !== "Mapped") return;
        expect(mapped.targetKey).not.toBe("");
        expect(Buffer.from(mapped.targetKey, "utf8").toString("utf8")).toBe(mapped.targetKey);
        const { key } = insertBody(plan, mapped.targetKey, {});
        const value = mapped.fields["target"];
        expect(key).toEqual(Object.is(value, -0) ? 0 : value);
      }),
    );
  });

  it("of half a character is refused: it would be stored as any other half", () => {
    const plan = planOf({ key: { column: "firstname", field: "externalId" } }, {});
    const refused = mapRow(plan, { contactid: "id", firstname: "a\ud83d" });
    expect(refused).toMatchObject({ kind: "Refused", refusal: { reason: "ConversionFailed" } });
    expect(mapRow(plan, { contactid: "id", firstname: "a\ud83d\ude00" })).toMatchObject({ targetKey: "a😀" });
  });
});

it("any row is mapped, left out or refused, and nothing throws", () => {
  const raw = fc.oneof(fc.jsonValue(), fc.constant({ toString: 1 }), fc.string({ unit: "binary" }));
  fc.assert(
    fc.property(
      fc.constantFrom(...columns),
      type,
      raw,
      fc.option(fc.string(), { nil: undefined }),
      (column, to, value, seen) => {
        const row = {
          contactid: "id",
          [column.property]: value,
          ...(seen === undefined ? {} : label(column.property, seen)),
        };
        const plan = planOne(column.name, to, { replacements: [{ from: "a", to: "b" }] });
        expect(["Mapped", "Refused"]).toContain(mapRow(plan, row).kind);
      },
    ),
    { numRuns: 2000 },
  );
});
