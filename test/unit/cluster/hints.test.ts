import Value from "typebox/value";
import { expect, test } from "vitest";
import { hints, someone } from "../../../cluster/hints.ts";
import { inputSchemas } from "../../../src/sandbox/control/schemas.ts";
import { generatedRows } from "../../../src/sandbox/dataverse/generated-rows.ts";
import { defaultOptions } from "../../../src/sandbox/options.ts";

const text = hints({ kubectl: "KUBECTL", sandbox: "SANDBOX", stop: "STOP", drill: "DRILL" });

test("the contact that the hints name is one that the sandbox starts with, opted in to email and phone", () => {
  const { contacts, seed } = defaultOptions;
  const rows = generatedRows(Number(contacts), seed).contacts;
  const cells = rows.cells(rows.indexOf(someone.id) ?? -1);
  expect(cells).toMatchObject({ fullname: someone.name, donotbulkemail: false, donotphone: false });
});

test("every call of the sandbox fits its control API", () => {
  const calls = [...text.matchAll(/SANDBOX (\w+) '(.*)'/g)];
  expect(calls.length).toBeGreaterThan(5);
  for (const [line, method = "", input = ""] of calls) {
    expect(Object.keys(inputSchemas), line).toContain(method);
    const schema = inputSchemas[method as keyof typeof inputSchemas];
    expect([...Value.Errors(schema, JSON.parse(input))], line).toEqual([]);
  }
});
