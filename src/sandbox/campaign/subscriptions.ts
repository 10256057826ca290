import { CampaignRefusal, unknownPKey } from "./errors.ts";
import type { CampaignInstance } from "./instance.ts";
import { campaignTime, recordJson, recordUrl, type UrlBase } from "./record-json.ts";
import type { CampaignRecord } from "./record-store.ts";
import type { Resource } from "./schema.ts";

interface Subscription {
  readonly id: number;
  readonly profileId: number;
  readonly serviceId: number;
  readonly created: number;
}

/** Who subscribed to what. Sources: api/using/perform-subscriptions.md, retrieving-subscriptions.md, deleting-subscriptions.md */
export class Subscriptions {
  readonly #instance: CampaignInstance;
  #list: Subscription[] = [];
  #last = 0;

  constructor(instance: CampaignInstance) {
    this.#instance = instance;
  }

  list(base: UrlBase, resource: Resource, owner: CampaignRecord): Record<string, unknown> {
    return { content: this.#of(resource, owner).map((one) => this.#json(base, resource, owner, one)) };
  }

  /** Body: `{"service":{"PKey":...}}` on a profile, `{"subscriber":{"PKey":...}}` on a service. */
  add(
    base: UrlBase,
    resource: Resource,
    owner: CampaignRecord,
    body: Readonly<Record<string, unknown>>,
  ): Record<string, unknown> {
    const onProfile = resource.name === "profile";
    const other = this.#instance.resource(onProfile ? "service" : "profile");
    const link = body[onProfile ? "service" : "subscriber"];
    const pkey = typeof link === "object" && link !== null && "PKey" in link ? String(link.PKey) : "";
    if (other === undefined) throw new CampaignRefusal(500, "subscriptions need the resources profile and service");
    const target = this.#instance.byPKey(other, pkey);
    const [profileId, serviceId] = onProfile ? [owner.id, target.id] : [target.id, owner.id];
    let known = this.#list.find((one) => one.profileId === profileId && one.serviceId === serviceId);
    if (known === undefined) {
      this.#last += 1;
      known = { id: this.#last, profileId, serviceId, created: this.#instance.now() };
      this.#list.push(known);
    }
    return this.#json(base, resource, owner, known);
  }

  remove(resource: Resource, owner: CampaignRecord, pkey: string): void {
    const id = this.#instance.pkeys.decode("subscription", pkey);
    const known = this.#of(resource, owner).find((one) => one.id === id);
    if (known === undefined) throw unknownPKey(resource, pkey);
    this.#list = this.#list.filter((one) => one !== known);
  }

  #of(resource: Resource, owner: CampaignRecord): readonly Subscription[] {
    return this.#list.filter((one) => (resource.name === "profile" ? one.profileId : one.serviceId) === owner.id);
  }

  #json(base: UrlBase, resource: Resource, owner: CampaignRecord, one: Subscription): Record<string, unknown> {
    const pkey = this.#instance.pkeys.encode("subscription", one.id);
    return {
      PKey: pkey,
      href: `${recordUrl(this.#instance, base, resource, owner)}/subscriptions/${pkey}`,
      created: campaignTime(one.created),
      metadata: "subscriptionRcp",
      service: this.#linked(base, "service", one.serviceId),
      subscriber: this.#linked(base, "profile", one.profileId),
    };
  }

  #linked(base: UrlBase, name: string, id: number): unknown {
    const resource = this.#instance.resource(name);
    const record = resource === undefined ? undefined : this.#instance.store(name).get(id);
    return resource === undefined || record === undefined ? {} : recordJson(this.#instance, base, resource, record);
  }
}
