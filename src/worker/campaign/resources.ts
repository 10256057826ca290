import type { Lane } from "../governor/lanes.ts";
import { jsonOf } from "../http/answer.ts";
import { CampaignError } from "../http/service-error.ts";
import type { HttpResponse } from "../http/transport.ts";
import type { CampaignFieldMetadata } from "./interface.ts";
import { isWrongUri } from "./refusal.ts";
import { parseResourceMetadata } from "./resource-metadata.ts";
import { type CampaignRest, notUnderstood } from "./rest.ts";

const advice = "; if this stays, check campaign.url, and that the mapping's resource is published";

/**
 * Where resources are. Extended and linked ones are below `profileAndServicesExt`; a custom resource that is linked to
 * no profile is below `customResources`, and only there (endpoints.md, interacting-with-custom-resources.md). Which of
 * the two it is, the metadata tells; it is remembered until it is not there any longer.
 */
export class Resources {
  readonly #rest: CampaignRest;
  readonly #endpoints = new Map<string, string>();
  /** By resource: its fields by name, as it was last described. */
  readonly #fields = new Map<string, ReadonlyMap<string, CampaignFieldMetadata>>();

  constructor(rest: CampaignRest) {
    this.#rest = rest;
  }

  /** The address of a resource's records. @throws CampaignError `ResourceMissing` */
  async url(resource: string, signal: AbortSignal): Promise<string> {
    if (!this.#endpoints.has(resource)) await this.describe(resource, signal);
    return `${this.#rest.base}/${this.#endpoints.get(resource) ?? "profileAndServicesExt"}/${resource}`;
  }

  /** The fields of a resource that point at another one, of those that are given; as it was last described. */
  linksTo(target: string, resource: string, fields: readonly string[]): readonly string[] {
    const known = this.#fields.get(resource);
    return fields.filter((field) => known?.get(field)?.target?.toLowerCase() === target.toLowerCase());
  }

  /** The names that a message about a resource may carry: its own and its fields', each part of a path by itself. */
  namesOf(resource: string): readonly string[] {
    return [resource, ...[...(this.#fields.get(resource)?.keys() ?? [])].flatMap((name) => name.split("."))];
  }

  /** A resource's own description, as it came. @throws CampaignError `ResourceMissing` */
  async describe(resource: string, signal: AbortSignal, lane: Lane = "control"): Promise<unknown> {
    let told = await this.#ask(resource, lane, signal);
    if (told.answer === undefined && isWrongUri(told.refused) && (await this.#isPeopleThere(resource, lane, signal))) {
      told = await this.#ask(resource, lane, signal);
      if (told.answer === undefined && isWrongUri(told.refused)) throw missing(resource);
    }
    if (told.answer !== undefined) return told.answer;
    const { refused } = told;
    if (refused.status === 404) throw missing(resource);
    // Campaign says so of a path or a resource that it does not know, and in an outage too.
    throw this.#rest.refused(refused, describing(resource), [resource], advice);
  }

  /** Asks each place where the resource may be. @returns its description, or what the most telling place said instead */
  async #ask(resource: string, lane: Lane, signal: AbortSignal): Promise<Told> {
    const operation = describing(resource);
    let refused: HttpResponse | undefined;
    for (const endpoint of this.#candidates(resource)) {
      const response = await this.#describeAt(endpoint, resource, lane, signal);
      if (response.status >= 200 && response.status < 300) {
        const answer = jsonOf(response.body);
        if (answer === undefined) throw notUnderstood(operation, "it is not JSON");
        this.#endpoints.set(resource, endpoint);
        const described = parseResourceMetadata(resource, answer, this.#rest.dialect);
        if (described !== undefined) this.#fields.set(resource, described.fields);
        return { answer };
      }
      if (!this.#rest.isNotHere(response))
        throw this.#rest.refused(response, operation, [resource], response.status === 404 ? advice : "");
      // A 500 may say "not here", but also mean an outage: only 404 everywhere is a resource that is missing.
      if (refused === undefined || response.status !== 404) refused = response;
    }
    this.#endpoints.delete(resource);
    // There is at least one place.
    return { answer: undefined, refused: refused as HttpResponse };
  }

  /**
   * Whether Campaign describes its profiles, which nobody can remove, while it says of another resource that its address is
   * wrong: then it is not away, and the organisation in the address is right.
   */
  async #isPeopleThere(resource: string, lane: Lane, signal: AbortSignal): Promise<boolean> {
    if (resource === people) return false;
    const { status } = await this.#describeAt("profileAndServicesExt", people, lane, signal);
    return status >= 200 && status < 300;
  }

  #describeAt(endpoint: string, resource: string, lane: Lane, signal: AbortSignal): Promise<HttpResponse> {
    const url = `${this.#rest.base}/${endpoint}/resourceType/${resource}`;
    return this.#rest.call({ method: "GET", url, operation: describing(resource), lane }, signal);
  }

  #candidates(resource: string): readonly string[] {
    if (!resource.startsWith("cus")) return ["profileAndServicesExt"];
    const both = ["profileAndServicesExt", "customResources"];
    const known = this.#endpoints.get(resource);
    return known === undefined ? both : [known, ...both.filter((endpoint) => endpoint !== known)];
  }
}

type Told =
  | { readonly answer: NonNullable<unknown> | null }
  | { readonly answer: undefined; readonly refused: HttpResponse };

const people = "profile";

function describing(resource: string): string {
  return `the description of ${resource}`;
}

function missing(resource: string): CampaignError {
  return new CampaignError(`Campaign has no resource "${resource}": publish it, or correct its name in the mapping`, {
    code: "ResourceMissing",
    outcome: "Refused",
    status: 404,
  });
}
