/** The row of Dataverse that an event becomes: one of the custom activities of Adobe's AppSource solution. Pure. */
import type { WorkflowSpec } from "../../../api/integration-workflow.ts";
import { type EmailEvent, eventId } from "./events.ts";

type ActivityNames = NonNullable<WorkflowSpec["egress"]>["activities"];

export interface ActivityTarget {
  /** Campaign's address, as configured: one of the three things that make an event's id. */
  readonly instanceUrl: string;
  readonly names: ActivityNames;
  /** The application user (WhoAmI). */
  readonly ownerId: string;
  /** The contact's id in Dataverse. */
  readonly contactId: string;
  /**
   * What the activity's table calls its link to a contact: `regardingobjectid_contact_adobe_emailsend`, from its
   * metadata (ManyToOneRelationships, ReferencingEntityNavigationPropertyName).
   */
  readonly regardingProperty: string;
}

export interface Activity {
  readonly id: string;
  readonly table: string;
  readonly row: Readonly<Record<string, string>>;
}

/**
 * Subject: "composed of the Campaign ID and Delivery ID" (d365-acs-using-the-integration.md). `actualstart` and
 * `actualend` place it on the timeline; it is given no due time, which would show it as overdue.
 */
export function activityOf(event: EmailEvent, target: ActivityTarget): Activity {
  const { names, ownerId } = target;
  const { columns } = names;
  const time = event.occurredAt.toISOString();
  const optional = (name: string, value: string | undefined) => (value ? { [name]: value } : {});
  return {
    id: eventId(target.instanceUrl, event.kind, event.logId),
    table: names[event.kind].table,
    row: {
      subject: [event.campaignId, event.deliveryId].filter((part) => part !== "").join(" "),
      [`${target.regardingProperty}@odata.bind`]: `/contacts(${target.contactId})`,
      "ownerid@odata.bind": `/systemusers(${ownerId})`,
      actualstart: time,
      actualend: time,
      [columns.occurredAt]: time,
      ...optional(columns.campaignName, event.campaignName),
      ...optional(columns.deliveryName, event.deliveryName),
      ...optional(columns.mirrorPageUrl, event.mirrorPageUrl),
      ...optional(columns.trackingUrl, event.trackingUrl),
    },
  };
}
