/** What the storm's workflow maps, and what each row is to look like in Campaign. */
import type { IngressMapping } from "../../src/api/integration-workflow.ts";
import type { Resource } from "../../src/sandbox/campaign/schema.ts";
import type { ControlRow } from "../../src/sandbox/control/interface.ts";

/** Of a contact, `lastname` is the stamp: it grows with every change, so that a version that goes back is seen. */
export const contacts: IngressMapping = {
  table: "contact",
  resource: "profile",
  key: { column: "contactid", field: "externalId" },
  fields: [
    { column: "firstname", field: "firstName", applyUpdates: true },
    { column: "lastname", field: "lastName", applyUpdates: true },
    { column: "emailaddress1", field: "email", applyUpdates: true },
    { column: "numberofchildren", field: "numberOfChildren", applyUpdates: true },
    {
      column: "familystatuscode",
      field: "emailFormat",
      applyUpdates: true,
      replacements: [
        { from: "1", to: "text" },
        { from: "2", to: "html" },
      ],
    },
  ],
  applyDeletes: true,
  picklistValues: "Label",
};

/** The same with one column more: an edit of the mapping. */
export const contactsWithPhone: IngressMapping = {
  ...contacts,
  fields: [...contacts.fields, { column: "telephone1", field: "phone", applyUpdates: true }],
};

/** A value that Campaign's enumeration does not have and no replacement mends. */
export const refusedFamilyStatus = 3;

/** A column that people fill: two accounts may have one number, hand it on, or have none. */
export const accountKey = "new_number";

/** Found by look-up and written by its address; `name` is the stamp. */
export const accounts: IngressMapping = {
  table: "account",
  resource: "cusCompany",
  key: { column: accountKey, field: "crmId" },
  fields: [
    { column: "name", field: "name", applyUpdates: true },
    { column: "address1_city", field: "city", applyUpdates: true },
  ],
  filter: {
    match: "All",
    conditions: [{ column: "statecode", operator: "Equals", value: "0" }],
    deleteUnmatched: true,
  },
  applyDeletes: true,
  picklistValues: "Label",
};

export const companyResource: Resource = {
  name: "cusCompany",
  label: "Companies",
  schema: "cus:company",
  endpoints: ["customResources"],
  keys: ["crmId"],
  fields: [
    { name: "crmId", type: "string", maxLength: 100 },
    { name: "name", type: "string", maxLength: 200 },
    { name: "city", type: "string", maxLength: 100 },
  ],
};

/** The field of each resource that carries the stamp. */
export const stampFields: Readonly<Record<string, string>> = { profile: "lastName", cusCompany: "name" };

type Values = Readonly<Record<string, unknown>>;

/** The key of a row's record, or null. */
export function keyOf({ key }: IngressMapping, { id, cells }: ControlRow): string | null {
  if (key.column !== accountKey) return id;
  const value = cells[accountKey];
  return typeof value === "string" && value !== "" ? value : null;
}

/**
 * The record that a row is to have, if none that is newer has its key; empty fields are left out. Written apart from the worker's own conversion.
 * @returns `Refused` when Campaign will not take it, undefined when it is to have none
 */
export function expectedRecord(mapping: IngressMapping, { id, cells }: ControlRow): Values | "Refused" | undefined {
  if (mapping.resource === "cusCompany") {
    if (cells["statecode"] !== 0) return undefined;
    const crmId = cells[accountKey];
    return crmId ? filled({ crmId, name: cells["name"], city: cells["address1_city"] }) : "Refused";
  }
  const status = cells["familystatuscode"];
  if (status === refusedFamilyStatus) return "Refused";
  return filled({
    externalId: id,
    firstName: cells["firstname"],
    lastName: cells["lastname"],
    email: cells["emailaddress1"],
    numberOfChildren: cells["numberofchildren"],
    emailFormat: status === 1 ? "text" : status === 2 ? "html" : undefined,
    ...(mapping.fields.some(({ field }) => field === "phone") ? { phone: cells["telephone1"] } : {}),
  });
}

function filled(values: Values): Values {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== null));
}
