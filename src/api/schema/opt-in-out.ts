import { list, object, oneOf } from "./build.ts";
import { columnName } from "./ingress.ts";

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
