import type { Lane } from "../governor/lanes.ts";
import { jsonOf } from "../http/answer.ts";
import { CampaignError } from "../http/service-error.ts";
import type { CampaignPage, CampaignRecord } from "./interface.ts";
import { filtersLink, parseFilters, type ResourceFilter } from "./resource-metadata.ts";
import type { Resources } from "./resources.ts";
import { type CampaignRest, notUnderstood, parsePage } from "./rest.ts";

/** From this much before the newest record: what a filter means by "since" may leave out the moment itself. */
const proofMs = 1000;

/**
 * Finds the records that were modified since a time, where the instance allows it: Campaign has no such filter of its own,
 * so a person publishes one, on `lastModified`, with one parameter (filtering.md, "Custom filters"). Such a filter may
 * take the time in another zone, or find nothing at all, without an error. So it is used only after it found the newest
 * record, and a page that has an older one than was asked for is an error.
 */
export class ModifiedSince {
  readonly #rest: CampaignRest;
  readonly #resources: Resources;
  /** By resource: what was proven. */
  readonly #filters = new Map<string, ResourceFilter>();

  constructor(rest: CampaignRest, resources: Resources) {
    this.#rest = rest;
    this.#resources = resources;
  }

  /**
   * When the record was modified that was modified last, by Campaign's clock; undefined when there is no record. Read
   * before a round of pages, it is the time from which the next round goes on.
   */
  newest(resource: string, signal: AbortSignal): Promise<Date | undefined> {
    return this.#rest.within(signal, (deadline) => this.#newest(resource, deadline));
  }

  /**
   * @param nextLink of the page before
   * @throws CampaignError `KeyNotSearchable`
   */
  page(
    resource: string,
    since: Date,
    pageSize: number,
    nextLink: string | undefined,
    signal: AbortSignal,
  ): Promise<CampaignPage> {
    return this.#rest.within(signal, (deadline) => this.#page(resource, since, pageSize, nextLink, deadline));
  }

  async #page(
    resource: string,
    since: Date,
    pageSize: number,
    nextLink: string | undefined,
    signal: AbortSignal,
  ): Promise<CampaignPage> {
    const filter = this.#filters.get(resource) ?? (await this.#prove(resource, signal));
    try {
      const url = nextLink ?? (await this.#urlOf(resource, filter, since, signal));
      const first = nextLink === undefined ? `&_lineCount=${pageSize}&_forcePagination=true` : "";
      const page = await this.#list(resource, url + first, "snapshot", signal);
      if (page.records.every((record) => (modifiedAt(record) ?? 0) >= since.getTime())) return page;
      throw notSearchable(
        resource,
        `the filter ${filter.name} answers with records of before the time that it is given`,
      );
    } catch (error) {
      if (error instanceof CampaignError && error.scope !== "Service") this.#filters.delete(resource);
      throw error;
    }
  }

  async #prove(resource: string, signal: AbortSignal): Promise<ResourceFilter> {
    const newest = await this.#newest(resource, signal);
    const filters = await this.#candidates(resource, signal);
    for (const filter of filters) {
      // Without a record there is nothing to miss.
      if (newest === undefined) return filter;
      const since = new Date(newest.getTime() - proofMs);
      const url = await this.#urlOf(resource, filter, since, signal);
      const { records } = await this.#list(resource, `${url}&_lineCount=25`, "control", signal);
      if (!records.some((record) => (modifiedAt(record) ?? 0) >= since.getTime())) continue;
      this.#filters.set(resource, filter);
      return filter;
    }
    const found = filters.map(({ name }) => name).join(", ");
    throw notSearchable(
      resource,
      filters.length === 0 ? "it has no filter for that" : `its filter ${found} does not find the newest record`,
    );
  }

  async #candidates(resource: string, signal: AbortSignal): Promise<readonly ResourceFilter[]> {
    const link = filtersLink(await this.#resources.describe(resource, signal));
    if (link === undefined) return [];
    const operation = `the filters of ${resource}`;
    const response = await this.#rest.call({ method: "GET", url: link, operation, lane: "control" }, signal);
    if (response.status !== 200 && !this.#rest.isNotHere(response))
      throw this.#rest.refused(response, operation, [resource]);
    const isMeant = (text: string) => text.replaceAll("_", "").toLowerCase().includes("lastmodified");
    return parseFilters(jsonOf(response.body)).filter(({ name, parameter }) => isMeant(name) || isMeant(parameter));
  }

  async #newest(resource: string, signal: AbortSignal): Promise<Date | undefined> {
    const url = `${await this.#resources.url(resource, signal)}?_lineCount=1&_order=lastModified%20desc`;
    const { records } = await this.#list(resource, url, "control", signal);
    const [record] = records;
    if (record === undefined) return undefined;
    const time = modifiedAt(record);
    if (time === undefined) throw notUnderstood(`the newest record of ${resource}`, "it has no lastModified");
    return new Date(time);
  }

  /** A time as Campaign writes it: `2019-09-25 23:20:35.000Z`. */
  async #urlOf(resource: string, { name, parameter }: ResourceFilter, since: Date, signal: AbortSignal) {
    const time = encodeURIComponent(since.toISOString().replace("T", " "));
    return `${await this.#resources.url(resource, signal)}/${name}?${parameter}=${time}`;
  }

  async #list(resource: string, url: string, lane: Lane, signal: AbortSignal): Promise<CampaignPage> {
    const operation = `modified records of ${resource}`;
    const response = await this.#rest.call({ method: "GET", url, operation, lane }, signal);
    if (response.status !== 200) throw this.#rest.refused(response, operation, [resource, "lastModified"]);
    const page = parsePage(response, await this.#resources.url(resource, signal));
    if (page === undefined) throw notUnderstood(operation, "it is no list of records");
    return page;
  }
}

function modifiedAt({ fields }: CampaignRecord): number | undefined {
  const text = fields["lastModified"];
  const time = typeof text === "string" ? Date.parse(text.replace(" ", "T")) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}

function notSearchable(resource: string, what: string): CampaignError {
  return new CampaignError(
    `Campaign cannot tell which records of ${resource} were modified since a time: ${what}. Publish a filter definition on lastModified, "greater than or equal to" one parameter, or use optInOut.source Export`,
    { code: "KeyNotSearchable", outcome: "NotSent" },
  );
}
