import fc from "fast-check";
import { expect, test } from "vitest";
import { scrub } from "../../../../src/worker/http/scrub.ts";

test.each([
  {
    name: "Dataverse quotes the value of a duplicate key",
    message:
      "Entity Key Email Key violated. A record with the same value for Email 'jane.doe@example.com' already exists. A duplicate record cannot be created.",
    said: "entity Key … Key … A record with the … value for … already exists A duplicate record cannot be created",
  },
  {
    name: "a value without quotes",
    message: "jane.doe@example.com is not a valid value for emailaddress1 of contact Jane Doe",
    said: "… is not a valid value for emailaddress1 of contact …",
  },
  {
    name: "a number may be a telephone's or a birth date",
    message: "Cannot convert the literal '+33 6 12 34 56 78' to the expected type 'Edm.DateTimeOffset', 1980-10-24",
    said: "Cannot … the … to the expected type …",
  },
  {
    name: "codes stay",
    message:
      "RST-360011 An error has occurred - please contact your administrator.\nXTK-170006 Unable to parse expression 'Smith'.",
    said: "RST-360011 An error has occurred please contact your administrator XTK-170006 Unable to parse expression …",
  },
  {
    name: "Entra's code stays, its trace and the tenant's name do not",
    message: "AADSTS7000215: Invalid client secret provided. Trace ID: 6f0b-11 for app 'Jane Doe CRM'",
    said: "AADSTS7000215 Invalid client secret provided … id … for …",
  },
])("of a server's message only codes, known names and plain words leave: $name", ({ message, said }) => {
  const scrubbed = scrub(message, ["emailaddress1", "contact"]);
  expect(scrubbed.toLowerCase()).toBe(said.toLowerCase());
  expect(scrubbed).not.toMatch(/jane|doe|example\.com|smith|\d\d \d\d|1980/i);
});

test("no value that is not a plain word gets through, wherever it stands in a message", () => {
  const value = fc.stringMatching(/^[a-z]{3,10}[0-9]{1,4}(?:[.@_-][a-z0-9]{2,8}){0,3}$/);
  const around = fc.constantFrom("'", '"', "", "(", ": ", "=", "`", "[", "“");
  fc.assert(
    fc.property(
      value,
      around,
      fc.constantFrom("already exists", "is not valid", "was expected."),
      (secret, quote, rest) => {
        expect(scrub(`A record with value ${quote}${secret}${quote} ${rest}`)).not.toContain(secret);
      },
    ),
  );
});

test("is short, however long the message is", () => {
  expect(scrub("record ".repeat(10_000)).length).toBeLessThanOrEqual(301);
});
