import type { Resource } from "./schema.ts";

/**
 * What Campaign answers when it refuses. Gateway errors: api/using/troubleshooting.md. Engine errors: the table
 * "Error codes and messages" of Adobe's page "Recommendations and limitations" on moving to Campaign v8, which
 * quotes Campaign Standard's own, and api/using/triggering-a-signal-activity.md for their form as text lines.
 */
export class CampaignRefusal extends Error {
  readonly status: number;
  /** The gateway's error code; absent when the engine itself refuses. */
  readonly gatewayCode: string | undefined;

  constructor(status: number, message: string, gatewayCode?: string) {
    super(message);
    this.name = "CampaignRefusal";
    this.status = status;
    this.gatewayCode = gatewayCode;
  }
}

const contact = "RST-360011 An error has occurred - please contact your administrator.";

export const apiKeyMissing = () => new CampaignRefusal(403, "Api Key is required", "403000");
export const apiKeyInvalid = () => new CampaignRefusal(403, "Api Key is invalid", "403003");
export const tokenMissing = () => new CampaignRefusal(401, "Oauth token is missing.", "401010");
export const tokenInvalid = () => new CampaignRefusal(401, "Oauth token is not valid", "401013");

/** The gateway's word for a URL that leads nowhere. */
export const badUri = () =>
  new CampaignRefusal(500, "Oops. Something went wrong. Check your URI and try again.", "500");

export function unknownPKey(resource: Resource, pkey: string): CampaignRefusal {
  const name = pkey.replace(/^@/, "");
  return new CampaignRefusal(
    500,
    `Attribute '${name}' unknown (see definition of schema '${resource.label} (${resource.schema})').\n` +
      `XTK-170036 Unable to parse expression '@id = @${name}'.`,
  );
}

export function noSuchKey(resource: Resource, key: string): CampaignRefusal {
  return new CampaignRefusal(
    404,
    `${contact}\nCannot find document with path '${capital(resource.name)}' from key '${key}:0' ` +
      `(document with schema '${resource.name}' and name '${key}')`,
  );
}

export function failed(): CampaignRefusal {
  return new CampaignRefusal(500, contact);
}

export function keyTaken(resource: Resource, field: string, value: string): CampaignRefusal {
  const table = resource.schema.replace(":", "");
  return new CampaignRefusal(
    500,
    `A '${resource.name}' with the same key '${value}' already exists.\n` +
      `PGS-220000 PostgreSQL error: ERROR:  duplicate key value violates unique constraint "${table}_${field}" ` +
      `DETAIL:  Key (s${field})=(${value}) already exists.`,
  );
}

export function keyChanged(resource: Resource, from: string, to: string): CampaignRefusal {
  return new CampaignRefusal(
    500,
    `${contact}\nRST-360012 Inconsistent operation on resource '${resource.name}' - unable to update key '${from}' to '${to}'.`,
  );
}

export function unknownField(resource: Resource, field: string): CampaignRefusal {
  return new CampaignRefusal(500, `${contact}\n'${field}' property is not valid for the '${resource.name}' resource.`);
}

export function readOnlyField(resource: Resource, field: string): CampaignRefusal {
  return new CampaignRefusal(
    500,
    `${contact}\nCannot update the '${field}' property that is read-only\n'${field}' property is not valid for the '${resource.name}' resource.`,
  );
}

/** Assumed: Adobe quotes no answer to a mandatory link that is left out or emptied. */
export function linkMissing(resource: Resource, field: string): CampaignRefusal {
  return new CampaignRefusal(500, `${contact}\nThe '${field}' link of the '${resource.name}' resource is mandatory.`);
}

export function badEnumeration(resource: Resource, field: string, value: unknown): CampaignRefusal {
  return new CampaignRefusal(
    500,
    `${contact}\nValue '${String(value)}' is not valid for enumeration '${resource.schema}:${field}' of field '@${field}'`,
  );
}

export function badValue(resource: Resource, field: string, type: string): CampaignRefusal {
  return new CampaignRefusal(
    500,
    `${contact}\nUnable to convert the value of '${field}' of resource '${resource.name}' to type '${type}'.`,
  );
}

export function badEmail(field: string): CampaignRefusal {
  return new CampaignRefusal(
    500,
    `${contact}\nThe value of '${field}' is not a valid email address (data policy 'email').`,
  );
}

export function unknownFilter(resource: Resource, name: string): CampaignRefusal {
  return new CampaignRefusal(404, `${contact}\nFilter '${name}' is not defined for the '${resource.name}' resource.`);
}

function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
