import type { Choice, Column, Table } from "./schema.ts";
import { systemColumns } from "./standard-tables.ts";

/**
 * The custom activities of Adobe's AppSource solution for Dynamics 365: Email Send, Open, URL Click and Bounce. Their
 * columns and choices are activitypointer's (reference/entities/activitypointer.md); how the properties of a custom
 * activity are called is seen in msfp_surveyresponse.md. Adobe publishes no names for its tables and columns.
 */

const prefix = "adobe_";
const states = ["Open", "Completed", "Canceled", "Scheduled"];

function options(labels: readonly string[], first: number): readonly Choice[] {
  return labels.map((label, index) => ({ value: index + first, label }));
}

function time(name: string, label: string): Column {
  return { name, type: "DateTime", label, dateTimeBehavior: "UserLocal", dateTimeFormat: "DateAndTime" };
}

function text(name: string, label: string, maxLength: number): Column {
  return { name, type: "String", label, maxLength };
}

/** What an activity has of every table's columns: their properties carry the activity's own name. */
function inherited(table: string): readonly Column[] {
  return systemColumns(table).flatMap((column): readonly Column[] => {
    if (column.type === "Uniqueidentifier") return [{ ...column, name: "activityid", label: "Activity" }];
    if (column.type === "State") return [{ ...column, label: "Activity Status", options: options(states, 0) }];
    if (column.type === "Status") return [{ ...column, options: options(states, 1) }];
    const property = `${column.name}_${table}`;
    const navigation = Object.fromEntries((column.targets ?? []).map((target) => [target, { property }]));
    return [column.targets === undefined ? column : { ...column, navigation }];
  });
}

function regarding(table: string, entitySet: string): Column {
  const targets = ["account", "contact"];
  const navigation = targets.map((target) => [
    target,
    { property: `regardingobjectid_${target}_${table}`, collection: `${target}_${entitySet}` },
  ]);
  return {
    name: "regardingobjectid",
    type: "Lookup",
    label: "Regarding",
    targets,
    navigation: Object.fromEntries(navigation),
  };
}

/** The columns of an activity of this name, its own apart. */
function activityColumns(table: string, entitySet: string): readonly Column[] {
  return [
    ...inherited(table),
    text("subject", "Subject", 400),
    { name: "description", type: "Memo", label: "Description", maxLength: 2000 },
    regarding(table, entitySet),
    time("scheduledstart", "Start Date"),
    time("scheduledend", "Due Date"),
    time("actualstart", "Actual Start"),
    time("actualend", "Actual End"),
    { name: "actualdurationminutes", type: "Integer", label: "Actual Duration" },
    { name: "prioritycode", type: "Picklist", label: "Priority", options: options(["Low", "Normal", "High"], 0) },
  ];
}

function activityTable(name: string): Table {
  const entitySet = `${name}s`;
  return {
    name,
    entitySet,
    primaryId: "activityid",
    primaryName: "subject",
    changeTracking: false,
    keys: [],
    isActivity: true,
    columns: [
      ...activityColumns(name, entitySet),
      text(`${prefix}campaignname`, "Campaign Name", 400),
      text(`${prefix}deliveryname`, "Delivery Name", 400),
      time(`${prefix}occurredat`, "Occurred At"),
      text(`${prefix}mirrorpageurl`, "Mirror Page URL", 4000),
      text(`${prefix}trackingurl`, "Tracking URL", 4000),
    ],
  };
}

export const activityTables: readonly Table[] = ["emailsend", "emailopen", "emailurlclick", "emailbounce"].map((name) =>
  activityTable(`${prefix}${name}`),
);
