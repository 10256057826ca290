import { expect, test } from "vitest";
import { specOfForm } from "../../../src/console/edit/form-values.ts";
import { afterDeed } from "../../../src/console/edit/rows.ts";
import { plainPath, type Shape, sectionsFor, shownProperties } from "../../../src/console/edit/shape.ts";
import { fieldLabels } from "../../../src/console/field-texts.ts";

const mapping = "spec.ingress.mappings[0]";

test("entries count by their number, not by their place among the names; gaps close", () => {
  const body = {
    [`${mapping}.fields[10].field`]: "last",
    [`${mapping}.fields[2].field`]: "first",
    [`${mapping}.fields[2].applyUpdates`]: ["false", "true"],
    [`${mapping}.fields[10].applyUpdates`]: "false",
  };
  expect(specOfForm(body, "Ingress")["ingress"]).toMatchObject({
    mappings: [
      {
        fields: [
          { field: "first", applyUpdates: true },
          { field: "last", applyUpdates: false },
        ],
      },
    ],
  });
});

test("a part that may be absent is there when the form has it, however empty", () => {
  const with_ = specOfForm({ [`${mapping}.table`]: "a", [`${mapping}.filter`]: "" }, "Ingress");
  expect(with_["ingress"]).toMatchObject({ mappings: [{ filter: { conditions: [] } }] });
  const without = specOfForm({ [`${mapping}.table`]: "a" }, "Ingress");
  expect(JSON.stringify(without)).not.toContain("filter");
});

test.each([
  ["20", 20],
  [" 0.5 ", 0.5],
  ["", undefined],
  ["1e3", "1e3"],
  ["0x10", "0x10"],
  ["many", "many"],
])("the number %j is read as %j", (typed, value) => {
  const { campaign } = specOfForm({ "spec.campaign.engineCallsPerSecond": typed }, "Ingress") as {
    campaign: { engineCallsPerSecond?: unknown };
  };
  expect(campaign.engineCallsPerSecond).toEqual(value);
});

test("names that are no field of the resource say nothing, and reach no prototype", () => {
  const said = specOfForm(
    {
      "spec.__proto__.polluted": "1",
      "spec.constructor.prototype.polluted": "1",
      "spec.ingress.evil": "1",
      other: "1",
    },
    "Ingress",
  );
  expect(JSON.stringify(said)).not.toMatch(/polluted|evil/);
  expect(({} as { polluted?: string }).polluted).toBeUndefined();
});

test.each([
  "add:spec.__proto__",
  "add:spec.constructor",
  "remove:spec.ingress.mappings[9].fields[0]",
  "x:spec.queue",
  "add:metadata",
])("the deed %s does nothing", (deed) => {
  expect(afterDeed({ ingress: { mappings: [] } }, deed, "now")).toBeUndefined();
});

test("a new filter has the condition that it needs", () => {
  const said = afterDeed({ ingress: { mappings: [{ table: "contact" }] } }, `add:${mapping}.filter`, "now");
  expect(said).toMatchObject({
    ingress: { mappings: [{ filter: { match: "All", conditions: [{ column: "", operator: "Equals" }] } }] },
  });
});

test("every field of the form has a name in people's words", () => {
  const missing: string[] = [];
  const look = (shape: Shape, path: string): void => {
    const shown = shownProperties(shape, path);
    // A part of one field is shown as that field.
    const isFlat = shape.type === "object" && shown.length === 1 && path.split(".").length > 2;
    if (!isFlat && fieldLabels[path] === undefined) missing.push(path);
    if (shape.items?.properties !== undefined) {
      if (fieldLabels[`${path}[]`] === undefined) missing.push(`${path}[]`);
      for (const [name, child] of shownProperties(shape.items, path)) look(child, `${path}.${name}`);
    }
    for (const [name, child] of shown) look(child, `${path}.${name}`);
  };
  for (const type of ["Ingress", "Egress", "OptInOut"] as const)
    for (const [name, shape] of sectionsFor(type)) look(shape, `spec.${name}`);
  expect(missing).toEqual([]);
  expect(plainPath("spec.a[0].b[12].c")).toBe("spec.a.b.c");
});
