/**
 * What Dataverse answers when it refuses. Codes and wording from reference/web-service-error-codes.md,
 * webapi/compose-http-requests-handle-errors.md, api-limits.md and Microsoft's "Dataverse Web API client errors"
 * troubleshooting page; README.md lists those that are assumed.
 */
export class DataverseRefusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = "DataverseRefusal";
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

export function badRequest(message: string, code = "0x0"): DataverseRefusal {
  return new DataverseRefusal(400, code, message);
}

export function noProperty(name: string, type: string): DataverseRefusal {
  return badRequest(`Could not find a property named '${name}' on type 'Microsoft.Dynamics.CRM.${type}'.`);
}

export function noSegment(segment: string): DataverseRefusal {
  return new DataverseRefusal(404, "0x8006088a", `Resource not found for the segment '${segment}'.`);
}

export function noRow(table: string, id: string): DataverseRefusal {
  return new DataverseRefusal(404, "0x80040217", `${table} With Id = ${id} Does Not Exist`);
}

export function noRowByKey(table: string): DataverseRefusal {
  return new DataverseRefusal(
    404,
    "0x80060891",
    `A record with the specified key values does not exist in ${table} entity`,
  );
}

export function badKey(table: string): DataverseRefusal {
  const type = `Microsoft.Dynamics.CRM.${table}`;
  return badRequest(
    `The key in the request URI is not valid for resource '${type}'. Ensure that the names and number of key ` +
      `properties match the declared or alternate key properties for the resource '${type}'.`,
  );
}

export function rowExists(): DataverseRefusal {
  return new DataverseRefusal(412, "0x80040237", "A record with matching key values already exists.");
}

export function keyTaken(columns: readonly string[]): DataverseRefusal {
  return new DataverseRefusal(
    412,
    "0x80060892",
    `Entity Key ${columns.join("_")} violated. A record with the same value for ${columns.join(", ")} already exists. ` +
      "A duplicate record cannot be created. Select one or more unique values and try again.",
  );
}

export function versionMismatch(): DataverseRefusal {
  return new DataverseRefusal(
    412,
    "0x80060882",
    "The version of the existing record doesn't match the RowVersion property provided.",
  );
}

export function badPayload(entitySet: string, reason: string): DataverseRefusal {
  return badRequest(
    `Error identified in Payload provided by the user for Entity :'${entitySet}', For more information on this error ` +
      `please follow this help link https://go.microsoft.com/fwlink/?linkid=2195293  ---->  InnerException : ${reason}`,
    "0x80048d19",
  );
}

export function notTracked(table: string): DataverseRefusal {
  return badRequest(`Entity: ${table} is not enabled for change tracking.`, "0x80044353");
}

export function optionRefusedWhenTracked(option: string): DataverseRefusal {
  return badRequest(`The "${option}" query parameter isn't supported when Change Tracking is enabled.`);
}

/** A delta token or a metadata version stamp. */
export function versionStampExpired(): DataverseRefusal {
  return badRequest("Version stamp associated with the client has expired. Please perform a full sync.", "0x80044352");
}

/** Wording as the service gives it for a message that a table lacks. */
export function noMessage(message: string, table: string): DataverseRefusal {
  return badRequest(
    `The '${message}' method does not support entities of type '${table}'. MessageProcessorCache returned MessageProcessor.Empty.`,
    "0x80040800",
  );
}

/** bulk-operations.md, "Contact With Ids = <guid> Do Not Exist" */
export function noRows(table: string, ids: readonly string[]): DataverseRefusal {
  return new DataverseRefusal(404, "0x80040217", `${table} With Ids = ${ids.join(", ")} Do Not Exist`);
}

/** bulk-operations.md, "Cannot insert duplicate key." */
export function duplicateId(): DataverseRefusal {
  return new DataverseRefusal(412, "0x80040237", "Cannot insert duplicate key.");
}

export function notInSandbox(what: string): DataverseRefusal {
  return new DataverseRefusal(501, "0x80060888", `The sandbox does not implement ${what}.`);
}
