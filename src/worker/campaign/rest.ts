import type { Lane } from "../governor/lanes.ts";
import { isRecord, jsonOf } from "../http/answer.ts";
import type { Service } from "../http/service.ts";
import { CampaignError } from "../http/service-error.ts";
import type { HttpRequest, HttpResponse } from "../http/transport.ts";
import type { Dialect } from "./dialect.ts";
import type { CampaignFields, CampaignPage, CampaignRecord } from "./interface.ts";
import { campaignError, isNotHere } from "./refusal.ts";

/** must-read.md, "Resources representation" */
const standardHeaders = { accept: "application/json", "content-type": "application/json", "cache-control": "no-cache" };

export interface RestCall {
  readonly method: HttpRequest["method"];
  readonly url: string;
  /** What is done, for messages and metrics: no value of a record. */
  readonly operation: string;
  readonly lane: Lane;
  readonly fields?: CampaignFields;
}

/** Campaign's REST API below one instance's address, and the shapes that all its resources share. */
export class CampaignRest {
  readonly base: string;
  readonly dialect: Dialect;
  readonly #origin: string;
  readonly #path: string;
  readonly #service: Service;

  /** @param url the instance's: `https://mc.adobe.io/contoso/campaign` */
  constructor(url: string, service: Service, dialect: Dialect) {
    this.dialect = dialect;
    const parsed = new URL(url);
    this.#origin = parsed.origin;
    this.#path = `${parsed.pathname.replace(/\/+$/, "")}/`;
    this.base = this.#origin + this.#path.slice(0, -1);
    this.#service = service;
  }

  /** One operation, of however many calls, under the caller's signal and the operation's deadline. */
  within<T>(signal: AbortSignal, work: (deadline: AbortSignal) => Promise<T>): Promise<T> {
    return this.#service.within(signal, work);
  }

  /** @throws ServiceError; CampaignError `ForeignLink` when the address is not the instance's own */
  call({ method, url, operation, lane, fields }: RestCall, signal: AbortSignal): Promise<HttpResponse> {
    const body = fields === undefined ? {} : { body: JSON.stringify(nested(fields)) };
    const request = { method, url: this.#ownUrl(url, operation), headers: standardHeaders, ...body };
    return this.#service.call({ ...request, operation, lane }, signal);
  }

  /** A refusal as an error. */
  refused(response: HttpResponse, operation: string, knownNames: Iterable<string>, advice = ""): CampaignError {
    return campaignError(this.dialect, response, operation, knownNames, advice);
  }

  /** See refusal.ts. */
  isNotHere(response: HttpResponse): boolean {
    return isNotHere(this.dialect, response);
  }

  /** Links of the API are followed as they are, but never off the instance: they would carry the token along. */
  #ownUrl(link: string, operation: string): string {
    const url = URL.canParse(link, this.base) ? new URL(link, this.base) : undefined;
    if (url?.origin === this.#origin && url.pathname.startsWith(this.#path))
      return link.startsWith("/") ? url.href : link;
    throw new CampaignError(
      `Campaign: a link of ${operation} leads away from ${this.base} and is not followed: check spec.campaign.url`,
      { code: "ForeignLink", outcome: "NotSent" },
    );
  }
}

/** A list's answer: `{"content":[...],"next":{"href"}}` (pagination.md). @returns undefined when it is none */
export function parsePage(response: HttpResponse, resourceUrl: string): CampaignPage | undefined {
  const answer = jsonOf(response.body);
  if (!isRecord(answer) || !Array.isArray(answer["content"])) return undefined;
  const records: CampaignRecord[] = [];
  for (const item of answer["content"]) {
    const record = parseRecord(item, resourceUrl);
    if (record === undefined) return undefined;
    records.push(record);
  }
  const { next } = answer;
  const href = isRecord(next) ? next["href"] : undefined;
  return typeof href === "string" && href !== "" ? { records, nextLink: href } : { records };
}

/** `{"location.city": x}` as `{"location": {"city": x}}`. */
function nested(fields: CampaignFields): CampaignFields {
  const body: Record<string, unknown> = {};
  const inner = new Map<string, Record<string, unknown>>();
  for (const [path, value] of Object.entries(fields)) {
    const [item = "", ...rest] = path.split(".");
    if (rest.length === 0) body[item] = value;
    else inner.set(item, { ...inner.get(item), [rest.join(".")]: value });
  }
  for (const [item, content] of inner) body[item] = nested(content);
  return body;
}

/** The PKey leaves no trace in the fields: it must never be stored (must-read.md). */
export function parseRecord(item: unknown, resourceUrl: string): CampaignRecord | undefined {
  if (!isRecord(item)) return undefined;
  const { PKey: key, href, ...fields } = item;
  if (typeof href === "string") return { href, fields };
  return typeof key === "string" ? { href: `${resourceUrl}/${encodeURIComponent(key)}`, fields } : undefined;
}

export function notUnderstood(operation: string, what: string): CampaignError {
  return new CampaignError(`Campaign answered ${operation} in a way that is not understood: ${what}`, {
    code: "BadResponse",
    outcome: "Unknown",
  });
}
