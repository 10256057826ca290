import { beforeEach, describe, expect, test } from "vitest";
import { silentLogger } from "../../../../src/telemetry/log.ts";
import { AccessTokens } from "../../../../src/worker/http/access-tokens.ts";
import { CredentialsError, ServiceError } from "../../../../src/worker/http/service-error.ts";
import { VirtualClock } from "../governor/virtual-clock.ts";

interface Credentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

const never = new AbortController().signal;
const rejected = () => new CredentialsError("CredentialsRejected", "rejected");
const outage = () => new ServiceError("down", { code: "Outage", outcome: "NotSent", status: 503 });

let clock: VirtualClock;
let mounted: Credentials | undefined;
let accepted: string;
let down: boolean;
let asked: string[];

beforeEach(() => {
  clock = new VirtualClock();
  mounted = { clientId: "app", clientSecret: "one" };
  accepted = "one";
  down = false;
  asked = [];
});

/** Tokens live for 1000 s and are refreshed after 750 s here. */
function tokens(signInMs = 0): AccessTokens<Credentials> {
  return new AccessTokens<Credentials>({
    service: "Dataverse",
    read: async () => {
      if (mounted === undefined) throw new CredentialsError("CredentialsMissing", "missing");
      return mounted;
    },
    signIn: async ({ clientSecret }) => {
      asked.push(clientSecret);
      if (signInMs > 0) await clock.sleep(signInMs);
      if (down) throw outage();
      if (clientSecret !== accepted) throw rejected();
      return { accessToken: `token ${asked.length} of ${clientSecret}`, lifeSeconds: 1000 };
    },
    clock,
    random: () => 0,
    logger: silentLogger,
  });
}

describe("a token", () => {
  test("is asked for once, however many wait for it, and then kept", async () => {
    const all = tokens(50);
    const waiting = Promise.all(Array.from({ length: 20 }, () => all.get(never)));
    await clock.run(50);
    expect(new Set((await waiting).map((token) => token.value)).size).toBe(1);
    await all.get(never);
    expect(asked).toHaveLength(1);
  });

  test("is refreshed ahead of its end without anybody waiting, and an outage then is nobody's trouble", async () => {
    const all = tokens(50);
    const first = all.get(never);
    await clock.run(50);
    const { value } = await first;
    down = true;
    await clock.run(760_000);
    expect((await all.get(never)).value).toBe(value);
    await clock.run(50);
    expect(asked).toHaveLength(2);
    expect((await all.get(never)).value).toBe(value);
    down = false;
    await clock.run(30_000);
    expect((await all.get(never)).value).toBe(value);
    await clock.run(50);
    expect((await all.get(never)).value).not.toBe(value);
  });

  test("is not used after its end", async () => {
    const all = tokens();
    const { value } = await all.get(never);
    await clock.run(991_000);
    expect((await all.get(never)).value).not.toBe(value);
  });

  test("that was refused is replaced once, for all who hold it", async () => {
    const all = tokens();
    const held = await all.get(never);
    all.refused(held);
    all.refused(held);
    const next = await all.get(never);
    all.refused(held);
    expect(next.value).not.toBe(held.value);
    expect(await all.get(never)).toBe(next);
    expect(asked).toHaveLength(2);
  });

  test("is left by who gives up, not by the others", async () => {
    const all = tokens(50);
    const impatient = new AbortController();
    const [gives, waits] = [all.get(impatient.signal), all.get(never)];
    impatient.abort(new Error("enough"));
    await expect(gives).rejects.toMatchObject({ code: "Aborted", outcome: "NotSent" });
    await clock.run(50);
    expect((await waits).value).toContain("token");
  });
});

describe("credentials", () => {
  test("that change on the volume are used within seconds, without a restart and without a refusal", async () => {
    const all = tokens();
    await all.get(never);
    mounted = { clientId: "other", clientSecret: "two" };
    accepted = "two";
    await clock.run(10_000);
    expect(await all.get(never)).toMatchObject({ clientId: "other", value: "token 2 of two" });
  });

  test("refused are read again before anybody is told", async () => {
    const all = tokens(50);
    const waiting = all.get(never);
    await clock.run(20);
    mounted = { clientId: "app", clientSecret: "two" };
    accepted = "two";
    await clock.run(100);
    expect((await waiting).value).toBe("token 2 of two");
    expect(asked).toEqual(["one", "two"]);
  });

  test("refused twice are rejected, and accepted once somebody has put them right", async () => {
    accepted = "two";
    const all = tokens();
    await expect(all.get(never)).rejects.toMatchObject({ code: "CredentialsRejected" });
    mounted = { clientId: "app", clientSecret: "two" };
    await clock.run(1000);
    expect((await all.get(never)).value).toContain("two");
  });

  test("that go missing do not take away a token that is good, but there is no next one", async () => {
    const all = tokens();
    const { value } = await all.get(never);
    mounted = undefined;
    await clock.run(60_000);
    expect((await all.get(never)).value).toBe(value);
    await clock.run(1_000_000);
    await expect(all.get(never)).rejects.toMatchObject({ code: "CredentialsMissing" });
  });
});

describe("an outage of the token endpoint", () => {
  test("is never a rejection, and is not answered by a storm of sign-ins", async () => {
    down = true;
    const all = tokens();
    for (let second = 0; second < 60; second++) {
      await expect(all.get(never)).rejects.toMatchObject({ code: "Outage", outcome: "NotSent" });
      await clock.run(1000);
    }
    expect(asked.length).toBeLessThan(8);
    down = false;
    await clock.run(30_000);
    expect((await all.get(never)).value).toContain("token");
  });
});
