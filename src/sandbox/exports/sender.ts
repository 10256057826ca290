import type { CampaignInstance } from "../campaign/instance.ts";
import { randomSequence } from "../random.ts";
import { type Delivery, type DeliveryRates, deliver, type LogNumbers, usualRates } from "./deliveries.ts";
import type { ExportWorkflows } from "./export-workflows.ts";

/** A delivery to be sent. What is left out is as usual. */
export interface DeliveryOrder extends Partial<DeliveryRates> {
  readonly name?: string;
  readonly campaignId?: string;
  readonly campaignName?: string;
  /** Contact ids, whether or not a profile has them. */
  readonly contactKeys?: readonly string[];
  /** Without `contactKeys`: how many of the profiles that may be written to; all when left out. */
  readonly count?: number;
  /** How many deliveries of this kind; 1. */
  readonly deliveries?: number;
  /** Milliseconds since 1970; now. */
  readonly at?: number;
}

/** What was sent, as the logs will tell it. */
export interface DeliveryReport {
  readonly deliveryIds: readonly string[];
  readonly sends: number;
  readonly opens: number;
  readonly clicks: number;
  readonly hardBounces: number;
}

/** Sends deliveries, whose logs wait for the export workflows. */
export class DeliverySender implements LogNumbers {
  readonly #instance: CampaignInstance;
  readonly #workflows: ExportWorkflows;
  readonly #now: () => number;
  readonly #random: () => number;
  #deliveries = 100;
  #deliveryLogs = 1_000_000;
  #trackingLogs = 1_000_000;

  /** @param now milliseconds since 1970 */
  constructor(instance: CampaignInstance, workflows: ExportWorkflows, now: () => number, seed: number) {
    this.#instance = instance;
    this.#workflows = workflows;
    this.#now = now;
    this.#random = randomSequence(seed);
  }

  send(order: DeliveryOrder): DeliveryReport {
    const { count, deliveries = 1, at = this.#now() } = order;
    const rates = { ...usualRates, ...order };
    const deliveryIds: string[] = [];
    const sums = { sends: 0, opens: 0, clicks: 0, hardBounces: 0 };
    for (let n = 0; n < deliveries; n += 1) {
      const delivery = this.#next(order);
      deliveryIds.push(delivery.id);
      const keys = order.contactKeys ?? this.#recipients(count);
      for (const log of deliver(delivery, keys, at, rates, this, this.#random)) {
        this.#workflows.add(log);
        if (log.kind === "delivery") {
          if (log.status === "Sent") sums.sends += 1;
          if (log.failureType === "Hard") sums.hardBounces += 1;
        } else if (log.urlType === "Open") sums.opens += 1;
        else sums.clicks += 1;
      }
    }
    return { deliveryIds, ...sums };
  }

  nextDeliveryLog(): number {
    this.#deliveryLogs += 1;
    return this.#deliveryLogs;
  }

  nextTrackingLog(): number {
    this.#trackingLogs += 1;
    return this.#trackingLogs;
  }

  #next({ name, campaignId = "CMP1", campaignName = "Contoso news" }: DeliveryOrder): Delivery {
    this.#deliveries += 1;
    return { id: `DM${this.#deliveries}`, name: name ?? `Newsletter ${this.#deliveries}`, campaignId, campaignName };
  }

  /** Profiles that belong to a contact and are not opted out of email, from a place that moves. */
  #recipients(count: number | undefined): readonly string[] {
    const profile = this.#instance.resource("profile");
    const [key] = profile?.keys ?? [];
    if (profile === undefined || key === undefined) return [];
    const optOuts = profile.fields.filter(({ name }) => /^(deny|black)List(Email)?$/.test(name));
    const keys: string[] = [];
    for (const { values } of this.#instance.store(profile.name).after(0)) {
      const isOptedOut = optOuts.some(({ name }) => values[name] === true);
      if (values[key] !== undefined && !isOptedOut) keys.push(String(values[key]));
    }
    if (count === undefined || count >= keys.length) return keys;
    const from = Math.floor(this.#random() * keys.length);
    return [...keys.slice(from), ...keys.slice(0, from)].slice(0, count);
  }
}
