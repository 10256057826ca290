/** What the storm's workflow maps at first, and the resources that it fills beside Campaign's own. */
import type { IngressMapping } from "../../src/api/integration-workflow.ts";
import type { Resource } from "../../src/sandbox/campaign/schema.ts";
import type { SandboxControl } from "../../src/sandbox/control/interface.ts";
import type { Table } from "../../src/sandbox/dataverse/schema.ts";

/** The tables that the storm maps. */
export const mappedTables = ["contact", "account", "new_shop", "new_order"] as const;
export type MappedTable = (typeof mappedTables)[number];

/** The column and the field that carry a row's stamp: it grows with every change, so that a version that goes back is seen. */
export const stampColumns: Readonly<Record<MappedTable, string>> = {
  contact: "lastname",
  account: "name",
  new_shop: "new_name",
  new_order: "new_name",
};
export const stampFields: Readonly<Record<MappedTable, string>> = {
  contact: "lastName",
  account: "name",
  new_shop: "name",
  new_order: "name",
};

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

const companyResource: Resource = {
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

/** A shop may belong to another, in a ring too: an optional link to its own kind. Its city decides nothing. */
export const shops: IngressMapping = {
  table: "new_shop",
  resource: "cusShop",
  key: { column: "new_shopid", field: "crmId" },
  fields: [
    { column: "new_name", field: stampFields.new_shop, applyUpdates: true },
    {
      column: "new_parentid",
      field: "parent",
      applyUpdates: true,
      link: { resource: "cusShop", key: "crmId", mandatory: false },
    },
  ],
  filter: {
    match: "All",
    conditions: [{ column: "statecode", operator: "Equals", value: "0" }],
    deleteUnmatched: true,
  },
  applyDeletes: true,
  picklistValues: "Label",
};

/** An order is nothing without its shop, and may have a buyer. */
export const orders: IngressMapping = {
  table: "new_order",
  resource: "cusOrder",
  key: { column: "new_orderid", field: "crmId" },
  fields: [
    { column: "new_name", field: stampFields.new_order, applyUpdates: true },
    {
      column: "new_shopid",
      field: "shop",
      applyUpdates: true,
      link: { resource: "cusShop", key: "crmId", mandatory: true },
    },
    {
      column: "new_buyerid",
      field: "buyer",
      applyUpdates: true,
      link: { resource: "profile", key: "externalId", mandatory: false },
    },
  ],
  applyDeletes: true,
  picklistValues: "Label",
};

const name = { name: "new_name", label: "Name", type: "String" } as const;

const customTables: readonly Table[] = [
  {
    name: shops.table,
    entitySet: "new_shops",
    primaryId: "new_shopid",
    primaryName: name.name,
    changeTracking: true,
    keys: [],
    columns: [name, { name: "new_parentid", label: "Parent", type: "Lookup", targets: [shops.table] }],
  },
  {
    name: orders.table,
    entitySet: "new_orders",
    primaryId: "new_orderid",
    primaryName: name.name,
    changeTracking: true,
    keys: [],
    columns: [
      name,
      { name: "new_shopid", label: "Shop", type: "Lookup", targets: [shops.table] },
      { name: "new_buyerid", label: "Buyer", type: "Lookup", targets: [contacts.table] },
    ],
  },
];

const keyAndName = [
  { name: "crmId", type: "string", maxLength: 100 },
  { name: "name", type: "string", maxLength: 200 },
] as const;

const customResources: readonly Resource[] = [
  companyResource,
  {
    name: "cusShop",
    label: "Shops",
    schema: "cus:shop",
    endpoints: ["customResources"],
    keys: ["crmId"],
    fields: [...keyAndName, { name: "parent", type: "link", target: "cusShop" }],
  },
  {
    name: "cusOrder",
    label: "Orders",
    schema: "cus:order",
    endpoints: ["customResources"],
    keys: ["crmId"],
    fields: [
      ...keyAndName,
      { name: "shop", type: "link", target: "cusShop", mandatory: true },
      { name: "buyer", type: "link", target: "profile" },
    ],
  },
];

/** Makes what the workflow maps, in a sandbox with so many contacts. */
export async function furnish(control: SandboxControl, contacts: number): Promise<void> {
  for (const resource of customResources) await control.addResource({ resource });
  for (const table of customTables) await control.addTable({ table });
  await control.setColumn({ table: "account", column: { name: accountKey, label: "Number", type: "String" } });
  // The sandbox makes a few for many contacts.
  const more = Array.from({ length: Math.ceil(contacts / 4) }, () => ({ cells: { name: "More", statecode: 0 } }));
  await control.insertRows({ table: "account", rows: more });
}

/** The table of one of the storm's mappings. */
export function tableOf({ table }: IngressMapping): MappedTable {
  const mapped = mappedTables.find((one) => one === table);
  if (mapped === undefined) throw new RangeError(`the storm maps no table ${table}`);
  return mapped;
}

/** One of something for each table. */
export function perTable<T>(make: (table: MappedTable) => T): Record<MappedTable, T> {
  const [contact, account, shop, order] = mappedTables;
  return { contact: make(contact), account: make(account), new_shop: make(shop), new_order: make(order) };
}
