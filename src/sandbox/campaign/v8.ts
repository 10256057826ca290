import { CampaignRefusal, unknownField } from "./errors.ts";
import type { Resource } from "./schema.ts";
import type { FieldValues } from "./values.ts";

/**
 * What an instance that was moved to Campaign v8 answers otherwise than Campaign Standard. Source: AdobeDocs/campaign.en,
 * help/v8/dev/api/limitations.md ("Recommendations & limitations"); quoted from its table "Error codes and messages".
 */
const contact = "An error has occurred - please contact your administrator.";

/** Campaign Standard's refusal, as v8 words it. The gateway's are the same. */
export function refusalOfV8(refusal: CampaignRefusal, path: string): CampaignRefusal {
  const { status, message, gatewayCode } = refusal;
  if (gatewayCode !== undefined) return refusal;
  const pkey = /Unable to parse expression '@id = @(.*)'/.exec(message)?.[1];
  if (pkey !== undefined) {
    const endpoint = `rest/${path.split("/campaign/")[1] ?? ""}`;
    return new CampaignRefusal(
      404,
      `Unable to decrypt PKey. (PKey=@${pkey}) Unsupported endpoint. (endpoint=${endpoint})`,
    );
  }
  const telling = message.split("\n").at(-1) ?? "";
  if (status === 404) {
    return new CampaignRefusal(404, telling.replace(/^Cannot find/, "Unable to find").replace(/:0'/, "'"));
  }
  return new CampaignRefusal(status, /property is not valid for/.test(telling) ? telling : contact);
}

/** "PATCH operations on location are not supported". @throws CampaignRefusal that names a field inside it, as the page does */
export function refuseLocation(resource: Resource, body: FieldValues): void {
  const { location } = body;
  if (typeof location !== "object" || location === null) return;
  throw unknownField(resource, Object.keys(location)[0] ?? "location");
}

/**
 * "An error occurs because the firstName property is not recognized as valid for cusVehicle": a link to be made by its
 * fields, which Campaign Standard ignores.
 * @throws CampaignRefusal
 */
export function refuseLinksByFields(resource: Resource, body: FieldValues): void {
  for (const { name, type } of resource.fields) {
    const value = body[name];
    if (type !== "link" || typeof value !== "object" || value === null || "PKey" in value) continue;
    throw unknownField(resource, Object.keys(value)[0] ?? name);
  }
}

/**
 * "The by prefix required to use custom filters is no longer needed": a filter has the name that a person gives it. Here that
 * is the same name with another beginning.
 */
export const v8Filter = {
  nameOf: (name: string): string => (isBuiltIn(name) ? name : name.replace(/^by/, "with")),
  standardNameOf: (segment: string): string => {
    if (/^with[A-Z]/.test(segment)) return segment.replace(/^with/, "by");
    // No custom filter has this name.
    return /^by[A-Z]/.test(segment) && !isBuiltIn(segment) ? `byNo${segment}` : segment;
  },
};

/** The pages on v8 quote these as they are on Campaign Standard. */
function isBuiltIn(name: string): boolean {
  return ["byText", "byEmail", "byChannel"].includes(name);
}
