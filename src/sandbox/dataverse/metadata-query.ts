import { badRequest } from "./errors.ts";
import type { MetadataJson } from "./table-metadata.ts";

/*
 * EntityQueryExpression as JSON, and the expressions inside it. Source: query-schema-definitions.md, Create a query
 * using EntityQueryExpression and Set conditions using MetadataConditionExpression.
 */

/** One level of a query: which items it means, and what it shows of them. */
interface ItemQuery {
  readonly matches: (item: MetadataJson) => boolean;
  /** Whether a property was named, or all of them. */
  readonly asks: (property: string) => boolean;
  /** The properties that were named; MetadataId, LogicalName and HasChanged always. What the item lacks is null. */
  readonly project: (item: MetadataJson) => MetadataJson;
}

export interface MetadataQuery extends ItemQuery {
  readonly attributes: ItemQuery;
  readonly keys: ItemQuery;
}

const alwaysShown = ["MetadataId", "LogicalName", "HasChanged"];
const collections = ["Attributes", "Keys", "OptionSet", "ManyToOneRelationships", "OneToManyRelationships"];

/** @param text JSON; left out: everything. @throws DataverseRefusal when it is no query */
export function parseMetadataQuery(text: string | undefined): MetadataQuery {
  let query: unknown;
  try {
    query = JSON.parse(text ?? '{"Properties":{"AllProperties":true}}');
  } catch {
    throw badRequest("The Query of RetrieveMetadataChanges is not JSON.", "0x80060888");
  }
  return {
    ...itemQuery(query),
    attributes: itemQuery(member(query, "AttributeQuery") ?? everything),
    keys: itemQuery(member(query, "KeyQuery") ?? everything),
  };
}

const everything = { Properties: { AllProperties: true } };

function itemQuery(query: unknown): ItemQuery {
  const properties = member(query, "Properties");
  const names = list(member(properties, "PropertyNames")).map(String);
  const all = String(member(properties, "AllProperties")).toLowerCase() === "true";
  const shown = [...names.filter((name) => !collections.includes(name)), ...alwaysShown];
  return {
    matches: filterOf(member(query, "Criteria")),
    asks: (property) => all || names.includes(property),
    project: (item) => {
      if (all) return item;
      const known = ["@odata.type", ...shown].filter((name) => name in item || !name.startsWith("@"));
      return Object.fromEntries(known.map((name) => [name, item[name] ?? null]));
    },
  };
}

type Filter = (item: MetadataJson) => boolean;

function filterOf(expression: unknown): Filter {
  if (expression === undefined || expression === null) return () => true;
  const parts = [
    ...list(member(expression, "Conditions")).map(conditionOf),
    ...list(member(expression, "Filters")).map(filterOf),
  ];
  if (parts.length === 0) return () => true;
  return String(member(expression, "FilterOperator") ?? "And") === "Or"
    ? (item) => parts.some((part) => part(item))
    : (item) => parts.every((part) => part(item));
}

function conditionOf(condition: unknown): Filter {
  const name = String(member(condition, "PropertyName"));
  const wanted = wantedValues(member(condition, "Value"));
  const operator = String(member(condition, "ConditionOperator"));
  const value = (item: MetadataJson) => comparable(item[name]);
  switch (operator) {
    case "Equals":
    case "In":
      return (item) => wanted.includes(value(item));
    case "NotEquals":
    case "NotIn":
      return (item) => !wanted.includes(value(item));
    case "GreaterThan":
      return (item) => Number(value(item)) > Number(wanted[0]);
    case "LessThan":
      return (item) => Number(value(item)) < Number(wanted[0]);
    default:
      throw badRequest(`'${operator}' is no MetadataConditionOperator.`, "0x80060888");
  }
}

/** `{"Type": "System.String", "Value": "account"}`; a list is written `"['a','b']"` or as an array. */
function wantedValues(value: unknown): readonly string[] {
  const inner = member(value, "Value");
  if (Array.isArray(inner)) return inner.map(comparable);
  const text = String(inner);
  if (member(value, "Type") !== "System.String[]") return [comparable(text)];
  return [...text.matchAll(/'([^']*)'|"([^"]*)"/g)].map((match) => comparable(match[1] ?? match[2] ?? ""));
}

/** Of a managed property only its `Value` counts. Booleans come as `True` and `true`. */
function comparable(value: unknown): string {
  const plain = typeof value === "object" && value !== null ? member(value, "Value") : value;
  const text = String(plain ?? "");
  return /^(true|false)$/i.test(text) ? text.toLowerCase() : text;
}

function member(object: unknown, name: string): unknown {
  return typeof object === "object" && object !== null
    ? Object.getOwnPropertyDescriptor(object, name)?.value
    : undefined;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
