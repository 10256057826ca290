import { integer, list, object, oneOf } from "./build.ts";
import { columnName, fieldName } from "./ingress.ts";

/** Source: AdobeDocs/campaign-standard.en, developing/using/datamodel-profile.md and the integration pages. */
const optOutFields = [
  "denyList",
  "denyListEmail",
  "denyListFax",
  "denyListMobile",
  "denyListPhone",
  "denyListPostalMail",
  "denyListPushnotification",
  "ccpaOptOut",
] as const;

const mapping = object(
  {
    column: columnName("A yes/no column of the contact table, such as donotbulkemail."),
    field: oneOf(optOutFields, { description: "The opt-out field of the profile." }),
  },
  { description: "One column and one field that mean the same." },
);

export const optInOut = object(
  {
    direction: oneOf(["Disabled", "DynamicsToCampaign", "CampaignToDynamics", "Bidirectional"], {
      description: "Which way opt-outs go. Disabled: the workflow starts and moves nothing.",
    }),
    source: oneOf(["Export", "Poll"], {
      description:
        "How changes in Campaign are seen: by its daily export on SFTP, or by asking for profiles changed since.",
      default: "Export",
    }),
    keyField: {
      ...fieldName("The profile's field that holds the contact's id."),
      // "This Campaign field (externalId) must be populated with the Dynamics 365 contactId": "Existing Campaign data" in
      // integrating/using/d365-acs-notices-and-recommendations.md
      default: "externalId",
    },
    auditRetentionDays: integer({
      description: "How long it is kept why each opt-out was decided as it was. More than a year by default.",
      minimum: 1,
      maximum: 3650,
      default: 400,
    }),
    mappings: list(mapping, {
      description: "The pairs.",
      minItems: 1,
      maxItems: optOutFields.length,
      mapKeys: ["field"],
      rules: [
        {
          rule: "self.all(m, self.exists_one(n, n.column == m.column))",
          message: "a column is mapped once: two mappings name the same column",
        },
      ],
    }),
  },
  { description: "For type OptInOut: opt-outs between contacts and profiles." },
);
