/** Which tables, columns, resources and fields a spec speaks of, and where. Pure. */
import type { WorkflowType } from "../../api/integration-workflow.ts";
import { isRecord } from "../../api/json.ts";
import type { Said } from "../edit/draft.ts";
import { shapeAt } from "../edit/shape.ts";
import type { Wanted } from "./reach.ts";

export type Node = Readonly<Record<string, unknown>>;

export const contact = "contact";
export const profile = "profile";
export const eventKinds = ["send", "open", "click", "bounce"] as const;

export function recordOf(value: unknown): Node {
  return isRecord(value) ? value : {};
}

export function recordsOf(value: unknown): readonly Node[] {
  return Array.isArray(value) ? value.map(recordOf) : [];
}

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

export function mappingsOf(said: Said): readonly Node[] {
  return recordsOf(recordOf(said["ingress"])["mappings"]);
}

/** As it is said, or as it is when nothing is said. */
export function eventTable(said: Said, kind: (typeof eventKinds)[number]): string {
  const activities = recordOf(recordOf(said["egress"])["activities"]);
  const table = textOf(recordOf(activities[kind])["table"]);
  return table === "" ? String(shapeAt(`spec.egress.activities.${kind}.table`)?.default ?? "") : table;
}

/** What the systems are asked for, so that the form can be helped with. */
export function wantedBy(said: Said, type: WorkflowType): Wanted {
  if (type === "Egress") {
    return { tables: unique([contact, ...eventKinds.map((kind) => eventTable(said, kind))]), resources: [] };
  }
  if (type === "OptInOut") return { tables: [contact], resources: [profile] };
  const mappings = mappingsOf(said);
  const linked = mappings.flatMap(({ fields }) => recordsOf(fields).map(({ link }) => recordOf(link)["resource"]));
  return {
    tables: unique(mappings.map(({ table }) => table)),
    resources: unique([...mappings.map(({ resource }) => resource), ...linked]),
  };
}

function unique(names: readonly unknown[]): readonly string[] {
  return [...new Set(names.map(textOf))].filter((name) => name !== "");
}
