/** How people edit the mappings between two runs. */
import type { IngressMapping } from "../../src/api/integration-workflow.ts";
import type { Chance } from "./chance.ts";
import { accounts, contacts, phoneField } from "./workflow.ts";

type Filter = NonNullable<IngressMapping["filter"]>;
type Edit = (mapping: IngressMapping, chance: Chance) => IngressMapping;

/** None leaves out so many rows that a person would have to be asked. */
const contactConditions: readonly Filter["conditions"][] = [
  [{ column: "preferredcontactmethodcode", operator: "NotEquals", value: "5" }],
  [
    { column: "numberofchildren", operator: "IsEmpty" },
    { column: "numberofchildren", operator: "LessThanOrEquals", value: "3" },
  ],
  [
    { column: "preferredcontactmethodcode", operator: "In", values: ["1", "2", "3"] },
    { column: "jobtitle", operator: "Contains", value: "Job" },
    { column: "numberofchildren", operator: "LessThanOrEquals", value: "2" },
  ],
];
const accountConditions: readonly Filter["conditions"][] = [
  accounts.filter?.conditions ?? [],
  [
    { column: "statecode", operator: "Equals", value: "0" },
    { column: "address1_city", operator: "Equals", value: "CITY 1" },
  ],
  [
    { column: "statecode", operator: "Equals", value: "0" },
    { column: "industrycode", operator: "IsNotEmpty" },
  ],
];

const contactEdits: Readonly<Record<string, Edit>> = {
  "phone mapped or not": (mapping) => {
    const has = mapping.fields.some(({ field }) => field === phoneField.field);
    const others = mapping.fields.filter(({ field }) => field !== phoneField.field);
    return { ...mapping, fields: has ? others : [...others, phoneField] };
  },
  "applyUpdates of jobTitle": (mapping) =>
    withField(mapping, "jobTitle", (one) => ({ applyUpdates: !one.applyUpdates })),
  "applyUpdates of email": (mapping) => withField(mapping, "email", (one) => ({ applyUpdates: !one.applyUpdates })),
  "replacements of emailFormat": (mapping, chance) =>
    withField(mapping, "emailFormat", () => ({
      replacements: chance.oneOf([
        [
          { from: "1", to: "text" },
          { from: "2", to: "html" },
        ],
        [
          { from: "1", to: "html" },
          { from: "2", to: "text" },
        ],
        [
          { from: "1", to: "text" },
          { from: "2", to: "html" },
          { from: "3", to: "text" },
        ],
      ]),
    })),
  picklistValues: (mapping) => ({ ...mapping, picklistValues: mapping.picklistValues === "Label" ? "Value" : "Label" }),
  constants: (mapping, chance) => ({
    ...mapping,
    constants: [{ field: "preferredLanguage", value: chance.oneOf(["en", "fr", "de"]) }],
  }),
  "filter of contacts": (mapping, chance) => {
    const { filter: _, ...rest } = mapping;
    if (mapping.filter !== undefined && chance.random() < 0.3) return rest;
    // The third, with All, would leave out nearly everybody.
    const conditions = chance.oneOf(contactConditions);
    const match = conditions.length > 1 ? "Any" : chance.oneOf(["All", "Any"] as const);
    return { ...rest, filter: { match, conditions, deleteUnmatched: chance.random() < 0.5 } };
  },
  "deleteUnmatched of contacts": switchDeleteUnmatched,
  "applyDeletes of contacts": (mapping) => ({ ...mapping, applyDeletes: !mapping.applyDeletes }),
};

const accountEdits: Readonly<Record<string, Edit>> = {
  "applyUpdates of city": (mapping) => withField(mapping, "city", (one) => ({ applyUpdates: !one.applyUpdates })),
  "filter of accounts": (mapping, chance) => ({
    ...mapping,
    filter: {
      match: chance.oneOf(["All", "Any"] as const),
      conditions: chance.oneOf(accountConditions),
      deleteUnmatched: mapping.filter?.deleteUnmatched ?? true,
    },
  }),
  "deleteUnmatched of accounts": switchDeleteUnmatched,
  "applyDeletes of accounts": (mapping) => ({ ...mapping, applyDeletes: !mapping.applyDeletes }),
  "picklistValues of accounts": (mapping) => ({
    ...mapping,
    picklistValues: mapping.picklistValues === "Label" ? "Value" : "Label",
  }),
};

/** One edit of one mapping. @returns what was edited, and the mappings as they are then */
export function editOne(mappings: readonly IngressMapping[], chance: Chance): [string, readonly IngressMapping[]] {
  const mapped = chance.oneOf(mappings.filter(({ table }) => table === contacts.table || table === accounts.table));
  const edits = Object.entries(mapped.table === contacts.table ? contactEdits : accountEdits);
  const [name, edit] = chance.oneOf(edits);
  return [name, mappings.map((mapping) => (mapping === mapped ? edit(mapping, chance) : mapping))];
}

function switchDeleteUnmatched(mapping: IngressMapping): IngressMapping {
  const { filter } = mapping;
  return filter === undefined
    ? mapping
    : { ...mapping, filter: { ...filter, deleteUnmatched: !filter.deleteUnmatched } };
}

type Mapped = IngressMapping["fields"][number];

function withField(mapping: IngressMapping, name: string, edit: (field: Mapped) => Partial<Mapped>): IngressMapping {
  const fields = mapping.fields.map((one) => (one.field === name ? { ...one, ...edit(one) } : one));
  return { ...mapping, fields };
}
