import { isStrong, type SandboxAnswer, type SandboxRequest } from "../answer.ts";
import { json, onlyGet, withHeaders } from "./answers.ts";
import { bulkRequest } from "./bulk-messages.ts";
import { badRequest, noSegment } from "./errors.ts";
import { messageFilters, metadataTimestamp, totalRecordCount, whoAmI } from "./messages.ts";
import { metadataChanges } from "./metadata-changes.ts";
import { readMetadata } from "./metadata-read.ts";
import type { Organization } from "./organization.ts";
import type { Preferences } from "./preferences.ts";
import { collectionRequest, countRequest, rowRequest } from "./row-requests.ts";

const schemaVersionAnnotation = "Microsoft.Dynamics.CRM.globalmetadataversion";

/**
 * One request to the Web API, `$batch` excepted, for a caller who has signed in. Nothing happens between its start and
 * its end: reads and writes of one request see one state.
 * @throws DataverseRefusal
 */
export function answerWebApi(
  organization: Organization,
  request: SandboxRequest,
  preferences: Preferences,
): SandboxAnswer {
  const answer = route(organization, request, preferences);
  const stamped = preferences.annotates(schemaVersionAnnotation) ? stamp(answer, organization, request) : answer;
  return withHeaders(stamped, preferences);
}

function route(organization: Organization, request: SandboxRequest, preferences: Preferences): SandboxAnswer {
  const segments = webApiPath(request.path);
  const [first = "", ...rest] = segments;
  const name = /^\w*/.exec(first)?.[0];
  switch (name) {
    case "WhoAmI":
      return whoAmI(organization, request);
    case "RetrieveTotalRecordCount":
      return totalRecordCount(organization, request, first);
    case "RetrieveTimestamp":
      return metadataTimestamp(organization, request);
    case "RetrieveMetadataChanges":
      return metadataChanges(organization, request, first);
    case "sdkmessagefilters":
      return messageFilters(organization, request);
    case "EntityDefinitions":
      onlyGet(request);
      return json("EntityDefinitions", readMetadata(organization, request, segments));
  }
  const named = /^([A-Za-z]\w*)(?:\((.*)\))?$/s.exec(first);
  const table = organization.tableOfSet(named?.[1] ?? "");
  if (table === undefined) throw noSegment(named?.[1] ?? first);
  const context = { organization, table, request, preferences };
  if (named?.[2] !== undefined) return rowRequest(context, named[2], rest);
  const [below, ...more] = rest;
  if (below === undefined) return collectionRequest(context);
  if (more.length > 0) throw noSegment(below);
  return below === "$count" ? countRequest(context) : bulkRequest(organization, table, request, below);
}

/** The path below the service root, decoded. @throws DataverseRefusal */
export function webApiPath(path: string): readonly string[] {
  const match = /^\/api\/data\/v9\.\d\/(.*)$/.exec(path);
  if (match === null) throw noSegment(path);
  try {
    return (match[1] ?? "")
      .split("/")
      .filter((part) => part !== "")
      .map((part) => decodeURIComponent(part));
  } catch {
    throw badRequest("The request URI is not valid: a percent sign must start an encoded byte.");
  }
}

/** `@Microsoft.Dynamics.CRM.globalmetadataversion` in lists and metadata changes with every change of the schema. */
function stamp(answer: SandboxAnswer, organization: Organization, request: SandboxRequest): SandboxAnswer {
  if (answer.status !== 200 || answer.endpoint.endsWith("(id)")) return answer;
  const { version } = organization.definitions({ strong: isStrong(request) });
  const annotation = `"@${schemaVersionAnnotation}":"${version}"`;
  // The context stands first, and an address holds no quotation marks.
  return { ...answer, body: answer.body.replace(/^\{"@odata.context":"[^"]*"/, `$&,${annotation}`) };
}
