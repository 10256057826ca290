import type { Field, Resource } from "./schema.ts";

/**
 * Campaign's own resources, by developing/using/datamodel-profile.md and datamodel-service.md (a deny list field is
 * called `denyList...` by the integration pages and `blackList...` by the data model), and the extension of a
 * customer who integrates Dynamics. README.md says where this departs from the data model.
 */

function text(name: string, label: string, maxLength: number, more: Partial<Field> = {}): Field {
  return { name, type: "string", label, maxLength, ...more };
}

const channels = ["", "Email", "Fax", "Mobile", "Phone", "PostalMail", "Pushnotification"];

/** `denyListEmail` by the integration pages, `blackListEmail` by the data model and on older instances. */
export type OptOutNames = "denyList" | "blackList";

function optOutFields(names: OptOutNames): readonly Field[] {
  const denied = channels.map((channel): Field => {
    return { name: `${names}${channel}`, type: "boolean", label: `No longer contact ${channel}`.trim(), timed: true };
  });
  return [...denied, { name: "ccpaOptOut", type: "boolean", label: "CCPA opt-out", timed: true }];
}

const system: readonly Field[] = [
  { name: "created", type: "datetime", label: "Created", readOnly: true },
  { name: "lastModified", type: "datetime", label: "Last modified", readOnly: true },
  { name: "title", type: "string", label: "Title", readOnly: true },
];

const location: Field = {
  name: "location",
  type: "item",
  label: "Location",
  fields: [
    text("address1", "Address 1", 80),
    text("address2", "Address 2", 80),
    text("address3", "Address 3", 80),
    text("address4", "Address 4", 80),
    text("city", "City", 50),
    text("countryCode", "Country code", 2),
    text("stateCode", "State code", 6),
    text("zipCode", "Zip code", 10),
  ],
};

/** What the sandbox's customer added to the profile, beside the identification key. */
function extension(keyField: string): readonly Field[] {
  const fields: readonly Field[] = [
    text(keyField, "Identifier in the CRM", 100),
    text("accountNumber", "Account number", 100),
    text("company", "Company", 160),
    text("jobTitle", "Job title", 100),
    text("street", "Street", 250),
    text("city", "City", 80),
    text("stateOrProvince", "State or province", 50),
    text("postalCode", "Postal code", 20),
    text("country", "Country", 80),
    { name: "creditLimit", type: "number", label: "Credit limit" },
    { name: "numberOfChildren", type: "integer", label: "Number of children" },
    { name: "creditOnHold", type: "boolean", label: "Credit on hold" },
    { name: "lastOnHold", type: "datetime", label: "Last on hold" },
    text("status", "Status in the CRM", 30),
    { name: "orgUnit", type: "link", label: "Organizational unit", target: "orgUnitBase" },
  ];
  return fields.map((field) => ({ ...field, extended: true }));
}

export function standardResources(keyField: string, optOuts: OptOutNames): readonly Resource[] {
  const profile: Resource = {
    name: "profile",
    label: "Profiles",
    schema: "nms:recipient",
    endpoints: ["profileAndServices", "profileAndServicesExt"],
    keys: [keyField],
    fields: [
      ...system,
      text("firstName", "First name", 30),
      text("middleName", "Middle name", 30),
      text("lastName", "Last name", 50),
      text("salutation", "Title", 20),
      text("email", "Email", 128, { dataPolicy: "email" }),
      { name: "emailFormat", type: "enumeration", label: "Email format", values: ["unknown", "text", "html"] },
      { name: "gender", type: "enumeration", label: "Gender", values: ["unknown", "male", "female"] },
      { name: "birthDate", type: "date", label: "Date of birth" },
      { name: "age", type: "integer", label: "Age", readOnly: true },
      { name: "domain", type: "string", label: "Email domain", readOnly: true },
      text("phone", "Phone", 32),
      text("mobilePhone", "Mobile", 32),
      text("fax", "Fax", 32),
      text("preferredLanguage", "Preferred language", 16),
      text("timeZone", "Time zone", 64),
      text("thumbnail", "Thumbnail", 255),
      location,
      ...optOutFields(optOuts),
      ...extension(keyField),
    ],
  };
  const service: Resource = {
    name: "service",
    label: "Services",
    schema: "nms:service",
    endpoints: ["profileAndServices", "profileAndServicesExt"],
    keys: ["name"],
    fields: [
      ...system,
      text("name", "ID", 64),
      text("label", "Label", 128),
      text("desc", "Description", 512),
      { name: "messageType", type: "enumeration", label: "Channel", values: ["email", "sms"] },
      { name: "mode", type: "enumeration", label: "Mode", values: ["newsletter", "viral"] },
      { name: "start", type: "date", label: "Start date" },
      { name: "end", type: "date", label: "End date" },
      { name: "limitedDuration", type: "boolean", label: "Limited duration" },
      { name: "isTemplate", type: "boolean", label: "Template" },
    ],
  };
  const orgUnit: Resource = {
    name: "orgUnitBase",
    label: "Organizational units",
    schema: "nms:orgUnit",
    endpoints: ["profileAndServicesExt"],
    keys: ["name"],
    fields: [...system, text("name", "ID", 64), text("label", "Label", 128), text("desc", "Description", 512)],
  };
  return [profile, service, orgUnit];
}
