import { header, type SandboxAnswer, type SandboxRequest } from "../answer.ts";
import { type AccessTokens, type Application, bearerToken } from "../identity.ts";
import type { Caller } from "../write-log.ts";
import * as refuse from "./errors.ts";
import { CampaignRefusal } from "./errors.ts";
import type { CampaignInstance } from "./instance.ts";
import { recordJson, recordUrl, type UrlBase } from "./record-json.ts";
import type { CampaignRecord } from "./record-store.ts";
import { countRecords, isFilter, type ListPath, listRecords } from "./resource-list.ts";
import { endpointIndex, filterMetadata, resourceMetadata } from "./resource-metadata.ts";
import type { Endpoint, Resource } from "./schema.ts";
import { signIn } from "./sign-in.ts";
import { Subscriptions } from "./subscriptions.ts";
import { Throttle } from "./throttle.ts";
import { refusalOfV8, refuseLinksByFields, refuseLocation, v8Filter } from "./v8.ts";
import { type FieldValues, visibleFields } from "./values.ts";

const endpoints: readonly Endpoint[] = ["profileAndServices", "profileAndServicesExt", "customResources"];

/** Adobe Campaign Standard's REST API behind Adobe's gateway, and IMS. It never throws. */
export class CampaignService {
  readonly #instance: CampaignInstance;
  readonly #organization: string;
  readonly #application: Application;
  readonly #tokens: AccessTokens;
  readonly #subscriptions: Subscriptions;
  readonly #throttle: Throttle;

  constructor(
    instance: CampaignInstance,
    identity: { organization: string; application: Application; tokens: AccessTokens },
  ) {
    this.#instance = instance;
    this.#organization = identity.organization;
    this.#application = identity.application;
    this.#tokens = identity.tokens;
    this.#subscriptions = new Subscriptions(instance);
    this.#throttle = new Throttle(instance.now);
  }

  handle(request: SandboxRequest): Promise<SandboxAnswer> {
    if (request.path === "/ims/token/v3" && request.method === "POST") {
      return Promise.resolve(signIn(request, this.#application, this.#tokens));
    }
    try {
      return Promise.resolve(this.#route(request));
    } catch (error) {
      if (error instanceof CampaignRefusal) {
        return Promise.resolve(this.#refusal(this.#isV8 ? refusalOfV8(error, request.path) : error));
      }
      return Promise.reject(error);
    }
  }

  get #isV8(): boolean {
    return this.#instance.behaviour.dialect === "V8";
  }

  #route(request: SandboxRequest): SandboxAnswer {
    this.#checkGateway(request);
    const throttled = this.#throttle.refuse(this.#instance.behaviour.throttle);
    if (throttled !== undefined) return throttled;
    const [organization, campaign, endpointName, ...rest] = pathSegments(request.path);
    const endpoint = endpoints.find((name) => name === endpointName);
    if (organization !== this.#organization || campaign !== "campaign" || endpoint === undefined) throw refuse.badUri();
    this.#instance.engineCalls += 1;
    const base: UrlBase = { campaign: `${request.origin}/${this.#organization}/campaign`, endpoint };
    const [name, ...segments] = rest;
    const below = this.#isV8 ? segments.map(v8Filter.standardNameOf) : segments;
    if (name === undefined) return json(`${endpoint}`, endpointIndex(this.#instance, base));
    if (name === "resourceType") return this.#resourceType(base, below);
    const resource = this.#exposed(endpoint, name.replace(/\.json$/, ""));
    const [first, ...more] = below;
    if (first === undefined) return this.#collection(base, resource, { filters: [], field: undefined }, request);
    if (first === "metadata") return json("metadata", resourceMetadata(base, resource));
    if (first === "_count" || isFilter(first)) return this.#filtered(base, resource, below, request);
    if (visibleFields(resource, endpoint).some((field) => field.name === first)) {
      return this.#filtered(base, resource, below, request);
    }
    return this.#record(base, resource, first, more, request);
  }

  /** Source: api/using/troubleshooting.md */
  #checkGateway(request: SandboxRequest): void {
    const apiKey = header(request, "x-api-key");
    if (apiKey === undefined || apiKey === "") throw refuse.apiKeyMissing();
    const token = bearerToken(header(request, "authorization"));
    if (token === undefined) throw refuse.tokenMissing();
    if (this.#tokens.state(token) !== "valid") throw refuse.tokenInvalid();
    if (apiKey !== this.#application.clientId) throw refuse.apiKeyInvalid();
  }

  #exposed(endpoint: Endpoint, name: string): Resource {
    const resource = this.#instance.resource(name);
    if (resource?.endpoints.includes(endpoint) !== true) throw refuse.badUri();
    return resource;
  }

  #resourceType(base: UrlBase, [name, ...rest]: readonly string[]): SandboxAnswer {
    if (name === undefined) return json("metadata", endpointIndex(this.#instance, base));
    const resource = this.#exposed(base.endpoint, name);
    return rest[0] === "filters"
      ? json("filters", filterMetadata(base, resource, this.#isV8 ? v8Filter.nameOf : (filter) => filter))
      : json("metadata", resourceMetadata(base, resource));
  }

  #filtered(base: UrlBase, resource: Resource, segments: readonly string[], request: SandboxRequest): SandboxAnswer {
    const filters = segments.filter(isFilter);
    const [field, ...others] = segments.filter((segment) => !isFilter(segment) && segment !== "_count");
    if (others.length > 0) throw refuse.badUri();
    const path: ListPath = { filters, field };
    if (segments.at(-1) !== "_count") return this.#collection(base, resource, path, request);
    return json(`${resource.name}/_count`, { count: countRecords(this.#instance, resource, path, request.query) });
  }

  #collection(base: UrlBase, resource: Resource, path: ListPath, request: SandboxRequest): SandboxAnswer {
    if (request.method === "GET") {
      const list = listRecords(this.#instance, base, resource, path, request.query);
      return { ...json([resource.name, ...path.filters].join("/"), list.json), rows: list.rows };
    }
    if (request.method !== "POST" || path.filters.length > 0) throw refuse.badUri();
    const body = parseBody(request);
    if (this.#isV8) refuseLinksByFields(resource, body);
    const record = this.#instance.insert(resource, base.endpoint, body, callerOf(request));
    return { ...json(resource.name, recordJson(this.#instance, base, resource, record)), status: 201 };
  }

  #record(
    base: UrlBase,
    resource: Resource,
    name: string,
    below: readonly string[],
    request: SandboxRequest,
  ): SandboxAnswer {
    const known = this.#find(base, resource, name);
    const endpoint = name.startsWith("@") ? `${resource.name}/<PKey>` : `${resource.name}/<key>`;
    if (below[0] === "subscriptions" && known !== undefined) {
      return this.#subscription(base, resource, known, below[1], request);
    }
    if (below.length > 0) throw refuse.badUri();
    if (known === undefined) return this.#missing(base, resource, name, endpoint, request);
    switch (request.method) {
      case "GET":
        return { ...json(endpoint, recordJson(this.#instance, base, resource, known)), rows: 1 };
      case "PATCH": {
        const body = parseBody(request);
        if (this.#isV8) {
          if (Object.keys(body).length === 0) return { endpoint, status: 204, headers: {}, body: "" };
          refuseLocation(resource, body);
        }
        if (!name.startsWith("@")) this.#instance.refuseKeys(resource, known, body);
        const record = this.#instance.update(resource, base.endpoint, known, body, callerOf(request));
        return this.#patched(base, resource, record, endpoint);
      }
      case "DELETE":
        this.#instance.delete(resource, known, callerOf(request));
        return { endpoint, status: 200, headers: {}, body: "" };
      default:
        throw refuse.badUri();
    }
  }

  /** undefined: the key may stand in the URL but no record has it. @throws CampaignRefusal for what is neither key nor PKey */
  #find(base: UrlBase, resource: Resource, name: string): CampaignRecord | undefined {
    if (name.startsWith("@")) return this.#instance.byPKey(resource, name);
    const visible = visibleFields(resource, base.endpoint).some((field) => resource.keys.includes(field.name));
    if (!visible || !this.#instance.behaviour.keyInUrl.includes(resource.name))
      throw refuse.unknownPKey(resource, name);
    return this.#instance.byKey(resource, name);
  }

  #missing(base: UrlBase, resource: Resource, key: string, endpoint: string, request: SandboxRequest): SandboxAnswer {
    const { missingKey } = this.#instance.behaviour;
    const field = resource.keys[0];
    if (missingKey === "create" && request.method === "PATCH" && field !== undefined) {
      const values = { ...parseBody(request), [field]: key };
      const record = this.#instance.insert(resource, base.endpoint, values, callerOf(request));
      return this.#patched(base, resource, record, endpoint);
    }
    throw missingKey === "500" ? refuse.failed() : refuse.noSuchKey(resource, key);
  }

  #patched(base: UrlBase, resource: Resource, record: CampaignRecord, endpoint: string): SandboxAnswer {
    return json(endpoint, {
      PKey: this.#instance.pkeys.encode(resource.name, record.id),
      href: recordUrl(this.#instance, base, resource, record),
    });
  }

  #subscription(
    base: UrlBase,
    resource: Resource,
    owner: CampaignRecord,
    pkey: string | undefined,
    request: SandboxRequest,
  ): SandboxAnswer {
    const endpoint = `${resource.name}/subscriptions`;
    if (request.method === "DELETE" && pkey !== undefined) {
      this.#subscriptions.remove(resource, owner, pkey);
      return { endpoint, status: 204, headers: {}, body: "" };
    }
    if (request.method === "POST")
      return json(endpoint, this.#subscriptions.add(base, resource, owner, parseBody(request)));
    return json(endpoint, this.#subscriptions.list(base, resource, owner));
  }

  #refusal(refusal: CampaignRefusal): SandboxAnswer {
    const { status, gatewayCode, message } = refusal;
    if (gatewayCode === "500") return { ...json("refused", { code: 500, message }), status };
    if (gatewayCode !== undefined) return { ...json("refused", { error_code: gatewayCode, message }), status };
    if (this.#instance.behaviour.errorShape === "json")
      return { ...json("refused", { code: status, message }), status };
    return { endpoint: "refused", status, headers: { "content-type": "text/plain;charset=utf-8" }, body: message };
  }
}

/** Adobe's own client writes a relative URL as one segment (`profileAndServices%2Fprofile`): such an endpoint is split again. */
function pathSegments(path: string): string[] {
  try {
    const [organization = "", campaign = "", endpoint = "", ...rest] = path.split("/").slice(1);
    const split = [organization, campaign, ...decodeURIComponent(endpoint).split("/"), ...rest];
    return split.filter((part) => part !== "").map((part) => decodeURIComponent(part));
  } catch {
    throw refuse.badUri();
  }
}

function callerOf({ arrivedAt }: SandboxRequest): Caller {
  return { by: "api", arrivedAt };
}

function parseBody(request: SandboxRequest): FieldValues {
  let body: unknown;
  try {
    body = request.body === "" ? {} : JSON.parse(request.body);
  } catch {
    throw refuse.failed();
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw refuse.failed();
  return { ...body };
}

function json(endpoint: string, body: unknown): SandboxAnswer {
  return {
    endpoint,
    status: 200,
    headers: { "content-type": "application/json;charset=utf-8" },
    body: JSON.stringify(body),
  };
}
