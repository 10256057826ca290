import { boolean, dateTime, object, optional } from "./build.ts";
import { columnName } from "./ingress.ts";

function on(description: string) {
  return boolean({ description, default: true });
}

/** The names of Adobe's solution for Dynamics 365 vary by release, so each is configuration. */
function activity(table: string, description: string) {
  return object(
    { table: { ...columnName("Logical name of the activity's table."), default: table } },
    { description, default: {} },
  );
}

function named(description: string, name: string) {
  return { ...columnName(description), default: name };
}

const columns = object(
  {
    campaignName: named("Campaign's name.", "adobe_campaignname"),
    deliveryName: named("The delivery's name.", "adobe_deliveryname"),
    occurredAt: named("When it happened.", "adobe_occurredat"),
    mirrorPageUrl: named("Address of the mirror page.", "adobe_mirrorpageurl"),
    trackingUrl: named("Address that was clicked; clicks only.", "adobe_trackingurl"),
  },
  { description: "Column names that the four activities share.", default: {} },
);

export const egress = object(
  {
    events: object(
      {
        send: on("Emails sent."),
        open: on("Emails opened."),
        click: on("Links clicked."),
        bounce: on("Hard bounces."),
      },
      { description: "Which events become activities.", default: {} },
    ),
    since: optional(
      dateTime({
        description:
          "Nothing older is written. Absent: the time of the first start, so that old events do not flood people.",
      }),
    ),
    contactKey: {
      ...columnName(
        "Column of contact whose value the exports give as contactId: contactid, or one that no two contacts share, such as an alternate key's.",
      ),
      default: "contactid",
    },
    activities: object(
      {
        send: activity("adobe_emailsend", "The activity of a sent email."),
        open: activity("adobe_emailopen", "The activity of an opened email."),
        click: activity("adobe_emailurlclick", "The activity of a clicked link."),
        bounce: activity("adobe_emailbounce", "The activity of a hard bounce."),
        columns,
      },
      { description: "Table and column names of the activities.", default: {} },
    ),
  },
  { description: "For type Egress: email events from Campaign into Dynamics 365." },
);
