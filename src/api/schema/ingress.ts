import { boolean, list, object, oneOf, optional, string } from "./build.ts";

/** Dataverse logical names: lower case, with the publisher's prefix. */
export function columnName(description: string) {
  return string({ description, minLength: 1, maxLength: 128, pattern: "^[a-z][a-z0-9_]*$" });
}

const campaignName = "^[A-Za-z][A-Za-z0-9_]*$";

function resourceName(description: string) {
  return string({ description, minLength: 1, maxLength: 64, pattern: campaignName });
}

/** A field, or one inside an item: `location.city`. */
function fieldPath(description: string) {
  return string({
    description,
    minLength: 1,
    maxLength: 64,
    pattern: "^[A-Za-z][A-Za-z0-9_]*(\\.[A-Za-z][A-Za-z0-9_]*)*$",
  });
}

export function fieldName(description: string) {
  return string({ description, minLength: 1, maxLength: 64, pattern: campaignName });
}

const replacement = object(
  {
    from: string({ description: "The value as it is read, compared exactly.", maxLength: 1024 }),
    to: string({ description: "The value that is written instead.", maxLength: 1024 }),
  },
  { description: "One value for another." },
);

const link = object(
  {
    resource: resourceName("The Campaign resource that the link points at. A mapping must fill it."),
    key: fieldName("The key field of that resource."),
    mandatory: boolean({
      description:
        "Whether Campaign refuses a record without this link: then the record waits for its target. Otherwise it is written without, and linked when the target is there.",
      default: false,
    }),
  },
  { description: "For a lookup column: write a link to another Campaign record." },
);

const field = object(
  {
    column: columnName("Logical name of the Dataverse column. A column may feed several fields."),
    field: fieldPath(
      "The Campaign field, or one inside an item by its path, such as location.city. One column writes it.",
    ),
    applyUpdates: boolean({
      description: "Write the field also when the record changes. false: only when it is inserted, and on replay.",
      default: true,
    }),
    replacements: optional(
      list(replacement, { description: "Values to replace on the way.", maxItems: 100, mapKeys: ["from"] }),
    ),
    link: optional(link),
  },
  { description: "One column to one field." },
);

const constant = object(
  {
    field: fieldPath("The Campaign field, or one inside an item by its path."),
    value: string({ description: "Its value, converted to the field's type.", maxLength: 1024 }),
  },
  { description: "A fixed value." },
);

export const filterOperators = [
  "Equals",
  "NotEquals",
  "GreaterThan",
  "GreaterThanOrEquals",
  "LessThan",
  "LessThanOrEquals",
  "Contains",
  "DoesNotContain",
  "StartsWith",
  "EndsWith",
  "In",
  "NotIn",
  "IsEmpty",
  "IsNotEmpty",
] as const;

const condition = object(
  {
    column: columnName("Logical name of the Dataverse column; it need not be mapped."),
    operator: oneOf(filterOperators, { description: "How the column is compared." }),
    value: optional(
      string({ description: "What it is compared with; not for In, NotIn, IsEmpty and IsNotEmpty.", maxLength: 1024 }),
    ),
    values: optional(
      list(string({ description: "One value.", maxLength: 1024 }), {
        description: "For In and NotIn: the values.",
        minItems: 1,
        maxItems: 100,
      }),
    ),
  },
  {
    description: "One comparison.",
    rules: [
      {
        rule: "self.operator in ['In', 'NotIn'] ? has(self.values) && !has(self.value) : !has(self.values)",
        message: "values belongs to the operators In and NotIn, which need it and take no value",
      },
      {
        rule: "self.operator in ['In', 'NotIn'] || (self.operator in ['IsEmpty', 'IsNotEmpty']) != has(self.value)",
        message: "value is needed by this operator; IsEmpty and IsNotEmpty take none",
      },
    ],
  },
);

const filter = object(
  {
    match: oneOf(["All", "Any"], { description: "Whether all conditions must hold, or any.", default: "All" }),
    conditions: list(condition, { description: "The comparisons.", minItems: 1, maxItems: 32 }),
    deleteUnmatched: boolean({
      description: "Delete in Campaign what this workflow wrote and the filter now leaves out.",
      default: false,
    }),
  },
  { description: "Which rows are written to Campaign; absent: all, inactive rows too." },
);

const key = object(
  {
    column: columnName("The column whose value identifies the record, such as contactid."),
    field: fieldName("The Campaign field that holds it; it should be the resource's identification key."),
  },
  { description: "What makes a row and a Campaign record the same." },
);

const mapping = object(
  {
    table: columnName("Logical name of the Dataverse table. A table is mapped once."),
    resource: resourceName("The Campaign resource, such as profile or cusCompany. A resource is mapped once."),
    key,
    fields: list(field, {
      description: "Which column goes into which field.",
      minItems: 1,
      maxItems: 128,
      mapKeys: ["field"],
    }),
    constants: optional(
      list(constant, {
        description: "Fixed values, written when a record is inserted.",
        maxItems: 32,
        mapKeys: ["field"],
      }),
    ),
    filter: optional(filter),
    applyDeletes: boolean({ description: "Delete in Campaign what is deleted in Dataverse.", default: false }),
    picklistValues: oneOf(["Label", "Value"], {
      description: "Whether a choice column is written by its label or by its number.",
      default: "Label",
    }),
    replay: optional(
      string({
        description:
          "Any new value: at the next start the table is read again from the beginning, and every record is written again.",
        minLength: 1,
        maxLength: 128,
      }),
    ),
  },
  {
    description: "One table to one resource.",
    rules: [
      {
        rule: "self.resource == oldSelf.resource",
        fieldPath: ".resource",
        message: "resource of a mapped table is immutable: remove the mapping, stop and start, then add it anew",
      },
      {
        rule: "self.key == oldSelf.key",
        fieldPath: ".key",
        message: "key of a mapped table is immutable: remove the mapping, stop and start, then add it anew",
      },
      {
        rule: "self.fields.all(f, f.field != self.key.field)",
        fieldPath: ".fields",
        message: "the key field is written by key alone: remove it from fields",
      },
      {
        rule: "!has(self.constants) || self.constants.all(c, c.field != self.key.field && !self.fields.exists(f, f.field == c.field))",
        fieldPath: ".constants",
        message: "a Campaign field is written by one of key, fields and constants: remove it from constants",
      },
    ],
  },
);

export const ingress = object(
  {
    mappings: list(mapping, {
      description: "What is synced, table by table.",
      minItems: 1,
      maxItems: 64,
      mapKeys: ["table"],
      rules: [
        {
          rule: "self.all(m, self.exists_one(n, n.resource == m.resource))",
          message: "a Campaign resource is mapped once: two mappings name the same resource",
        },
      ],
    }),
  },
  { description: "For type Ingress: contacts and custom entities from Dynamics 365 into Campaign." },
);
