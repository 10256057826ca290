/** Contacts that wait for a profile. */
import { expect, it } from "vitest";
import { Lives } from "./lives.ts";
import { fields, idOf } from "./systems.ts";

it.each(["Bidirectional", "DynamicsToCampaign"] as const)(
  "%s: whoever was deleted while the link to Dynamics' changes expired waits no longer",
  async (direction) => {
    const lives = new Lives({ direction, source: "Poll" }, 1);
    const { systems, judge } = lives;
    const [id, [email]] = [idOf(0), fields];
    const waiting = async () => (await lives.queue.counts()).get("contact");
    try {
      systems.removeProfile(id);
      systems.person("Dynamics", id, email, true);
      await lives.start();
      await lives.pass(3_000_000);
      expect(await waiting()).toMatchObject({ pending: 1, parked: 1 });
      systems.isLinkExpired = true;
      systems.deleteContact(id);
      // Long before its next look for a profile.
      await lives.pass(60_000);
      expect(await waiting()).toMatchObject({ pending: 0, parked: 0 });
      expect(judge.objections).toEqual([]);
    } finally {
      await lives.end();
    }
  },
);
