/** What is known of calls that were refused, or went wrong. */
import { beforeEach, describe, expect, test } from "vitest";
import { workspace } from "../http/workspace.ts";
import { byAccount, byKey, campaignGround, id, never } from "./campaign-ground.ts";

const ground = campaignGround();

describe("what is known of a write that failed", () => {
  const insert = (fields: Record<string, unknown>) =>
    ground.campaign.insert("profile", { externalId: id, ...fields }, never);

  test.each([
    { name: "a value that the enumeration does not have", fields: { gender: "jane.doe@example.com" }, code: "Refused" },
    { name: "a field that does not exist", fields: { nosuch: "jane.doe@example.com" }, code: "Refused" },
    { name: "a read-only field", fields: { age: 42 }, code: "Refused" },
    { name: "a link to nothing", fields: { orgUnit: "jane.doe@example.com" }, code: "LinkTargetMissing" },
  ])("$name is refused: nothing was written, and no value is quoted", async ({ fields, code }) => {
    const error = await insert(fields).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ name: "CampaignError", code, outcome: "Refused", scope: "Record" });
    expect(String(error)).not.toContain("jane");
    expect(await ground.profile()).toBeUndefined();
  });

  test("a refusal names the field that is missed, though the record does not carry it", async () => {
    const body =
      '{"code":400,"message":"RST-360000 attribute \'@middleName\' of jane is mandatory, \'location/@address2\' too"}';
    const action = { kind: "status", status: 400, body } as const;
    await ground.control.addFault({ side: "campaign", method: "POST", pathPattern: "/profile$", action });
    const message = expect.stringMatching(/attribute middleName of … is mandatory location address2/);
    await expect(insert({})).rejects.toMatchObject({ code: "Refused", message });
  });

  test.each(["500", "409"] as const)(
    "a key that another record has is DuplicateKey where Campaign answers %s",
    async (duplicateKey) => {
      await ground.control.setCampaignBehaviour({ duplicateKey });
      await insert({});
      await expect(insert({})).rejects.toMatchObject({ code: "DuplicateKey", outcome: "Refused" });
    },
  );

  test.each([
    {
      name: "an answer that is lost",
      action: { kind: "loseAnswerAfterWrite" } as const,
      code: "ConnectionLost",
      written: true,
    },
    { name: "an answer that is cut", action: { kind: "truncate" } as const, code: "ConnectionLost", written: true },
    { name: "a reset", action: { kind: "reset" } as const, code: "ConnectionLost", written: false },
    { name: "503", action: { kind: "status", status: 503 } as const, code: "Outage", written: false },
    {
      name: "200 by a proxy",
      action: { kind: "status", status: 200, body: "<html></html>" } as const,
      code: "BadResponse",
      written: false,
    },
  ])("$name leaves the outcome unknown", async ({ action, code, written }) => {
    await ground.campaign.resourceMetadata("profile", never);
    await ground.control.addFault({ side: "campaign", method: "POST", pathPattern: "/profile$", times: 1, action });
    await expect(insert({ firstName: "A" })).rejects.toMatchObject({ code, outcome: "Unknown", scope: "Service" });
    expect((await ground.profile()) !== undefined).toBe(written);
  });

  describe("when an update takes several calls", () => {
    const update = () => ground.campaign.updateByKey(byKey(id), { firstName: "B" }, never);
    const reset = { side: "campaign", method: "GET", action: { kind: "reset" } } as const;

    beforeEach(async () => {
      await ground.insertProfiles({ externalId: id, accountNumber: "A-1" });
      await update();
    });

    test("a look-up that fails has written nothing", async () => {
      const look = () => ground.campaign.updateByKey(byAccount("A-1"), { firstName: "B" }, never);
      await look();
      await ground.control.addFault(reset);
      await expect(look()).rejects.toMatchObject({ code: "ConnectionLost", outcome: "NotSent" });
    });

    test.each([
      { status: 404, outcome: "NotSent" },
      { status: 500, outcome: "Unknown" },
    ])(
      "a look-up that fails after a PATCH was answered with $status leaves it $outcome",
      async ({ status, outcome }) => {
        const body = "RST-360011 An error has occurred - please contact your administrator.";
        await ground.control.addFault({ side: "campaign", method: "PATCH", action: { kind: "status", status, body } });
        await ground.control.addFault(reset);
        await expect(update()).rejects.toMatchObject({ code: "ConnectionLost", outcome });
      },
    );
  });

  test("an access token that expired early is replaced, and the write is done once", async () => {
    await ground.campaign.resourceMetadata("profile", never);
    await ground.control.expireAccessTokens({ side: "campaign" });
    await insert({ firstName: "A" });
    expect(await ground.control.writes({ resource: "profile", key: id })).toHaveLength(1);
  });

  test("missing credentials name Secret and key, and nothing is sent", async () => {
    const bare = await workspace({
      campaignUrl: ground.sandbox.campaignUrl,
      dynamics: {},
      campaign: { clientId: "x" },
    });
    const sent = bare.campaign.insert("profile", {}, never);
    await expect(sent).rejects.toMatchObject({ code: "CredentialsMissing", outcome: "NotSent" });
    await expect(sent).rejects.toThrow(/"campaign".*"clientSecret"/);
    await bare.close();
  });
});
