/** Contacts for the tests, and what they must look like in Campaign: worked out here, not by the product's code. */
import { existsSync, readFileSync } from "node:fs";
import { parse } from "csv-parse/sync";
import type { ControlRow, NewRow, SandboxControl } from "../../../src/sandbox/control/interface.ts";

const file = "../shared/data/contacts.csv";
const expectedCount = 18_484;

/** Puts the shared contacts into the sandbox's Dataverse or, where there are none, as many made up. */
export async function loadContacts(sandbox: SandboxControl, limit = expectedCount): Promise<void> {
  const rows = (existsSync(file) ? fromFile() : madeUp(limit)).slice(0, limit);
  for (let start = 0; start < rows.length; start += 1000) {
    await sandbox.insertRows({ table: "contact", rows: rows.slice(start, start + 1000) });
  }
}

function fromFile(): NewRow[] {
  const records = parse(readFileSync(file), { columns: true, skip_empty_lines: true }) as Record<string, string>[];
  return records.map(({ contactid, gendercode, ...texts }) => ({
    id: contactid ?? "",
    cells: {
      ...Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== "")),
      ...(gendercode ? { gendercode: Number(gendercode) } : {}),
    },
  }));
}

function madeUp(count: number): NewRow[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `00000000-0000-4000-8000-${index.toString(16).padStart(12, "0")}`,
    cells: {
      firstname: `Zoë ${index}`,
      lastname: `O'Brien-${index}`,
      emailaddress1: `contact${index}@example.com`,
      telephone1: `1 (11) 500 555-${String(index % 10_000).padStart(4, "0")}`,
      gendercode: 1 + (index % 2),
    },
  }));
}

const genders: Readonly<Record<string, string>> = { "1": "male", "2": "female" };

/** The profile that a contact must become; empty values are left out, as the sandbox shows them. */
function profileOf({ id, cells }: ControlRow): Record<string, unknown> {
  const values: Record<string, unknown> = {
    externalId: id,
    firstName: cells["firstname"],
    middleName: cells["middlename"],
    lastName: cells["lastname"],
    email: cells["emailaddress1"],
    phone: cells["telephone1"],
    gender: genders[String(cells["gendercode"])],
  };
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== ""));
}

/** Every difference between Dataverse's contacts and Campaign's profiles, as sentences; none when all arrived once. */
export async function differences(sandbox: SandboxControl): Promise<readonly string[]> {
  const profiles = new Map<string, Record<string, unknown>[]>();
  for await (const { values } of sandbox.records({ resource: "profile" })) {
    const key = String(values["externalId"]);
    profiles.set(key, [...(profiles.get(key) ?? []), values]);
  }
  const found: string[] = [];
  for await (const row of sandbox.rows({ table: "contact" })) {
    const wanted = profileOf(row);
    const [profile, ...more] = profiles.get(row.id) ?? [];
    profiles.delete(row.id);
    if (profile === undefined) {
      found.push(`${row.id} is not in Campaign`);
      continue;
    }
    if (more.length > 0) found.push(`${row.id} is in Campaign ${more.length + 1} times`);
    for (const [field, value] of Object.entries(wanted)) {
      if (profile[field] !== value) found.push(`${row.id}: ${field} is ${profile[field]}, not ${value}`);
    }
  }
  for (const key of profiles.keys()) found.push(`${key} is in Campaign, but not in Dataverse`);
  return found;
}
