import type { SandboxAnswer, SandboxRequest } from "../answer.ts";
import { noContent, result } from "./answers.ts";
import { isGuid } from "./cells.ts";
import { badRequest, DataverseRefusal, duplicateId, noMessage, noRows, noSegment } from "./errors.ts";
import type { Organization } from "./organization.ts";
import { parseRowAddress, type RowAddress, resolveAddress } from "./row-address.ts";
import type { Table } from "./schema.ts";
import { createRow, type Payload, parseObject, upsertRow } from "./write.ts";

/*
 * CreateMultiple, UpdateMultiple, UpsertMultiple on standard tables: all rows or none.
 * Sources: bulk-operations.md, webapi/reference/upsertmultiple.
 */

export const bulkMessages = ["CreateMultiple", "UpdateMultiple", "UpsertMultiple"] as const;
const crm = "Microsoft.Dynamics.CRM.";

/** `POST contacts/Microsoft.Dynamics.CRM.CreateMultiple` @param segment what follows the entity set */
export function bulkRequest(
  organization: Organization,
  table: Table,
  request: SandboxRequest,
  segment: string,
): SandboxAnswer {
  const name = segment.startsWith(crm) ? segment.slice(crm.length) : "";
  if (name === "DeleteMultiple") {
    throw new DataverseRefusal(501, "0x80040224", "DeleteMultiple has not yet been implemented.");
  }
  const message = bulkMessages.find((one) => one === name);
  if (message === undefined || request.method !== "POST") throw noSegment(segment);
  if (table.bulkMessages === false) throw noMessage(message, table.name);
  const targets = readTargets(table, request.body);
  const endpoint = `${table.entitySet}/${message}`;
  const ids = organization.transaction(() => targets.map((target) => write(organization, table, message, target)));
  const answer = message === "CreateMultiple" ? result(request, message, { Ids: ids }) : noContent(endpoint);
  return { ...answer, endpoint, operations: targets.length };
}

function write(
  organization: Organization,
  table: Table,
  message: (typeof bulkMessages)[number],
  target: Payload,
): string {
  if (message === "CreateMultiple") return create(organization, table, target);
  const address = addressOf(table, target);
  if (message === "UpdateMultiple" && resolveAddress(organization, table, address) === undefined) {
    throw noRows(table.name, address.kind === "id" ? [address.id] : address.values);
  }
  return upsertRow(organization, table, address, target).row.id;
}

function create(organization: Organization, table: Table, target: Payload): string {
  const id = target[table.primaryId];
  if (typeof id === "string" && organization.store(table.name).get(id.toLowerCase()) !== undefined) throw duplicateId();
  return createRow(organization, table, target).row.id;
}

/** "You must set the @odata.type property for each item in the Targets parameter." */
function readTargets(table: Table, body: string): readonly Payload[] {
  const targets = parseObject(table, body)["Targets"];
  if (!Array.isArray(targets) || targets.length === 0) {
    throw badRequest("Required field 'Targets' is missing or empty.", "0x80040203");
  }
  return targets.map((target: unknown) => {
    const type = typeof target === "object" && target !== null && "@odata.type" in target ? target["@odata.type"] : "";
    if (String(type).replace(/^#/, "") !== `${crm}${table.name}`) {
      throw badRequest(
        `An error occurred while validating input parameters: Microsoft.OData.ODataException: every item of 'Targets' ` +
          `must have '@odata.type': '${crm}${table.name}'.`,
        "0x80048d19",
      );
    }
    return { ...Object(target) };
  });
}

/** By primary key, or by `@odata.id`: `sample_examples(sample_keyattribute='0000001')`. */
function addressOf(table: Table, target: Payload): RowAddress {
  const id = target[table.primaryId];
  if (typeof id === "string" && isGuid(id)) return { kind: "id", id: id.toLowerCase() };
  const key = /(?:^|\/)(\w+)\((.+)\)$/.exec(String(target["@odata.id"] ?? ""));
  if (key?.[1] !== table.entitySet) {
    throw badRequest(`Entity Id must be specified for Update: '${table.primaryId}' or '@odata.id' of every item.`);
  }
  return parseRowAddress(table, key[2] ?? "");
}
