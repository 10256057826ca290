import Value from "typebox/value";
import { expect, test } from "vitest";
import { dataOf, recordsOf } from "../../../cluster/drill/data.ts";
import { troublesNamed } from "../../../cluster/drill/drill.ts";
import { troubles } from "../../../cluster/drill/troubles.ts";
import { type World, worldOf } from "../../../cluster/drill/world.ts";
import { inputSchemas } from "../../../src/sandbox/control/schemas.ts";

/** A world that notes what is asked of its sandbox. */
function noted(): { world: World; calls: [method: string, input: object][] } {
  const calls: [method: string, input: object][] = [];
  const release = { name: "release", namespace: "release", chart: "chart" };
  const real = worldOf({ kubectl: ["true"], helm: ["true"], release, namespace: "troubles" });
  const world: World = {
    ...real,
    sandbox: async (method, input) => {
      calls.push([method, input]);
      return [];
    },
  };
  return { world, calls };
}

test.each(troubles)("what $name does to the sandbox, and takes back, fits the control API", async (trouble) => {
  const { world, calls } = noted();
  await trouble.before?.(world);
  await trouble.later?.(world);
  await trouble.mend?.(world);
  for (const kind of trouble.kinds) {
    const { table, resource } = dataOf(kind);
    calls.push(["addTable", { table }], ["addResource", { resource }]);
    calls.push(["insertRows", { table: table.name, rows: recordsOf(kind, 2) }]);
  }
  for (const [method, input] of calls) {
    expect(Object.keys(inputSchemas)).toContain(method);
    const schema = inputSchemas[method as keyof typeof inputSchemas];
    expect([...Value.Errors(schema, JSON.parse(JSON.stringify(input)))], method).toEqual([]);
  }
});

test("no two troubles share a workflow or a table, so that all can stand side by side", () => {
  const workflows = troubles.map(({ workflow }) => workflow);
  const kinds = troubles.flatMap((trouble) => trouble.kinds);
  expect(new Set(workflows).size).toBe(8);
  expect(new Set(kinds).size).toBe(kinds.length);
  for (const { name, workflow } of troubles) expect(workflow).not.toContain(name);
});

test("all means all, a name means one, and another word is told what there is", () => {
  expect(troublesNamed(["all"])).toEqual(troubles);
  expect(troublesNamed(["throttled"]).map(({ workflow }) => workflow)).toEqual(["visits"]);
  expect(() => troublesNamed(["throttled", "hunger"])).toThrow(/no trouble "hunger": say all, or some of stopped,/);
});
