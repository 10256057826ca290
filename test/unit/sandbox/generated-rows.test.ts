import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { generatedRows } from "../../../src/sandbox/dataverse/generated-rows.ts";
import { contactTable } from "../../../src/sandbox/dataverse/standard-tables.ts";
import { guidIndex, guidOf, shuffle32, unshuffle32 } from "../../../src/sandbox/random.ts";

describe("generated rows", () => {
  it("are the same for the same seed and others for another", () => {
    const cells = (seed: number) => generatedRows(10, seed).contacts.cells(3);
    expect(cells(1)).toEqual(cells(1));
    expect(cells(1)).not.toEqual(cells(2));
  });

  it("hold only columns of the table, and text that fits", () => {
    const { contacts } = generatedRows(500, 1);
    for (let index = 0; index < contacts.count; index += 1) {
      for (const [name, value] of Object.entries(contacts.cells(index))) {
        const column = contactTable.columns.find((one) => one.name === name);
        expect(column, name).toBeDefined();
        if (typeof value === "string" && column?.maxLength !== undefined)
          expect(value.length).toBeLessThanOrEqual(column.maxLength);
      }
    }
  });

  it("have emails that are unique, and accounts that exist", () => {
    const { contacts, accounts } = generatedRows(2000, 1);
    const emails = new Set<unknown>();
    let withEmail = 0;
    for (let index = 0; index < contacts.count; index += 1) {
      const { emailaddress1, parentcustomerid } = contacts.cells(index);
      if (emailaddress1 !== null) {
        withEmail += 1;
        emails.add(emailaddress1);
      }
      if (parentcustomerid !== null && typeof parentcustomerid === "object") {
        expect(accounts.indexOf(parentcustomerid.id)).toBeGreaterThanOrEqual(0);
      }
    }
    expect(emails.size).toBe(withEmail);
  });

  it("are found again by their ids, which are version 4 GUIDs", () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(4_000_000_000), (seed, index) => {
        const guid = guidOf(seed, index);
        expect(guid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        expect(guidIndex(seed, guid, index + 1)).toBe(index);
        expect(guidIndex(seed, guid, index)).toBe(-1);
        expect(unshuffle32(seed, shuffle32(seed, index))).toBe(index);
      }),
    );
  });
});
