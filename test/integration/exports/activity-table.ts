import type { WorkflowSpec } from "../../../src/api/integration-workflow.ts";

type ActivityNames = NonNullable<WorkflowSpec["egress"]>["activities"];

/** A table of the sandbox like one of the custom activities of Adobe's solution. */
export function activityTable({ columns }: ActivityNames, name: string) {
  const text = (column: string) => ({ name: column, type: "String" as const, maxLength: 2000 });
  const time = (column: string) => ({
    name: column,
    type: "DateTime" as const,
    dateTimeBehavior: "UserLocal" as const,
  });
  return {
    name,
    entitySet: `${name}s`,
    primaryId: "activityid",
    primaryName: "subject",
    changeTracking: false,
    keys: [],
    columns: [
      { name: "activityid", type: "Uniqueidentifier" as const },
      { name: "ownerid", type: "Owner" as const, targets: ["systemuser", "team"] },
      ...["subject", columns.campaignName, columns.deliveryName, columns.mirrorPageUrl, columns.trackingUrl].map(text),
      ...["actualstart", "actualend", columns.occurredAt].map(time),
      {
        name: "regardingobjectid",
        type: "Lookup" as const,
        targets: ["contact", "account"],
        navigation: { contact: { property: `regardingobjectid_contact_${name}` } },
      },
    ],
  };
}
