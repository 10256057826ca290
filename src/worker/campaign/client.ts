import type { Clock } from "../../telemetry/clock.ts";
import type { Logger } from "../../telemetry/log.ts";
import { isRecord, jsonOf } from "../http/answer.ts";
import { Service, type ServiceOptions } from "../http/service.ts";
import { CampaignError } from "../http/service-error.ts";
import type { HttpResponse } from "../http/transport.ts";
import { Descriptions } from "./descriptions.ts";
import { type DialectName, dialects } from "./dialect.ts";
import type {
  Campaign,
  CampaignFields,
  CampaignKey,
  CampaignPage,
  CampaignRecord,
  CampaignResourceMetadata,
} from "./interface.ts";
import { KeyRoutes } from "./key-routes.ts";
import { ModifiedSince } from "./modified-since.ts";
import { missingTarget } from "./refusal.ts";
import { parseResourceMetadata } from "./resource-metadata.ts";
import { Resources } from "./resources.ts";
import { CampaignRest, notUnderstood, parsePage } from "./rest.ts";

/** Adobe Campaign's REST API, in one of its dialects. */
export class CampaignClient implements Campaign {
  readonly modified: ModifiedSince;
  readonly descriptions: Descriptions;
  readonly #rest: CampaignRest;
  readonly #resources: Resources;
  readonly #keys: KeyRoutes;
  readonly #logger: Logger;
  /** Resources that were seen to refuse a PATCH by a key that no record has. */
  readonly #refusesMissing = new Set<string>();

  constructor(
    { url, dialect }: { readonly url: string; readonly dialect: DialectName },
    service: Omit<ServiceOptions, "name" | "authorize">,
    clock: Clock,
    logger: Logger,
  ) {
    this.#rest = new CampaignRest(
      url,
      new Service({
        ...service,
        name: "Campaign",
        authorize: (token) => ({ authorization: `Bearer ${token.value}`, "x-api-key": token.clientId }),
      }),
      dialects[dialect],
    );
    this.#resources = new Resources(this.#rest);
    this.modified = new ModifiedSince(this.#rest, this.#resources);
    this.descriptions = new Descriptions(this.#rest, this.#resources);
    this.#keys = new KeyRoutes(this.#rest, this.#resources, clock, logger);
    this.#logger = logger;
  }

  /** @throws CampaignError `ResourceMissing` */
  resourceMetadata(resource: string, signal: AbortSignal): Promise<CampaignResourceMetadata> {
    return this.#rest.within(signal, (deadline) => this.#resourceMetadata(resource, deadline));
  }

  list(resource: string, pageSize: number, nextLink: string | undefined, signal: AbortSignal): Promise<CampaignPage> {
    return this.#rest.within(signal, (deadline) => this.#list(resource, pageSize, nextLink, deadline));
  }

  /** @throws CampaignError `KeyNotSearchable` */
  findByKey(key: CampaignKey, signal: AbortSignal): Promise<readonly CampaignRecord[]> {
    return this.#rest.within(signal, (deadline) => this.#keys.find(key, deadline));
  }

  refusesDuplicates(key: CampaignKey, signal: AbortSignal): Promise<boolean> {
    if (!this.#rest.dialect.namesDuplicates) return Promise.resolve(false);
    return this.#rest.within(signal, (deadline) => this.#keys.isUnique(key, deadline));
  }

  /** @throws CampaignError `DuplicateKey`, `LinkTargetMissing` */
  insert(resource: string, fields: CampaignFields, signal: AbortSignal): Promise<void> {
    return this.#rest.within(signal, (deadline) => this.#insert(resource, fields, deadline));
  }

  /** @throws CampaignError `KeyNotUnique` when several records have the key: none of them is touched */
  updateByKey(
    key: CampaignKey,
    fields: CampaignFields,
    signal: AbortSignal,
    lookFirst?: "LookFirst",
  ): Promise<"Updated" | "Missing"> {
    return this.#rest.within(signal, (deadline) => this.#updateByKey(key, fields, deadline, lookFirst));
  }

  /** @throws CampaignError `KeyNotUnique` */
  deleteByKey(key: CampaignKey, signal: AbortSignal): Promise<"Deleted" | "Missing"> {
    return this.#rest.within(signal, (deadline) => this.#deleteByKey(key, deadline));
  }

  async #resourceMetadata(resource: string, signal: AbortSignal): Promise<CampaignResourceMetadata> {
    const answer = await this.#resources.describe(resource, signal);
    const metadata = parseResourceMetadata(resource, answer, this.#rest.dialect);
    if (metadata === undefined) throw notUnderstood(`the description of ${resource}`, "it has no fields");
    return metadata;
  }

  async #list(
    resource: string,
    pageSize: number,
    nextLink: string | undefined,
    signal: AbortSignal,
  ): Promise<CampaignPage> {
    const operation = `a page of ${resource}`;
    const resourceUrl = await this.#resources.url(resource, signal);
    // Above 100,000 records a page names its next one only if asked to (pagination.md).
    const url = nextLink ?? `${resourceUrl}?_lineCount=${pageSize}&_forcePagination=true`;
    const response = await this.#rest.call({ method: "GET", url, operation, lane: "snapshot" }, signal);
    const page = parsePage(this.#ok(response, operation, [resource]), resourceUrl);
    if (page === undefined) throw notUnderstood(operation, "it is no list of records");
    return page;
  }

  async #insert(resource: string, fields: CampaignFields, signal: AbortSignal): Promise<void> {
    const operation = `the insert of a record of ${resource}`;
    const url = await afterWrite("None", this.#resources.url(resource, signal));
    const response = await this.#rest.call({ method: "POST", url, operation, lane: "write", fields }, signal);
    definite(this.#ok(response, operation, [resource, ...Object.keys(fields)]), operation);
  }

  async #updateByKey(
    key: CampaignKey,
    fields: CampaignFields,
    signal: AbortSignal,
    lookFirst?: "LookFirst",
  ): Promise<"Updated" | "Missing"> {
    // The key cannot be changed by a PATCH (must-read.md, "Custom keys").
    const isTaken = (field: string) => field !== key.field && !this.#rest.dialect.isInsertOnly(field);
    const changes = Object.fromEntries(Object.entries(fields).filter(([field]) => isTaken(field)));
    const address = await afterWrite("None", this.#keys.address(key, signal));
    const mayMake = lookFirst !== undefined && !this.#refusesMissing.has(key.resource);
    if (address === undefined || mayMake) return this.#updateFound(key, changes, "None", signal);
    const operation = `the update of a record of ${key.resource} by its key`;
    const response = await this.#patch(address, operation, changes, signal);
    if (response.status === 201) this.#madeInsteadOfUpdated(key);
    if (this.#rest.isNotHere(response)) {
      // That no record has the key, or that the address takes none any longer, or a refusal of the content: by its href
      // the record tells which.
      const outcome = await this.#updateFound(key, changes, certaintyOf(response), signal);
      if (outcome === "Updated") this.#keys.forget(key);
      else if (response.status === 404) this.#refusesMissing.add(key.resource);
      return outcome;
    }
    definite(this.#ok(response, operation, [key.resource, ...Object.keys(fields)]), operation);
    return "Updated";
  }

  async #deleteByKey(key: CampaignKey, signal: AbortSignal): Promise<"Deleted" | "Missing"> {
    const operation = `the deletion of a record of ${key.resource}`;
    const response = await this.#onRecord(key, "None", signal, ({ href }) =>
      this.#rest.call({ method: "DELETE", url: href, operation, lane: "write" }, signal),
    );
    if (response === undefined) return "Missing";
    this.#ok(response, operation, [key.resource]);
    return "Deleted";
  }

  async #updateFound(
    key: CampaignKey,
    changes: CampaignFields,
    before: EarlierWrite,
    signal: AbortSignal,
  ): Promise<"Updated" | "Missing"> {
    const operation = `the update of a record of ${key.resource}`;
    const patch = ({ href }: CampaignRecord) => this.#patch(href, operation, changes, signal);
    const response = await this.#onRecord(key, before, signal, patch);
    if (response === undefined) return "Missing";
    definite(this.#ok(response, operation, [key.resource, ...Object.keys(changes)]), operation);
    return "Updated";
  }

  /**
   * Finds the record and acts on it by its href. A record that went meanwhile, or whose PKey changed, is answered with
   * 404, or with 500 as any other refusal (see refusal.ts): finding it again tells.
   * @returns undefined when no record has the key
   */
  async #onRecord(
    key: CampaignKey,
    before: EarlierWrite,
    signal: AbortSignal,
    act: (record: CampaignRecord) => Promise<HttpResponse>,
  ): Promise<HttpResponse | undefined> {
    const find = async () => onlyOne(key, await this.#keys.find(key, signal));
    const record = await afterWrite(before, find());
    if (record === undefined) return undefined;
    const response = await (before === "Uncertain" ? afterWrite(before, act(record)) : act(record));
    if (response.status !== 404 && response.status !== 500) return response;
    const again = await afterWrite(certaintyOf(response), find());
    if (again === undefined) return undefined;
    if (again.href === record.href) return response;
    return response.status === 500 ? afterWrite("Uncertain", act(again)) : act(again);
  }

  #patch(url: string, operation: string, fields: CampaignFields, signal: AbortSignal): Promise<HttpResponse> {
    return this.#rest.call({ method: "PATCH", url, operation, lane: "write", fields }, signal);
  }

  #ok(response: HttpResponse, operation: string, [resource, ...fields]: readonly [string, ...string[]]): HttpResponse {
    if (response.status >= 200 && response.status < 300) return response;
    const target = missingTarget(response);
    const links = target === undefined ? [] : this.#resources.linksTo(target, resource, fields);
    const advice = links.length === 0 ? "" : `. The link ${links.join(" or ")} names a record that is not there`;
    // Campaign may name a field that the record does not carry: one that became mandatory.
    throw this.#rest.refused(response, operation, [...this.#resources.namesOf(resource), ...fields], advice);
  }

  /** An instance that makes records of a PATCH would bring back what was removed there: look up first from now on. */
  #madeInsteadOfUpdated({ resource }: CampaignKey): void {
    this.#keys.forbidAddress(resource);
    this.#logger.warn("campaign.patch-created", { resource });
  }
}

/** Whether an operation has tried to write before the call in question, and may have written. */
type EarlierWrite = "None" | "Uncertain";

function certaintyOf(response: HttpResponse): EarlierWrite {
  return response.status >= 500 ? "Uncertain" : "None";
}

/**
 * What a failed call says of the whole operation's write. A look-up that fails has written nothing, so the operation's
 * outcome is `NotSent`; but after a write that may have been done, nothing can be `NotSent` any longer.
 */
async function afterWrite<T>(before: EarlierWrite, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    const [from, to] = before === "None" ? (["Unknown", "NotSent"] as const) : (["NotSent", "Unknown"] as const);
    if (!(error instanceof CampaignError) || error.outcome !== from) throw error;
    throw new CampaignError(error.message, { ...error, outcome: to, cause: error.cause });
  }
}

function onlyOne(key: CampaignKey, records: readonly CampaignRecord[]): CampaignRecord | undefined {
  if (records.length <= 1) return records[0];
  throw new CampaignError(
    `Campaign has ${records.length} records of ${key.resource} with the same ${key.field}: remove all but one there`,
    { code: "KeyNotUnique", outcome: "Refused" },
  );
}

/** A write counts as done only by an answer of Campaign's own: a proxy's page with a 200 is none. */
function definite(response: HttpResponse, operation: string): void {
  if (response.status !== 204 && !isRecord(jsonOf(response.body)))
    throw notUnderstood(operation, "it is no JSON object");
}
