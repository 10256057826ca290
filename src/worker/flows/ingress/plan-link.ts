/** A mapped field that points at another mapping's record, fitted to both systems. Pure. */
import type { IngressMapping } from "../../../api/integration-workflow.ts";
import type { CampaignFieldMetadata } from "../../campaign/interface.ts";
import type { ColumnMetadata } from "../../dataverse/interface.ts";

export interface PlannedLink {
  readonly mandatory: boolean;
  readonly resource: string;
  /** The key field of that resource. */
  readonly key: string;
  /** The mapping that fills the resource, by its table. */
  readonly parent: string;
}

type Field = IngressMapping["fields"][number];

/** @returns undefined for a field that is no link; what cannot be, and how to mend it, as text */
export function planLink(
  { column, field, link, replacements = [] }: Pick<Field, "column" | "field" | "link" | "replacements">,
  from: ColumnMetadata,
  to: CampaignFieldMetadata,
  mappings: readonly IngressMapping[],
): PlannedLink | undefined | string {
  if (link === undefined) return undefined;
  const { resource, key, mandatory } = link;
  const where = `the link of the field ${field}`;
  if (to.type !== "link") {
    return `${where}: in Campaign the field is no link but of type ${to.rawType}: take link out, or make the field a link to ${resource}`;
  }
  if (to.target !== undefined && to.target !== resource) {
    return `${where} names the resource ${resource}, and in Campaign the field points at ${to.target}: name that one`;
  }
  if (from.type !== "Lookup") return `${where}: the column ${column} is no lookup but of type ${from.type}`;
  if (replacements.length > 0)
    return `${where} takes no replacements: its value is the record that ${column} points at`;
  const parent = mappings.find((mapping) => mapping.resource === resource);
  if (parent === undefined) {
    return `${where}: no mapping of this workflow fills ${resource}, so nothing could ever be linked: add a mapping to it, or take link out`;
  }
  if (parent.key.field !== key) {
    return `${where} has the key ${key}, and the mapping ${parent.table} writes ${resource} by the key ${parent.key.field}: use that one`;
  }
  if (from.targets !== undefined && !from.targets.includes(parent.table)) {
    return `${where}: the column ${column} never points at ${parent.table}, which fills ${resource}; it points at ${from.targets.join(", ")}`;
  }
  return { mandatory, resource, key, parent: parent.table };
}
