/** Resources and fields, in the terms of Campaign's metadata (api/using/metadata-mechanism.md). */

export const fieldTypes = [
  "string",
  "integer",
  "number",
  "boolean",
  "date",
  "datetime",
  "enumeration",
  "link",
  "item",
] as const;
type FieldType = (typeof fieldTypes)[number];

export interface Field {
  /** apiName */
  readonly name: string;
  readonly type: FieldType;
  readonly label?: string;
  readonly maxLength?: number;
  /** Enumeration: the names that the API takes. The first is the default. */
  readonly values?: readonly string[];
  /** Link: the resource it points at. */
  readonly target?: string;
  /** Link: of the type "1 cardinality simple link": a record whose target is not there is hidden (notices page). */
  readonly mandatory?: boolean;
  /** Item: the fields inside. */
  readonly fields?: readonly Field[];
  /** `email` refuses what is no address; `smartCase` turns "jEAN dupont" into "Jean Dupont". */
  readonly dataPolicy?: "none" | "email" | "smartCase" | "upperCase" | "lowerCase";
  readonly readOnly?: boolean;
  /** Campaign keeps when it last changed. REST does not tell it; exports do. */
  readonly timed?: boolean;
  /** Made by an extension: seen through `profileAndServicesExt` only. */
  readonly extended?: boolean;
}

export interface Resource {
  readonly name: string;
  readonly label: string;
  /** Engine's schema, as it stands in messages: `nms:recipient`. */
  readonly schema: string;
  /** Where it is exposed; custom resources are under one endpoint or the other, never both. */
  readonly endpoints: readonly Endpoint[];
  readonly fields: readonly Field[];
  /** Identification keys: fields whose value names one record, usable in the URL in place of a PKey. */
  readonly keys: readonly string[];
  /** Custom filters beside those that every key brings: `by<name>?<parameter>=<value>`, all parameters equal. */
  readonly filters?: readonly CustomFilter[];
}

export interface CustomFilter {
  readonly name: string;
  readonly parameters: readonly { readonly name: string; readonly field: string }[];
}

export type Endpoint = "profileAndServices" | "profileAndServicesExt" | "customResources";

/** What an empty field reads as. */
export function emptyValue(field: Field): unknown {
  switch (field.type) {
    case "integer":
    case "number":
      return 0;
    case "boolean":
      return false;
    case "enumeration":
      return field.values?.[0] ?? "";
    case "link":
      return null;
    case "item":
      return Object.fromEntries((field.fields ?? []).map((inner) => [inner.name, emptyValue(inner)]));
    default:
      return "";
  }
}
