import { type Column, isLookup, navigationProperty, type Table } from "./schema.ts";
import { label, type MetadataJson, managed, metadataId } from "./table-metadata.ts";

/**
 * OneToManyRelationshipMetadata, as `ManyToOneRelationships` of the table that has the lookup and `OneToManyRelationships`
 * of its target. Source: reference of OneToManyRelationshipMetadata, and the relationships that Microsoft lists in
 * reference/entities/contact.md and msfp_surveyresponse.md.
 */
export function manyToOne(table: Table): readonly MetadataJson[] {
  return table.columns.filter(isLookup).flatMap((column) => {
    // One relationship leads to an owner, whichever kind of owner it is.
    const [owner] = column.targets ?? [];
    if (column.type === "Owner") return [relationship(table, column, "owner", navigationProperty(column, owner ?? ""))];
    return (column.targets ?? []).map((target) =>
      relationship(table, column, target, navigationProperty(column, target)),
    );
  });
}

export function oneToMany(tables: readonly Table[], { name }: Table): readonly MetadataJson[] {
  return tables.flatMap(manyToOne).filter((one) => one["ReferencedEntity"] === name);
}

function relationship(table: Table, column: Column, target: string, property: string): MetadataJson {
  const collection = column.navigation?.[target]?.collection;
  const schemaName = collection ?? `${table.name}_${target}_${column.name}`;
  const isCustom = table.name.includes("_") || column.name.includes("_");
  return {
    MetadataId: metadataId(`relationship ${schemaName}`),
    HasChanged: null,
    SchemaName: schemaName,
    RelationshipType: "OneToManyRelationship",
    IsCustomRelationship: isCustom,
    IsHierarchical: false,
    IsManaged: !isCustom,
    IsValidForAdvancedFind: true,
    IsCustomizable: managed(true, "iscustomizable"),
    SecurityTypes: "Append",
    IntroducedVersion: "1.0.0.0",
    EntityKey: null,
    RelationshipBehavior: 1,
    RelationshipAttributes: [],
    ReferencedEntity: target,
    ReferencedAttribute: `${target}id`,
    ReferencedEntityNavigationPropertyName: schemaName,
    ReferencingEntity: table.name,
    ReferencingAttribute: column.name,
    ReferencingEntityNavigationPropertyName: property,
    AssociatedMenuConfiguration: {
      Behavior: "UseCollectionName",
      Group: "Details",
      Label: label(table.entitySet),
      Order: 10000,
    },
    CascadeConfiguration: {
      Archive: "NoCascade",
      Assign: "NoCascade",
      Delete: "RemoveLink",
      Merge: "NoCascade",
      Reparent: "NoCascade",
      RollupView: "NoCascade",
      Share: "NoCascade",
      Unshare: "NoCascade",
    },
  };
}
