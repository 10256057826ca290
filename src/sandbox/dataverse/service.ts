import { randomUUID } from "node:crypto";
import { header, type SandboxAnswer, type SandboxRequest } from "../answer.ts";
import { type AccessTokens, type Application, bearerToken } from "../identity.ts";
import { badRequest, DataverseRefusal, noSegment, notInSandbox } from "./errors.ts";
import { type CollectionPage, collectionUrl, contextUrl, serviceRoot } from "./links.ts";
import { readMetadata } from "./metadata-read.ts";
import type { Organization } from "./organization.ts";
import { parseSkipToken } from "./paging.ts";
import { countPlain, readPlain } from "./plain-read.ts";
import { type Preferences, parsePreferences } from "./preferences.ts";
import { parseRowAddress, resolveAddress } from "./row-address.ts";
import { etagOf, parseSelect, rowJson } from "./row-json.ts";
import type { Table } from "./schema.ts";
import type { ServiceProtection } from "./service-protection.ts";
import { signIn } from "./sign-in.ts";
import type { MetadataJson } from "./table-metadata.ts";
import { countDelta, readDelta, readSnapshot } from "./tracked-read.ts";
import { createRow, deleteRow, missing, patchRow, type Written } from "./write.ts";

/** The Dataverse Web API and its token endpoint. One request in, one answer out; it never throws. */
export class DataverseService {
  readonly #organization: Organization;
  readonly #tenantId: string;
  readonly #application: Application;
  readonly #tokens: AccessTokens;
  readonly #protection: ServiceProtection;

  constructor(
    organization: Organization,
    identity: { tenantId: string; application: Application; tokens: AccessTokens },
    protection: ServiceProtection,
  ) {
    this.#organization = organization;
    this.#tenantId = identity.tenantId;
    this.#application = identity.application;
    this.#tokens = identity.tokens;
    this.#protection = protection;
  }

  async handle(request: SandboxRequest): Promise<SandboxAnswer> {
    const tenant = /^\/([^/]+)\/oauth2\/v2\.0\/token$/.exec(request.path)?.[1];
    if (tenant !== undefined && request.method === "POST") {
      return signIn(request, decodeURIComponent(tenant), this.#tenantId, this.#application, this.#tokens);
    }
    const preferences = parsePreferences(header(request, "prefer"));
    try {
      const refused = this.#checkToken(request);
      if (refused !== undefined) return refused;
      return await this.#protection.run(this.#application.clientId, async () =>
        this.#withHeaders(this.#route(request, preferences), preferences),
      );
    } catch (error) {
      if (error instanceof DataverseRefusal) return refusalAnswer(error, preferences);
      throw error;
    }
  }

  /** Source: the 401 of a protected Web API is empty and tells in WWW-Authenticate where to sign in. */
  #checkToken(request: SandboxRequest): SandboxAnswer | undefined {
    const token = bearerToken(header(request, "authorization"));
    const state = token === undefined ? "missing" : this.#tokens.state(token);
    if (state === "valid") return undefined;
    const reason =
      state === "missing"
        ? ""
        : ` error=invalid_token, error_description=${state === "expired" ? "The token is expired" : "Error during token validation!"},`;
    return {
      endpoint: "unauthorized",
      status: 401,
      headers: {
        "www-authenticate": `Bearer${reason} authorization_uri=${request.origin}/${this.#tenantId}/oauth2/authorize, resource_id=${request.origin}/`,
      },
      body: "",
    };
  }

  #route(request: SandboxRequest, preferences: Preferences): SandboxAnswer {
    const match = /^\/api\/data\/v9\.\d\/(.*)$/.exec(request.path);
    if (match === null) throw noSegment(request.path);
    const segments = pathSegments(match[1] ?? "");
    const [first = "", ...rest] = segments;
    if (first === "WhoAmI" || first === "WhoAmI()") return this.#whoAmI(request);
    if (first.startsWith("RetrieveTotalRecordCount(")) return this.#totalCount(request, first);
    if (first.startsWith("EntityDefinitions")) {
      onlyGet(request);
      return json("EntityDefinitions", this.#stamped(readMetadata(this.#organization, request, segments), preferences));
    }
    if (first === "$batch") throw notInSandbox("$batch");
    const named = /^([A-Za-z]\w*)(?:\((.*)\))?$/s.exec(first);
    const table = this.#organization.tableOfSet(named?.[1] ?? "");
    if (table === undefined) throw noSegment(named?.[1] ?? first);
    if (named?.[2] !== undefined) return this.#row(table, named[2], rest, request, preferences);
    if (rest[0] === "$count") return this.#count(table, request);
    if (rest.length > 0) throw noSegment(rest[0] ?? "");
    return this.#collection(table, request, preferences);
  }

  #collection(table: Table, request: SandboxRequest, preferences: Preferences): SandboxAnswer {
    const organization = this.#organization;
    if (request.method === "POST") {
      return this.#written(table, createRow(organization, table, request), request, preferences);
    }
    onlyGet(request);
    const token = request.query.get("$skiptoken");
    const cookie = token === null ? undefined : parseSkipToken(token);
    const read = { organization, table, request, preferences };
    if (cookie?.kind === "snapshot") return this.#page(readSnapshot(read, cookie), preferences);
    if (cookie !== undefined && cookie.kind !== "plain") return this.#page(readDelta(read, cookie), preferences);
    if (request.query.has("$deltatoken")) return this.#page(readDelta(read, undefined), preferences);
    if (preferences.trackChanges) return this.#page(readSnapshot(read, undefined), preferences);
    return this.#page(readPlain(organization, table, request, preferences, cookie), preferences);
  }

  #row(
    table: Table,
    key: string,
    rest: readonly string[],
    request: SandboxRequest,
    preferences: Preferences,
  ): SandboxAnswer {
    if (rest.length > 0) throw notInSandbox(`the path ${request.path}`);
    const address = parseRowAddress(table, key);
    switch (request.method) {
      case "PATCH":
        return this.#written(table, patchRow(this.#organization, table, address, request), request, preferences);
      case "DELETE":
        deleteRow(this.#organization, table, address, request);
        return { endpoint: `${table.entitySet}(id)`, status: 204, headers: {}, body: "" };
      default:
        onlyGet(request);
    }
    const id = resolveAddress(this.#organization, table, address);
    if (id === undefined) throw missing(table, address);
    const row = this.#organization.row(table.name, id);
    const unchanged =
      header(request, "if-none-match") === etagOf(row) &&
      !preferences.applied.some((one) => one.includes("annotations"));
    const endpoint = `${table.entitySet}(id)`;
    if (unchanged) return { endpoint, status: 304, headers: {}, body: "" };
    const selection = parseSelect(table, request.query.get("$select"));
    const context = contextUrl(request, table, selection, "/$entity");
    return {
      ...json(endpoint, {
        "@odata.context": context,
        ...rowJson(this.#organization, table, row, selection, preferences),
      }),
      rows: 1,
    };
  }

  #written(table: Table, { row, created }: Written, request: SandboxRequest, preferences: Preferences): SandboxAnswer {
    const endpoint = created && request.method === "POST" ? table.entitySet : `${table.entitySet}(id)`;
    const headers = { "odata-entityid": `${collectionUrl(request, table)}(${row.id})` };
    if (!preferences.returnRepresentation) return { endpoint, status: 204, headers, body: "" };
    const selection = parseSelect(table, request.query.get("$select"));
    const context = contextUrl(request, table, selection, "/$entity");
    const shown = json(endpoint, {
      "@odata.context": context,
      ...rowJson(this.#organization, table, row, selection, preferences),
    });
    return { ...shown, status: created ? 201 : 200, headers: { ...shown.headers, ...headers, etag: etagOf(row) } };
  }

  /** A bare number as text, with a byte order mark, as Dataverse sends it. */
  #count(table: Table, request: SandboxRequest): SandboxAnswer {
    onlyGet(request);
    const delta = request.query.has("$deltatoken");
    const count = delta
      ? countDelta(this.#organization, table, request)
      : countPlain(this.#organization, table, request);
    return {
      endpoint: `${table.entitySet}/$count`,
      status: 200,
      headers: { "content-type": "text/plain" },
      body: `\ufeff${count}`,
    };
  }

  #whoAmI(request: SandboxRequest): SandboxAnswer {
    if (request.method !== "GET") {
      throw new DataverseRefusal(
        404,
        "",
        `No HTTP resource was found that matches the request URI '${request.origin}${request.path}'.`,
      );
    }
    return json("WhoAmI", {
      "@odata.context": `${serviceRoot(request)}$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse`,
      BusinessUnitId: this.#organization.businessUnitId,
      UserId: this.#organization.userId,
      OrganizationId: this.#organization.organizationId,
    });
  }

  /** `RetrieveTotalRecordCount(EntityNames=['contact'])`, or with a parameter alias. Source: webapi/query/count-rows.md */
  #totalCount(request: SandboxRequest, segment: string): SandboxAnswer {
    onlyGet(request);
    const argument = /EntityNames=(.+)\)$/.exec(segment)?.[1] ?? "";
    const list = argument.startsWith("@") ? (request.query.get(argument) ?? "") : argument;
    const keys = [...list.matchAll(/['"](\w+)['"]/g)].map((match) => match[1] ?? "");
    const values = keys.map((name) => {
      if (this.#organization.table(name) === undefined) throw noSegment(name);
      return this.#organization.store(name).count;
    });
    return json("RetrieveTotalRecordCount", {
      "@odata.context": `${serviceRoot(request)}$metadata#Microsoft.Dynamics.CRM.RetrieveTotalRecordCountResponse`,
      EntityRecordCountCollection: { Count: keys.length, IsReadOnly: false, Keys: keys, Values: values },
    });
  }

  /** `@Microsoft.Dynamics.CRM.globalmetadataversion` changes with every change of the schema, for whom asks for it. */
  #stamped(body: MetadataJson, preferences: Preferences): MetadataJson {
    if (!preferences.annotates(schemaVersionAnnotation)) return body;
    const { "@odata.context": context, ...rest } = body;
    const version = String(this.#organization.schemaVersion);
    return { "@odata.context": context, [`@${schemaVersionAnnotation}`]: version, ...rest };
  }

  #page(read: CollectionPage, preferences: Preferences): SandboxAnswer {
    return { ...json(read.endpoint, this.#stamped(read.json, preferences)), rows: read.rows };
  }

  #withHeaders(answer: SandboxAnswer, preferences: Preferences): SandboxAnswer {
    const applied = preferences.applied.length === 0 ? {} : { "preference-applied": preferences.applied.join(",") };
    return { ...answer, headers: { ...alwaysHeaders(), ...answer.headers, ...applied } };
  }
}

function refusalAnswer(refusal: DataverseRefusal, preferences: Preferences): SandboxAnswer {
  const details = preferences.annotates("Microsoft.PowerApps.CDS.InnerError.Message")
    ? { "@Microsoft.PowerApps.CDS.InnerError.Message": refusal.message }
    : {};
  return {
    endpoint: "refused",
    status: refusal.status,
    headers: { ...alwaysHeaders(), "content-type": contentType, ...refusal.headers },
    body: JSON.stringify({ error: { code: refusal.code, message: refusal.message, ...details } }),
  };
}

const schemaVersionAnnotation = "Microsoft.Dynamics.CRM.globalmetadataversion";
const contentType = "application/json; odata.metadata=minimal";

function alwaysHeaders(): Record<string, string> {
  return { "odata-version": "4.0", "x-ms-service-request-id": randomUUID(), "cache-control": "no-cache" };
}

function pathSegments(path: string): string[] {
  try {
    return path
      .split("/")
      .filter((part) => part !== "")
      .map((part) => decodeURIComponent(part));
  } catch {
    throw badRequest("The request URI is not valid: a percent sign must start an encoded byte.");
  }
}

function json(endpoint: string, body: unknown): SandboxAnswer {
  return { endpoint, status: 200, headers: { "content-type": contentType }, body: JSON.stringify(body) };
}

function onlyGet(request: SandboxRequest): void {
  if (request.method === "GET") return;
  throw new DataverseRefusal(
    405,
    "0x80060888",
    `The requested resource does not support http method '${request.method}'.`,
  );
}
