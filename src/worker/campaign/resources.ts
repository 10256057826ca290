import { jsonOf } from "../http/answer.ts";
import { CampaignError } from "../http/service-error.ts";
import type { HttpResponse } from "../http/transport.ts";
import { campaignError, isNotHere } from "./refusal.ts";
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

  constructor(rest: CampaignRest) {
    this.#rest = rest;
  }

  /** The address of a resource's records. @throws CampaignError `ResourceMissing` */
  async url(resource: string, signal: AbortSignal): Promise<string> {
    if (!this.#endpoints.has(resource)) await this.describe(resource, signal);
    return `${this.#rest.base}/${this.#endpoints.get(resource) ?? "profileAndServicesExt"}/${resource}`;
  }

  /** A resource's own description, as it came. @throws CampaignError `ResourceMissing` */
  async describe(resource: string, signal: AbortSignal): Promise<unknown> {
    const operation = `the description of ${resource}`;
    let refused: HttpResponse | undefined;
    for (const endpoint of this.#candidates(resource)) {
      const url = `${this.#rest.base}/${endpoint}/resourceType/${resource}`;
      const response = await this.#rest.call({ method: "GET", url, operation, lane: "control" }, signal);
      if (response.status >= 200 && response.status < 300) {
        const answer = jsonOf(response.body);
        if (answer === undefined) throw notUnderstood(operation, "it is not JSON");
        this.#endpoints.set(resource, endpoint);
        return answer;
      }
      if (!isNotHere(response))
        throw campaignError(response, operation, [resource], response.status === 404 ? advice : "");
      // A 500 may say "not here", but also mean an outage: only 404 everywhere is a resource that is missing.
      if (refused === undefined || response.status !== 404) refused = response;
    }
    this.#endpoints.delete(resource);
    if (refused !== undefined && refused.status !== 404) {
      // Campaign says so of a path or a resource that it does not know, and in an outage too.
      throw campaignError(refused, operation, [resource], advice);
    }
    throw new CampaignError(`Campaign has no resource "${resource}": publish it, or correct its name in the mapping`, {
      code: "ResourceMissing",
      outcome: "Refused",
      status: 404,
    });
  }

  #candidates(resource: string): readonly string[] {
    if (!resource.startsWith("cus")) return ["profileAndServicesExt"];
    const both = ["profileAndServicesExt", "customResources"];
    const known = this.#endpoints.get(resource);
    return known === undefined ? both : [known, ...both.filter((endpoint) => endpoint !== known)];
  }
}
