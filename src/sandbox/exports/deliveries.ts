/** What becomes of a delivery: who gets it, opens it, clicks in it, and where it cannot be delivered. Pure. */

export interface Delivery {
  /** `DM190` */
  readonly id: string;
  readonly name: string;
  readonly campaignId: string;
  readonly campaignName: string;
}

/** A line of Campaign's delivery logs (`broadLogRcp`). A log that changes is told again, with its id. */
export interface DeliveryLog {
  readonly kind: "delivery";
  readonly id: number;
  /** The profile's key: the contact's id in Dynamics 365. */
  readonly contactKey: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly status: "Sent" | "Failed";
  readonly failureType: "" | "Hard" | "Soft";
  readonly delivery: Delivery;
}

/** A line of Campaign's tracking logs (`trackingLogRcp`). */
export interface TrackingLog {
  readonly kind: "tracking";
  readonly id: number;
  readonly contactKey: string;
  readonly at: number;
  readonly urlType: "Open" | "Email click" | "Mirror page";
  /** Of the message that it belongs to. */
  readonly deliveryLogId: number;
  readonly trackingUrl: string;
  readonly delivery: Delivery;
}

export interface DeliveryRates {
  /** Of those who got the message, from 0 to 1. */
  readonly openRate: number;
  /** Of those who opened it. */
  readonly clickRate: number;
  /** Of all: the address does not exist. */
  readonly hardBounceRate: number;
  /** Of all: the mailbox is full, say. */
  readonly softBounceRate: number;
  /** Of the hard bounces: told as sent at first, and as failed later. */
  readonly lateBounceRate: number;
  /** Opens, clicks and late bounces come about within so many seconds. */
  readonly spreadSeconds: number;
}

export const usualRates: DeliveryRates = {
  openRate: 0.4,
  clickRate: 0.25,
  hardBounceRate: 0.02,
  softBounceRate: 0.02,
  lateBounceRate: 0.5,
  spreadSeconds: 0,
};

/** Gives the ids of logs. */
export interface LogNumbers {
  nextDeliveryLog(): number;
  nextTrackingLog(): number;
}

/** Every log of one delivery, in no order of time. @param random in [0, 1) */
export function* deliver(
  delivery: Delivery,
  contactKeys: readonly string[],
  at: number,
  rates: DeliveryRates,
  numbers: LogNumbers,
  random: () => number,
): Generator<DeliveryLog | TrackingLog> {
  const later = () => at + Math.floor(random() * rates.spreadSeconds * 1000);
  for (const contactKey of contactKeys) {
    const id = numbers.nextDeliveryLog();
    const log = { kind: "delivery", id, contactKey, delivery } as const;
    const fate = random();
    if (fate < rates.hardBounceRate) {
      const isLate = random() < rates.lateBounceRate;
      if (isLate) yield { ...log, at, status: "Sent", failureType: "" };
      yield { ...log, at: isLate ? later() : at, status: "Failed", failureType: "Hard" };
      continue;
    }
    if (fate < rates.hardBounceRate + rates.softBounceRate) {
      yield { ...log, at, status: "Failed", failureType: "Soft" };
      continue;
    }
    yield { ...log, at, status: "Sent", failureType: "" };
    if (random() >= rates.openRate) continue;
    const opened = later();
    const track = { kind: "tracking", contactKey, delivery, deliveryLogId: id } as const;
    yield { ...track, id: numbers.nextTrackingLog(), at: opened, urlType: "Open", trackingUrl: "" };
    if (random() >= rates.clickRate) continue;
    const trackingUrl = `https://shop.contoso.example/${encodeURIComponent(delivery.name)}?c=${id % 7}`;
    const clicked = Math.max(opened, later());
    yield { ...track, id: numbers.nextTrackingLog(), at: clicked, urlType: "Email click", trackingUrl };
  }
}
