import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { tableOf, tableOfRules } from "../worker/flows/opt-in-out/table.ts";

/** The tables that the code is run against are the ones that the page has. */

const page = readFileSync("docs/explanation/opt-in-out.md", "utf8");

it.each(["Bidirectional", "DynamicsToCampaign", "CampaignToDynamics"] as const)(
  "the page has the table of %s",
  (one) => {
    expect(page).toContain(`\n\n${tableOf(one)}\n\n`);
  },
);

it("the page has the rules by name, with what they say", () => {
  expect(page).toContain(`\n\n${tableOfRules()}\n`);
});
