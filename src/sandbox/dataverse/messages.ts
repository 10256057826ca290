import { isStrong, type SandboxAnswer, type SandboxRequest } from "../answer.ts";
import { json, onlyGet, result } from "./answers.ts";
import { bulkMessages } from "./bulk-messages.ts";
import { badRequest, DataverseRefusal, noSegment } from "./errors.ts";
import { serviceRoot } from "./links.ts";
import type { Organization } from "./organization.ts";
import { metadataId } from "./table-metadata.ts";

/** Functions that belong to no row. */

export function whoAmI(organization: Organization, request: SandboxRequest): SandboxAnswer {
  if (request.method !== "GET") {
    throw new DataverseRefusal(
      404,
      "",
      `No HTTP resource was found that matches the request URI '${request.origin}${request.path}'.`,
    );
  }
  return result(request, "WhoAmI", {
    BusinessUnitId: organization.businessUnitId,
    UserId: organization.userId,
    OrganizationId: organization.organizationId,
  });
}

/** `RetrieveTotalRecordCount(EntityNames=['contact'])`, or with a parameter alias. Source: webapi/query/count-rows.md */
export function totalRecordCount(organization: Organization, request: SandboxRequest, segment: string): SandboxAnswer {
  onlyGet(request);
  const list = argument(request, segment, "EntityNames");
  if (list === undefined) throw noSegment("RetrieveTotalRecordCount");
  const keys = [...list.matchAll(/['"](\w+)['"]/g)].map((match) => match[1] ?? "");
  const values = keys.map((name) => {
    if (organization.table(name) === undefined) throw noSegment(name);
    return organization.recordCount(name);
  });
  return result(request, "RetrieveTotalRecordCount", {
    EntityRecordCountCollection: { Count: keys.length, IsReadOnly: false, Keys: keys, Values: values },
  });
}

/** `RetrieveTimestamp`: changes whenever metadata does. Source: reference of RetrieveTimestampRequest */
export function metadataTimestamp(organization: Organization, request: SandboxRequest): SandboxAnswer {
  onlyGet(request);
  return result(request, "RetrieveTimestamp", {
    Timestamp: String(organization.definitions({ strong: isStrong(request) }).version),
  });
}

/** Whether a table has a message: the one query of `sdkmessagefilters` that bulk-operations.md gives, Availability. */
export function messageFilters(organization: Organization, request: SandboxRequest): SandboxAnswer {
  onlyGet(request);
  const filter = (request.query.get("$filter") ?? "").replace(/@\w+/g, (alias) => request.query.get(alias) ?? alias);
  const message = /sdkmessageid\/name eq '(\w+)'/.exec(filter)?.[1];
  const table = /primaryobjecttypecode eq '(\w+)'/.exec(filter)?.[1];
  if (message === undefined || table === undefined) {
    throw badRequest("The sandbox answers sdkmessagefilters by sdkmessageid/name and primaryobjecttypecode only.");
  }
  const schema = organization.table(table);
  const known = bulkMessages.some((one) => one === message) && schema !== undefined && schema.bulkMessages !== false;
  const filterId = metadataId(`${table} ${message}`);
  return json("sdkmessagefilters", {
    "@odata.context": `${serviceRoot(request)}$metadata#sdkmessagefilters(sdkmessagefilterid)`,
    value: known ? [{ "@odata.etag": 'W/"2009110"', sdkmessagefilterid: filterId }] : [],
  });
}

/** A function's argument in `Name(a=1,b=@p)`, parameter aliases resolved; undefined when it is left out. */
export function argument(request: SandboxRequest, segment: string, name: string): string | undefined {
  const text = new RegExp(`[(,]${name}=(@\\w+|\\[[^\\]]*\\]|[\\w.]*'(?:[^']|'')*'|[^,)]+)`).exec(segment)?.[1];
  return text?.startsWith("@") === true ? (request.query.get(text) ?? undefined) : text;
}
