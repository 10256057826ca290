import type { Clock } from "../../telemetry/clock.ts";
import type { Logger } from "../../telemetry/log.ts";
import { jsonOf } from "../http/answer.ts";
import { abortedError, CampaignError } from "../http/service-error.ts";
import { untilAborted } from "../http/until-aborted.ts";
import type { CampaignKey, CampaignRecord } from "./interface.ts";
import { filtersLink, parseFilters } from "./resource-metadata.ts";
import type { Resources } from "./resources.ts";
import { type CampaignRest, notUnderstood, parsePage, parseRecord } from "./rest.ts";

/** How records of one resource are found by one field. */
interface Route {
  /**
   * The field is an identification key: `/<resource>/<key>` is the record (must-read.md, "Custom keys"). Such a key is
   * unique: "so that two products cannot have the same ID" (configuring-the-resource-s-data-structure.md).
   */
  readonly identification: boolean;
  /** The query that finds them, the value left open; absent when only the identification key does. */
  readonly search: Search | undefined;
  /** It found a record that is known to be there. */
  readonly proven: boolean;
}

/** A query below the resource's address. */
type Search = (value: string) => string;

/** Without a record to prove a route on, it is tried again after this time. */
const unprovenForMs = 60_000;
/** Keys and filters are people's to change: what was proven is proven again after this time ... */
const provenForMs = 600_000;
/** ... and, when it finds nothing or is refused, after this. */
const doubtedAfterMs = 60_000;

interface KnownRoute {
  readonly route: Promise<Route>;
  readonly learnedAt: number;
  /** Good until the clock says so. */
  until: number;
}

/**
 * Finds records by a mapping's key field. Which of the ways that Campaign documents works for a field depends on how the
 * instance was set up, and a way that does not work answers "nothing" rather than an error, which would be taken for a
 * missing record. So a way is used only after it found a record that is known to be there. Nothing of it is stored.
 */
export class KeyRoutes {
  readonly #rest: CampaignRest;
  readonly #resources: Resources;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** By resource and field. */
  readonly #routes = new Map<string, KnownRoute>();
  /** What was last told of each, for the log. */
  readonly #told = new Map<string, string>();
  /** Resources whose records are not to be patched by key, whatever was proven. */
  readonly #notByKey = new Set<string>();
  /** Keys that two records had, whatever the documentation says. */
  readonly #notUnique = new Set<string>();

  constructor(rest: CampaignRest, resources: Resources, clock: Clock, logger: Logger) {
    this.#rest = rest;
    this.#resources = resources;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** The record's own address by its key, if this resource and field allow it and the value is safe to be put into a path. */
  async address(key: CampaignKey, signal: AbortSignal): Promise<string | undefined> {
    if (!isSafeInPath(key.value) || key.resource !== "profile" || this.#notByKey.has(key.resource)) return undefined;
    const { identification } = await this.#route(key, signal);
    return identification ? `${await this.#resources.url(key.resource, signal)}/${key.value}` : undefined;
  }

  /** Whether the key is known to be one that Campaign keeps unique; what cannot be learned now is not known. */
  async isUnique(key: CampaignKey, signal: AbortSignal): Promise<boolean> {
    if (this.#notUnique.has(routeId(key))) return false;
    try {
      return (await this.#route(key, signal)).identification;
    } catch (error) {
      if (error instanceof CampaignError) return false;
      throw error;
    }
  }

  /** What was proven does not hold any longer: the next who asks proves it anew. */
  forget(key: CampaignKey): void {
    this.#routes.delete(routeId(key));
  }

  /** PATCH by key turned out to do something else than to update: not again in this process. */
  forbidAddress(resource: string): void {
    this.#notByKey.add(resource);
  }

  /**
   * Every record whose field is exactly this value; filters may answer loosely (`byText` finds prefixes). A way that
   * finds nothing, or is refused, may no longer be one: if it was proven some time ago, it is proven again first.
   */
  async find(key: CampaignKey, signal: AbortSignal): Promise<readonly CampaignRecord[]> {
    const known = this.#routes.get(routeId(key));
    try {
      const found = await this.#find(key, signal);
      if (found.length > 0 || !this.#isDoubted(known)) return found;
    } catch (error) {
      const isRefused = error instanceof CampaignError && error.code === "Refused";
      if (!isRefused || !this.#isDoubted(known)) throw error;
    }
    // Of those who find nothing at the same time, the first forgets.
    if (this.#routes.get(routeId(key)) === known) this.forget(key);
    return this.#find(key, signal);
  }

  /** Whether a way may have been used that was proven some time ago: what was not known was proven for this use. */
  #isDoubted(known: KnownRoute | undefined): boolean {
    return known !== undefined && this.#clock.now() - known.learnedAt > doubtedAfterMs;
  }

  async #find(key: CampaignKey, signal: AbortSignal): Promise<readonly CampaignRecord[]> {
    const url = await this.#resources.url(key.resource, signal);
    const { identification, search } = await this.#route(key, signal);
    if (search !== undefined) {
      const found = await this.#search(key, `${url}/${search(key.value)}`, signal);
      if (found.length > 1) this.#notUnique.add(routeId(key));
      return found;
    }
    if (identification && isSafeInPath(key.value)) return this.#byIdentification(key, url, signal);
    throw new CampaignError(
      `Campaign offers no way to find records of ${key.resource} by ${key.field}: publish a filter definition on this field, or make it the identification key of the profile`,
      { code: "KeyNotSearchable", outcome: "NotSent" },
    );
  }

  /** Learning is shared by all who ask, so it does not end with the one who asked first. */
  async #route(key: CampaignKey, signal: AbortSignal): Promise<Route> {
    const id = routeId(key);
    let entry = this.#routes.get(id);
    if (entry === undefined || this.#clock.now() >= entry.until) {
      const nobodys = new AbortController().signal;
      const route = this.#rest.within(nobodys, (deadline) => this.#learn(key, deadline));
      const now = this.#clock.now();
      entry = { route, learnedAt: now, until: now + provenForMs };
      this.#routes.set(id, entry);
    }
    const known = entry;
    try {
      const route = await untilAborted(known.route, signal, () =>
        abortedError("Campaign", `a way to find ${key.resource} by ${key.field}`, signal, "NotSent"),
      );
      const isUsable = route.proven && (route.identification || route.search !== undefined);
      if (!isUsable) known.until = Math.min(known.until, known.learnedAt + unprovenForMs);
      return route;
    } catch (error) {
      if (!signal.aborted) known.until = 0;
      throw error;
    }
  }

  async #learn(key: CampaignKey, signal: AbortSignal): Promise<Route> {
    const url = await this.#resources.url(key.resource, signal);
    const searches = await this.#possibleSearches(key, signal);
    const example = await this.#example(key, url, signal);
    if (example === undefined) return { identification: false, search: searches[0], proven: false };
    const exampleKey = { ...key, value: example };
    const identification = await this.#isIdentification(exampleKey, url, signal);
    const search = await this.#firstThatFinds(exampleKey, searches, url, identification, signal);
    const { resource, field } = key;
    const told = { resource, field, identification, search: search !== undefined };
    if (this.#told.get(routeId(key)) !== JSON.stringify(told)) this.#logger.info("campaign.key-route", told);
    this.#told.set(routeId(key), JSON.stringify(told));
    return { identification, search, proven: true };
  }

  /** Documented for profiles; whether other resources answer so is to be seen, and any failure is as good as a no. */
  async #isIdentification(example: CampaignKey, url: string, signal: AbortSignal): Promise<boolean> {
    if (!isSafeInPath(example.value)) return false;
    try {
      return (await this.#byIdentification(example, url, signal)).length === 1;
    } catch (error) {
      const isAnswered = error instanceof CampaignError && error.status !== undefined && error.code !== "Throttled";
      if (example.resource !== "profile" && isAnswered) return false;
      throw error;
    }
  }

  async #firstThatFinds(
    example: CampaignKey,
    searches: readonly Search[],
    url: string,
    identification: boolean,
    signal: AbortSignal,
  ): Promise<Search | undefined> {
    let outage: CampaignError | undefined;
    for (const search of searches) {
      try {
        const found = await this.#search(example, `${url}/${search(example.value)}`, signal);
        if (found.length > 0) return search;
      } catch (error) {
        // A filter that is not there may be refused with any status; an outage must not pass for that.
        const isOutage = error instanceof CampaignError && (error.code === "Outage" || error.code === "EngineError");
        if (!(error instanceof CampaignError) || !(isOutage || error.code === "Refused")) throw error;
        if (isOutage) outage = error;
      }
    }
    if (outage !== undefined && !identification) throw outage;
    return undefined;
  }

  /** A filter named after the field, by name or parameter; then the one that looks into a field named as `filterType`. */
  async #possibleSearches(key: CampaignKey, signal: AbortSignal): Promise<readonly Search[]> {
    const link = filtersLink(await this.#resources.describe(key.resource, signal));
    const named: Search[] = [];
    if (link !== undefined) {
      const operation = `the filters of ${key.resource}`;
      const response = await this.#rest.call({ method: "GET", url: link, operation, lane: "control" }, signal);
      if (response.status !== 200 && !this.#rest.isNotHere(response))
        throw this.#rest.refused(response, operation, [key.resource]);
      const plainField = plainName(key.field);
      for (const { name, parameter } of parseFilters(jsonOf(response.body))) {
        if (name === "byText" || (plainName(name) !== plainField && plainName(parameter) !== plainField)) continue;
        named.push((value) => `${name}?${parameter}=${encodeURIComponent(value)}`);
      }
    }
    return [
      ...named,
      (value) => `byText?text=${encodeURIComponent(value)}&filterType=${encodeURIComponent(key.field)}`,
    ];
  }

  /** The key of some record that has one: of the first by descending order, which puts empty ones last (sorting.md). */
  async #example(key: CampaignKey, url: string, signal: AbortSignal): Promise<string | undefined> {
    const operation = `a record of ${key.resource} with ${key.field}`;
    for (const query of [`?_lineCount=5&_order=${encodeURIComponent(key.field)}%20desc`, "?_lineCount=100"]) {
      const response = await this.#rest.call({ method: "GET", url: url + query, operation, lane: "control" }, signal);
      if (response.status !== 200) {
        if (query.includes("_order")) continue; // the field may not be sortable
        throw this.#rest.refused(response, operation, [key.resource, key.field]);
      }
      const page = parsePage(response, url);
      if (page === undefined) throw notUnderstood(operation, "it is no list of records");
      for (const record of page.records) {
        const value = keyValue(record, key.field);
        if (value !== "") return value;
      }
    }
    return undefined;
  }

  async #byIdentification(key: CampaignKey, url: string, signal: AbortSignal): Promise<readonly CampaignRecord[]> {
    const operation = `a record of ${key.resource} by its identification key`;
    const response = await this.#rest.call(
      { method: "GET", url: `${url}/${key.value}`, operation, lane: "write" },
      signal,
    );
    if (this.#rest.isNotHere(response)) return [];
    if (response.status !== 200) throw this.#rest.refused(response, operation, [key.resource, key.field]);
    const record = parseRecord(jsonOf(response.body), url);
    return record !== undefined && keyValue(record, key.field) === key.value ? [record] : [];
  }

  async #search(key: CampaignKey, firstUrl: string, signal: AbortSignal): Promise<readonly CampaignRecord[]> {
    const operation = `records of ${key.resource} by ${key.field}`;
    const found: CampaignRecord[] = [];
    for (let url: string | undefined = firstUrl; url !== undefined; ) {
      const response = await this.#rest.call({ method: "GET", url, operation, lane: "write" }, signal);
      if (response.status !== 200) throw this.#rest.refused(response, operation, [key.resource, key.field]);
      const page = parsePage(response, await this.#resources.url(key.resource, signal));
      if (page === undefined) throw notUnderstood(operation, "it is no list of records");
      found.push(...page.records.filter((record) => keyValue(record, key.field) === key.value));
      url = page.nextLink;
    }
    return found;
  }
}

function routeId(key: CampaignKey): string {
  return `${key.resource} ${key.field}`;
}

function keyValue(record: CampaignRecord, field: string): string {
  const value = record.fields[field];
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

/**
 * Below a resource's address are also its fields (`/profile/email`), its filters (`/profile/byText`) and its own words
 * (`/profile/metadata`). A key with a digit that does not begin with `by` or `@` (a PKey) is none of them.
 */
function isSafeInPath(value: string): boolean {
  return /^(?!by)(?=.*\d)[A-Za-z0-9][A-Za-z0-9._~-]*$/i.test(value);
}

/** `cusCrmId`, `byCrmId`, `crm_id_parameter` → `crmid` */
function plainName(name: string): string {
  return name
    .replace(/^(?:by|cus)(?=[A-Z_])/, "")
    .replace(/_parameter$/, "")
    .replaceAll("_", "")
    .toLowerCase();
}
