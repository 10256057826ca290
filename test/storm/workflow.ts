/** What the storm's workflow maps at first, and the resources that it fills beside Campaign's own. */
import type { IngressMapping } from "../../src/api/integration-workflow.ts";
import type { Resource } from "../../src/sandbox/campaign/schema.ts";

/** The tables that the storm maps. */
export type MappedTable = "contact" | "account";

/** The column and the field that carry a row's stamp: it grows with every change, so that a version that goes back is seen. */
export const stampColumns: Readonly<Record<MappedTable, string>> = { contact: "lastname", account: "name" };
export const stampFields: Readonly<Record<MappedTable, string>> = { contact: "lastName", account: "name" };

/** Not in every version of a mapping. */
export const phoneField: IngressMapping["fields"][number] = {
  column: "telephone1",
  field: "phone",
  applyUpdates: true,
};

/** A value that Campaign's enumeration does not have, and that no replacement mends at first. */
export const refusedFamilyStatus = 3;

export const contacts: IngressMapping = {
  table: "contact",
  resource: "profile",
  key: { column: "contactid", field: "externalId" },
  fields: [
    { column: "firstname", field: "firstName", applyUpdates: true },
    { column: "lastname", field: stampFields.contact, applyUpdates: true },
    { column: "emailaddress1", field: "email", applyUpdates: true },
    { column: "numberofchildren", field: "numberOfChildren", applyUpdates: true },
    { column: "jobtitle", field: "jobTitle", applyUpdates: false },
    { column: "birthdate", field: "birthDate", applyUpdates: true },
    { column: "preferredcontactmethodcode", field: "status", applyUpdates: true },
    { column: "address1_city", field: "city", applyUpdates: true },
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
  constants: [{ field: "preferredLanguage", value: "en" }],
  applyDeletes: true,
  picklistValues: "Label",
};

/** A column that people fill: two accounts may have one number, hand it on, or have none. */
export const accountKey = "new_number";

/** Found by look-up and written by its address. */
export const accounts: IngressMapping = {
  table: "account",
  resource: "cusCompany",
  key: { column: accountKey, field: "crmId" },
  fields: [
    { column: "name", field: stampFields.account, applyUpdates: true },
    { column: "address1_city", field: "city", applyUpdates: true },
    { column: "industrycode", field: "industry", applyUpdates: true },
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
    { name: "industry", type: "string", maxLength: 100 },
  ],
};

/** A table of the storm's mappings. */
export function tableOf({ table }: IngressMapping): MappedTable {
  return table === "account" ? "account" : "contact";
}
