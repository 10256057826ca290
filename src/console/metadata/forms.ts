/** The help for each type's form. Pure. */
import type { WorkflowType } from "../../api/integration-workflow.ts";
import type { ColumnTold, FieldTold } from "../../api/worker-metadata.ts";
import type { Said } from "../edit/draft.ts";
import { columnType, fieldType, metadataTexts as texts } from "../metadata-texts.ts";
import { misfit } from "./fit.ts";
import { type Help, Helping } from "./help.ts";
import {
  contact,
  eventKinds,
  eventTable,
  mappingsOf,
  type Node,
  profile,
  recordOf,
  recordsOf,
  textOf,
} from "./mapped.ts";
import type { Systems } from "./names.ts";

export function helpFor(said: Said, type: WorkflowType, systems: Systems): Help {
  const help = new Helping(systems);
  if (type === "Ingress") ingressHelp(help, mappingsOf(said));
  else if (type === "Egress") egressHelp(help, said);
  else optInOutHelp(help, recordOf(said["optInOut"]));
  return help;
}

function ingressHelp(help: Helping, mappings: readonly Node[]): void {
  for (const [index, mapping] of mappings.entries()) {
    const path = `spec.ingress.mappings[${index}]`;
    const [table, resource] = [textOf(mapping["table"]), textOf(mapping["resource"])];
    help.table(`${path}.table`, table, true);
    help.resource(`${path}.resource`, resource);
    const key = recordOf(mapping["key"]);
    help.column(`${path}.key.column`, table, textOf(key["column"]));
    help.field(`${path}.key.field`, resource, textOf(key["field"]));
    const byLabel = mapping["picklistValues"] !== "Value";
    for (const [at, field] of recordsOf(mapping["fields"]).entries()) {
      fieldHelp(help, `${path}.fields[${at}]`, field, { table, resource, byLabel, mappings });
    }
    for (const [at, constant] of recordsOf(mapping["constants"]).entries()) {
      const to = help.field(`${path}.constants[${at}].field`, resource, textOf(constant["field"]), readOnly);
      values(help, `${path}.constants[${at}].value`, resource, to);
    }
    for (const [at, condition] of recordsOf(recordOf(mapping["filter"])["conditions"]).entries()) {
      const place = `${path}.filter.conditions[${at}]`;
      const column = help.column(`${place}.column`, table, textOf(condition["column"]));
      choices(help, `${place}.value`, table, column, true);
    }
  }
}

interface Around {
  readonly table: string;
  readonly resource: string;
  readonly byLabel: boolean;
  readonly mappings: readonly Node[];
}

function fieldHelp(help: Helping, path: string, field: Node, { table, resource, byLabel, mappings }: Around): void {
  const link = field["link"] === undefined ? undefined : recordOf(field["link"]);
  const replacements = recordsOf(field["replacements"]);
  const column = help.column(`${path}.column`, table, textOf(field["column"]), (from) =>
    link === undefined ? undefined : lookupMisfit(from, textOf(link["resource"]), mappings),
  );
  const to = help.field(`${path}.field`, resource, textOf(field["field"]), (target) => {
    if (link !== undefined) return linkMisfit(target, textOf(link["resource"]));
    if (target.type === "link") return texts.needsLink(target.target ?? "");
    const replaced = new Set(replacements.map(({ from }) => textOf(from)));
    return column === undefined ? readOnly(target) : misfit(column, target, { byLabel, replaced });
  });
  for (const index of replacements.keys()) {
    choices(help, `${path}.replacements[${index}].from`, table, column, byLabel);
    values(help, `${path}.replacements[${index}].to`, resource, to);
  }
  if (link === undefined) return;
  help.resource(`${path}.link.resource`, textOf(link["resource"]));
  help.field(`${path}.link.key`, textOf(link["resource"]), textOf(link["key"]));
}

function readOnly({ readOnly: is }: FieldTold): string | undefined {
  return is === true ? texts.readOnly : undefined;
}

function linkMisfit(field: FieldTold, resource: string): string | undefined {
  if (field.type !== "link") return texts.noLink(fieldType(field));
  const { target } = field;
  return target === undefined || target === resource ? undefined : texts.otherTarget(target);
}

function lookupMisfit({ type, targets }: ColumnTold, resource: string, mappings: readonly Node[]): string | undefined {
  if (type !== "Lookup") return texts.noLookup;
  const parent = textOf(mappings.find((mapping) => mapping["resource"] === resource)?.["table"]);
  return parent === "" || targets === undefined || targets.includes(parent) ? undefined : texts.neverPoints(parent);
}

function choices(help: Helping, path: string, table: string, column: ColumnTold | undefined, byLabel: boolean): void {
  if (column?.type === "Boolean") help.offer(path, "booleans", () => [{ value: "true" }, { value: "false" }]);
  if (column?.choices === undefined) return;
  const offered = column.choices.map(({ value, label }) => (byLabel ? { value: label } : { value, label }));
  help.offer(path, `choices-${byLabel ? "labels" : "values"}-${table}-${column.name}`, () => offered);
}

function values(help: Helping, path: string, resource: string, field: FieldTold | undefined): void {
  if (field?.values === undefined) return;
  const offered = field.values.map((value) => ({ value }));
  help.offer(path, `values-${resource}-${field.name}`, () => offered);
}

const texted: ReadonlySet<string> = new Set(["String", "Memo"]);
const keyed: ReadonlySet<string> = new Set(["String", "Integer", "BigInt", "Uniqueidentifier"]);

function egressHelp(help: Helping, said: Said): void {
  const egress = recordOf(said["egress"]);
  const keyOf = ({ type }: ColumnTold) => (keyed.has(type) ? undefined : texts.wants(texts.keyTypes));
  help.column("spec.egress.contactKey", contact, textOf(egress["contactKey"]), keyOf);
  for (const kind of eventKinds) {
    help.table(`spec.egress.activities.${kind}.table`, eventTable(said, kind), false);
  }
  const columns = recordOf(recordOf(egress["activities"])["columns"]);
  for (const name of ["campaignName", "deliveryName", "occurredAt", "mirrorPageUrl", "trackingUrl"] as const) {
    const table = eventTable(said, name === "trackingUrl" ? "click" : "send");
    help.column(`spec.egress.activities.columns.${name}`, table, textOf(columns[name]), ({ type }) => {
      if (name === "occurredAt") return type === "DateTime" ? undefined : texts.wants(texts.time);
      return texted.has(type) ? undefined : texts.wants(texts.text);
    });
  }
}

function optInOutHelp(help: Helping, optInOut: Node): void {
  help.field("spec.optInOut.keyField", profile, textOf(optInOut["keyField"]));
  for (const [index, pair] of recordsOf(optInOut["mappings"]).entries()) {
    const path = `spec.optInOut.mappings[${index}]`;
    help.column(`${path}.column`, contact, textOf(pair["column"]), (column) =>
      column.type === "Boolean" ? undefined : `${texts.wants(texts.yesNo)}, not ${columnType(column)}`,
    );
    help.field(`${path}.field`, profile, textOf(pair["field"]));
  }
}
