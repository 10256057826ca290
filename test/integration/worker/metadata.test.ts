/** What a worker tells of both systems' metadata: the real worker, before the sandbox. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { MetadataAnswer } from "../../../src/api/worker-metadata.ts";
import { Ground, type WorkerProcess } from "./harness.ts";

let ground: Ground;
let worker: WorkerProcess;

beforeAll(async () => {
  ground = await Ground.make({ contacts: 3 });
  worker = ground.start();
});
afterAll(() => ground.end());

async function told(query: string): Promise<MetadataAnswer> {
  const ask = () => worker.get(`/metadata?waitMs=5000&${query}`);
  // Before it has begun, it says so.
  await expect.poll(async () => (await ask()).status, { timeout: 30_000 }).toBe(200);
  return JSON.parse((await ask()).body) as MetadataAnswer;
}

test("tables, columns, resources and fields have labels, types, lengths and keys", async () => {
  const { dynamics, campaign } = await told("table=contact&resource=profile");
  expect(dynamics.url).toBe(ground.sandbox.dataverseUrl);
  expect(campaign.url).toBe(ground.sandbox.campaignUrl);
  expect(dynamics.tables).toMatchObject({
    is: "Told",
    entries: expect.arrayContaining([{ name: "contact", label: "contact", tracked: true }]),
    left: 0,
  });
  expect(campaign.resources).toMatchObject({
    is: "Told",
    entries: expect.arrayContaining([{ name: "profile", label: "Profiles" }]),
  });
  const columns = dynamics.columns["contact"];
  const fields = campaign.fields["profile"];
  if (columns?.is !== "Told" || fields?.is !== "Told") throw new Error(JSON.stringify({ columns, fields }));
  expect(columns.entries[0]).toMatchObject({ name: "contactid", type: "Uniqueidentifier", key: "Primary" });
  const column = (name: string) => columns.entries.find((entry) => entry.name === name);
  expect(column("firstname")).toMatchObject({ type: "String", maxLength: 50 });
  expect(column("gendercode")).toMatchObject({ type: "Picklist", choices: [{ value: "1", label: "Male" }, {}] });
  expect(column("parentcustomerid")).toMatchObject({ type: "Lookup", targets: ["account", "contact"] });
  expect(column("birthdate")).toMatchObject({ type: "DateTime", dateOnly: true });
  const field = (name: string) => fields.entries.find((entry) => entry.name === name);
  expect(field("firstName")).toEqual({
    name: "firstName",
    label: "First name",
    type: "string",
    rawType: "string",
    maxLength: 30,
  });
  expect(field("location.city")).toMatchObject({ label: "City", maxLength: 50 });
  expect(field("lastModified")).toMatchObject({ readOnly: true });
  expect(field("gender")?.values).toContain("male");
});

test("what is not there is said to be missing, by the system that was asked", async () => {
  const { dynamics, campaign } = await told("table=nothing&resource=cusNothing");
  expect(dynamics.columns["nothing"]).toEqual({
    is: "Missing",
    message: 'Dataverse has no table "nothing" that this user may see',
  });
  expect(campaign.fields["cusNothing"]).toMatchObject({
    is: "Missing",
    message: expect.stringContaining("cusNothing"),
  });
});

test.each([
  ["table=Contact", "logical name"],
  ["table=contact')/Attributes", "logical name"],
  ["resource=profile/..", "letters, digits"],
  ["waitMs=60000", "5000 at most"],
  [Array.from({ length: 81 }, (_, index) => `table=t${index}`).join("&"), "at most 80"],
])("no question: %.30s", async (query, says) => {
  const { status, body } = await worker.get(`/metadata?${query}`);
  expect(status).toBe(400);
  expect(body).toContain(says);
});
