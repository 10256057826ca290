import { createHash } from "node:crypto";
import { type Column, isLookup, type Table } from "./schema.ts";

/** A metadata object as JSON; `@odata.type` names the derived type. */
export type MetadataJson = Readonly<Record<string, unknown>>;

const derivedTypes: Readonly<Record<string, string>> = {
  Uniqueidentifier: "UniqueIdentifier",
  Customer: "Lookup",
  Owner: "Lookup",
};

/** EntityMetadata. Source: webapi/query-metadata-web-api.md and the reference of EntityMetadata. */
export function tableMetadata(table: Table): MetadataJson {
  return {
    MetadataId: tableId(table),
    LogicalName: table.name,
    SchemaName: schemaName(table.name),
    LogicalCollectionName: table.entitySet,
    CollectionSchemaName: schemaName(table.entitySet),
    EntitySetName: table.entitySet,
    PrimaryIdAttribute: table.primaryId,
    PrimaryNameAttribute: table.primaryName,
    ChangeTrackingEnabled: table.changeTracking,
    CanChangeTrackingBeEnabled: managed(true, "canchangetrackingbeenabled"),
    IsOptimisticConcurrencyEnabled: true,
    IsCustomEntity: table.name.includes("_"),
    IsActivity: table.isActivity === true,
    IsPrivate: false,
    OwnershipType: "UserOwned",
    TableType: "Standard",
    DisplayName: label(table.name),
    DisplayCollectionName: label(table.entitySet),
  };
}

/** AttributeMetadata of the derived type: what all attributes have, then what its type adds. */
export function columnMetadata(table: Table, column: Column): { common: MetadataJson; derived: MetadataJson } {
  const common = {
    "@odata.type": `#Microsoft.Dynamics.CRM.${derivedTypeOf(column)}`,
    MetadataId: columnId(table, column),
    LogicalName: column.name,
    SchemaName: schemaName(column.name),
    EntityLogicalName: table.name,
    AttributeOf: null,
    AttributeType: column.type === "MultiSelectPicklist" ? "Virtual" : column.type,
    AttributeTypeName: { Value: `${column.type}Type` },
    DisplayName: label(column.label ?? column.name),
    IsPrimaryId: column.name === table.primaryId,
    IsPrimaryName: column.name === table.primaryName,
    IsCustomAttribute: column.name.includes("_") && !column.name.startsWith("address1_"),
    IsValidForRead: true,
    IsValidForCreate: column.readOnly !== true,
    IsValidForUpdate: column.readOnly !== true && column.name !== table.primaryId,
    RequiredLevel: managed("None", "canmodifyrequirementlevelsettings"),
  };
  return { common, derived: derivedProperties(column) };
}

/** The type to cast to: `PicklistAttributeMetadata` and its like. */
export function derivedTypeOf(column: Column): string {
  return `${derivedTypes[column.type] ?? column.type}AttributeMetadata`;
}

/** What an enumeration column's `OptionSet` navigation property leads to. */
export function optionSetMetadata(table: Table, column: Column): MetadataJson {
  const options = (column.options ?? []).map((option) => ({
    Value: option.value,
    Label: label(option.label),
    Description: { LocalizedLabels: [], UserLocalizedLabel: null },
    Color: null,
    IsManaged: true,
    MetadataId: null,
    HasChanged: null,
  }));
  const common = {
    MetadataId: metadataId(`${table.name}.${column.name}.options${generation(column)}`),
    Name: `${table.name}_${column.name}`,
    IsGlobal: false,
    IsCustomOptionSet: false,
    OptionSetType: column.type === "MultiSelectPicklist" ? "Picklist" : column.type,
  };
  if (column.type !== "Boolean") return { ...common, Options: options };
  return {
    ...common,
    TrueOption: options.find((o) => o.Value === 1) ?? null,
    FalseOption: options.find((o) => o.Value === 0) ?? null,
  };
}

export function keyMetadata(table: Table, columns: readonly string[]): MetadataJson {
  const name = `${table.name}_${columns.join("_")}_key`;
  return {
    MetadataId: metadataId(name),
    LogicalName: name,
    SchemaName: schemaName(name),
    EntityLogicalName: table.name,
    KeyAttributes: columns,
    EntityKeyIndexStatus: "Active",
    DisplayName: label(columns.join(" + ")),
  };
}

export function tableId(table: Table): string {
  return metadataId(`${table.name}${generation(table)}`);
}

/** A column that was dropped and made again, or retyped, is another one. */
export function columnId(table: Table, column: Column): string {
  return metadataId(`${table.name}.${column.name}${generation(column)}`);
}

function generation({ predecessors = 0 }: { readonly predecessors?: number }): string {
  return predecessors === 0 ? "" : ` ${predecessors}`;
}

/** The same GUID for the same thing in every sandbox. */
export function metadataId(name: string): string {
  const hex = createHash("sha256").update(name).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-9${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function derivedProperties(column: Column): MetadataJson {
  if (isLookup(column)) return { Targets: column.targets ?? [], Format: "None" };
  switch (column.type) {
    case "String":
    case "Memo":
      return { MaxLength: column.maxLength ?? 100, Format: column.type === "Memo" ? "TextArea" : "Text" };
    case "Integer":
      return { MinValue: -2_147_483_648, MaxValue: 2_147_483_647, Format: "None" };
    case "Decimal":
    case "Money":
    case "Double":
      return { MinValue: -100_000_000_000, MaxValue: 100_000_000_000, Precision: 2 };
    case "Boolean":
      return { DefaultValue: false };
    case "DateTime":
      return {
        Format: column.dateTimeFormat ?? "DateAndTime",
        DateTimeBehavior: { Value: column.dateTimeBehavior ?? "UserLocal" },
        ImeMode: "Inactive",
      };
    case "Picklist":
    case "State":
    case "Status":
    case "MultiSelectPicklist":
      return { DefaultFormValue: -1 };
    default:
      return {};
  }
}

export function label(text: string): MetadataJson {
  const localized = {
    Label: text,
    LanguageCode: 1033,
    IsManaged: true,
    MetadataId: metadataId(`label ${text}`),
    HasChanged: null,
  };
  return { LocalizedLabels: [localized], UserLocalizedLabel: localized };
}

export function managed(value: unknown, name: string): MetadataJson {
  return { Value: value, CanBeChanged: true, ManagedPropertyLogicalName: name };
}

/** Standard names begin with a capital letter; a publisher's prefix stays as it is. */
function schemaName(name: string): string {
  const [prefix, ...rest] = name.split("_");
  const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
  return rest.length === 0 || prefix === "address1" ? capital(name) : `${prefix}_${rest.map(capital).join("_")}`;
}
