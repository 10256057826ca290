import type { Choice, Column, Table } from "./schema.ts";

/**
 * The part of Dataverse's standard tables that integrations use. Names, types, targets and choices from
 * reference/entities/contact.md, account.md and systemuser.md. `contact.accountnumber` is an addition, as a
 * customer would make it: the standard column exists on account only.
 */

const yesNo: readonly Choice[] = [
  { value: 1, label: "Yes" },
  { value: 0, label: "No" },
];
const allowed: readonly Choice[] = [
  { value: 1, label: "Do Not Allow" },
  { value: 0, label: "Allow" },
];

function text(name: string, label: string, maxLength = 100): Column {
  return { name, type: "String", label, maxLength };
}
function flag(name: string, label: string, options = yesNo): Column {
  return { name, type: "Boolean", label, options };
}
function choice(name: string, label: string, labels: readonly string[], type: "Picklist" | "State" | "Status"): Column {
  const first = type === "State" ? 0 : 1;
  return { name, type, label, options: labels.map((text, index) => ({ value: index + first, label: text })) };
}

/** What every user-owned table has. `versionnumber` is the row version that ETags carry. */
export function systemColumns(table: string): readonly Column[] {
  const user = ["systemuser"];
  return [
    { name: `${table}id`, type: "Uniqueidentifier", label: table },
    { name: "createdon", type: "DateTime", label: "Created On", readOnly: true, ...dateAndTime },
    { name: "modifiedon", type: "DateTime", label: "Modified On", readOnly: true, ...dateAndTime },
    { name: "versionnumber", type: "BigInt", label: "Version Number", readOnly: true },
    choice("statecode", "Status", ["Active", "Inactive"], "State"),
    choice("statuscode", "Status Reason", ["Active", "Inactive"], "Status"),
    { name: "ownerid", type: "Owner", label: "Owner", targets: ["systemuser", "team"] },
    { name: "createdby", type: "Lookup", label: "Created By", targets: user, readOnly: true },
    { name: "modifiedby", type: "Lookup", label: "Modified By", targets: user, readOnly: true },
  ];
}

const dateAndTime = { dateTimeBehavior: "UserLocal", dateTimeFormat: "DateAndTime" } as const;

function address(): readonly Column[] {
  return [
    text("address1_line1", "Address 1: Street 1", 250),
    text("address1_line2", "Address 1: Street 2", 250),
    text("address1_city", "Address 1: City", 80),
    text("address1_stateorprovince", "Address 1: State/Province", 50),
    text("address1_postalcode", "Address 1: ZIP/Postal Code", 20),
    text("address1_country", "Address 1: Country/Region", 80),
  ];
}

export const contactTable: Table = {
  name: "contact",
  entitySet: "contacts",
  primaryId: "contactid",
  primaryName: "fullname",
  changeTracking: true,
  keys: [["accountnumber"]],
  columns: [
    ...systemColumns("contact"),
    { ...text("fullname", "Full Name", 160), readOnly: true },
    text("firstname", "First Name", 50),
    text("middlename", "Middle Name", 50),
    text("lastname", "Last Name", 50),
    text("salutation", "Salutation"),
    text("jobtitle", "Job Title"),
    text("emailaddress1", "Email"),
    text("emailaddress2", "Email Address 2"),
    text("telephone1", "Business Phone", 50),
    text("mobilephone", "Mobile Phone", 50),
    text("fax", "Fax", 50),
    ...address(),
    choice("gendercode", "Gender", ["Male", "Female"], "Picklist"),
    choice("familystatuscode", "Marital Status", ["Single", "Married", "Divorced", "Widowed"], "Picklist"),
    choice("preferredcontactmethodcode", "Preferred Method", ["Any", "Email", "Phone", "Fax", "Mail"], "Picklist"),
    {
      name: "birthdate",
      type: "DateTime",
      label: "Birthday",
      dateTimeBehavior: "DateOnly",
      dateTimeFormat: "DateOnly",
    },
    {
      name: "anniversary",
      type: "DateTime",
      label: "Anniversary",
      dateTimeBehavior: "DateOnly",
      dateTimeFormat: "DateOnly",
    },
    { name: "lastonholdtime", type: "DateTime", label: "Last On Hold", ...dateAndTime },
    { name: "numberofchildren", type: "Integer", label: "No. of Children" },
    { name: "creditlimit", type: "Money", label: "Credit Limit" },
    { name: "address1_latitude", type: "Double", label: "Address 1: Latitude" },
    flag("creditonhold", "Credit Hold"),
    flag("donotemail", "Do not allow Emails", allowed),
    flag("donotbulkemail", "Do not allow Bulk Emails", allowed),
    flag("donotphone", "Do not allow Phone Calls", allowed),
    flag("donotfax", "Do not allow Faxes", allowed),
    flag("donotpostalmail", "Do not allow Mails", allowed),
    flag("donotbulkpostalmail", "Do not allow Bulk Mails", allowed),
    { name: "parentcustomerid", type: "Customer", label: "Company Name", targets: ["account", "contact"] },
    { name: "description", type: "Memo", label: "Description", maxLength: 2000 },
    text("accountnumber", "Account Number", 20),
  ],
};

export const accountTable: Table = {
  name: "account",
  entitySet: "accounts",
  primaryId: "accountid",
  primaryName: "name",
  changeTracking: true,
  keys: [["accountnumber"]],
  columns: [
    ...systemColumns("account"),
    text("name", "Account Name", 160),
    text("accountnumber", "Account Number", 20),
    text("emailaddress1", "Email"),
    text("telephone1", "Main Phone", 50),
    text("fax", "Fax", 50),
    text("websiteurl", "Website", 200),
    ...address(),
    choice("industrycode", "Industry", ["Accounting", "Agriculture", "Broadcasting", "Brokers", "Retail"], "Picklist"),
    { name: "revenue", type: "Money", label: "Annual Revenue" },
    { name: "numberofemployees", type: "Integer", label: "Number of Employees" },
    flag("creditonhold", "Credit Hold"),
    { name: "parentaccountid", type: "Lookup", label: "Parent Account", targets: ["account"] },
    { name: "primarycontactid", type: "Lookup", label: "Primary Contact", targets: ["contact"] },
    { name: "description", type: "Memo", label: "Description", maxLength: 2000 },
  ],
};

export const systemUserTable: Table = {
  name: "systemuser",
  entitySet: "systemusers",
  primaryId: "systemuserid",
  primaryName: "fullname",
  changeTracking: false,
  bulkMessages: false,
  keys: [],
  columns: [...systemColumns("systemuser"), text("fullname", "Full Name", 200), text("domainname", "User Name", 1024)],
};
