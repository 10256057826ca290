/** What goes wrong between the page, the issuer and the API server: it is said where and how to mend it, and nobody is signed in. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Response, request } from "undici";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { freePort } from "../../../cluster/ports.ts";
import { patience } from "../operator/ground.ts";
import { TestIssuer } from "./issuer.ts";
import { OidcGround, otherClient } from "./oidc-ground.ts";

let ground: OidcGround;

beforeAll(async () => {
  ground = await OidcGround.make({ alice: ["readers"] });
  await ground.allow("readers", ground.page.cluster.namespace, "get", "list", "watch");
});
afterAll(() => ground?.end());
afterEach(() => {
  ground.issuer.behave();
  ground.writeSecret();
});

const list = () => `${ground.url}/workflows?namespace=${ground.page.cluster.namespace}`;
const codes = () => ground.issuer.asked.filter((grant) => grant === "authorization_code").length;

/** As somebody reads it. */
async function says(answer: Response): Promise<string> {
  const [, text = ""] = /<p class="problem" role="alert"><bdi>(.*?)<\/bdi>/.exec(await answer.text()) ?? [];
  return text.replaceAll("&quot;", '"').replaceAll("&#39;", "'");
}

async function expectRefused(answer: Response, status: number, message: RegExp): Promise<void> {
  expect([answer.status, await says(answer)]).toEqual([status, expect.stringMatching(message)]);
  expect(answer.headers.getSetCookie().join()).not.toContain("__Host-session");
}

test("a wrong client secret is named, and a mended one taken up without a restart", async () => {
  for (const wrong of ["wrong", ""]) {
    ground.writeSecret(wrong);
    const refused = await ground.visitor().signIn(ground.url, ground.issuer, "alice");
    await expectRefused(refused, 502, wrong === "" ? /client secret is missing/ : /not take this page for its client/);
  }
  ground.writeSecret();
  expect((await ground.visitor().signIn(ground.url, ground.issuer, "alice")).headers.get("refresh")).not.toBeNull();
});

test("a token that the API server does not take is said to be so, with the flags that decide it", async () => {
  await ground.withOther(["--oidc-client-id", otherClient], async ({ url }) => {
    const answer = await ground.visitor().signIn(url, ground.issuer, "alice");
    await expectRefused(answer, 403, /the cluster does not take its id_token.*--oidc-client-id=somebody-else/);
  });
});

test("an access token that is no JWT is of no use to the API server, and the page says which token it was", async () => {
  await ground.withOther(["--oidc-token", "access_token"], async ({ url }) => {
    const answer = await ground.visitor().signIn(url, ground.issuer, "alice");
    await expectRefused(answer, 403, /the cluster does not take its access_token/);
  });
});

test("whoever breaks off at the issuer is not signed in, and may begin again", async () => {
  const alice = ground.visitor();
  const callback = await alice.throughIssuer(ground.url, ground.issuer, "alice", "/workflows?type=Egress", false);
  const answer = await alice.get(callback);
  const text = await answer.text();
  expect([answer.status, text]).toEqual([403, expect.stringContaining("access_denied")]);
  expect(text).toContain('href="/sign-in/start?to=%2Fworkflows%3Ftype%3DEgress"');
  expect((await alice.get(list())).status).toBe(303);
});

test("an answer is taken once, also with a copy of the cookie that it needs", async () => {
  const [alice, thief] = [ground.visitor(), ground.visitor()];
  const callback = await alice.throughIssuer(ground.url, ground.issuer, "alice");
  const cookie = alice.cookies(ground.url);
  const before = codes();
  expect((await alice.get(callback)).status).toBe(200);
  await expectRefused(await thief.get(callback, { cookie }), 400, /is finished already/);
  await expectRefused(await alice.get(callback), 400, /is finished already/);
  expect(codes()).toBe(before + 1);
  expect((await alice.get(list())).status).toBe(200);
});

test("an answer to somebody else's sign-in, or to none, signs nobody in and is not looked at", async () => {
  const [alice, victim] = [ground.visitor(), ground.visitor()];
  const callback = new URL(await alice.throughIssuer(ground.url, ground.issuer, "alice"));
  await victim.get(`${ground.url}/sign-in/start`);
  const before = codes();
  await expectRefused(await victim.get(callback.href), 400, /another browser/);
  const own = new URL(await victim.throughIssuer(ground.url, ground.issuer, "alice"));
  // Alice's code under the victim's state, and the reverse.
  const mixed = new URL(own);
  mixed.searchParams.set("code", callback.searchParams.get("code") ?? "");
  await expectRefused(await victim.get(mixed.href), 502, /came to nothing/);
  const other = new URL(await victim.throughIssuer(ground.url, ground.issuer, "alice"));
  other.searchParams.set("iss", "https://evil.example");
  await expectRefused(await victim.get(other.href), 502, /came to nothing.*iss/);
  const twice = new URL(callback);
  twice.searchParams.append("state", own.searchParams.get("state") ?? "");
  await expectRefused(await alice.get(twice.href), 400, /another browser/);
  // Its cookie is found by its beginning, and the whole is compared.
  const near = new URL(await victim.throughIssuer(ground.url, ground.issuer, "alice"));
  near.searchParams.set("state", `${near.searchParams.get("state")?.slice(0, 20)}${"x".repeat(23)}`);
  await expectRefused(await victim.get(near.href), 400, /another browser/);
  for (const query of [
    "",
    "?code=x",
    "?state=x",
    "?state=__proto__&code=x",
    "?error=x&error_description=%3Cscript%3E",
  ]) {
    await expectRefused(await alice.get(`${ground.url}/sign-in/callback${query}`), 400, /another browser/);
  }
  expect(codes()).toBe(before + 1);
});

test("two tabs of a browser can sign in at a time", async () => {
  const alice = ground.visitor();
  const first = await alice.throughIssuer(ground.url, ground.issuer, "alice", "/workflows?type=Egress");
  const second = await alice.throughIssuer(ground.url, ground.issuer, "alice", "/workflows?type=Ingress");
  expect((await alice.get(first)).headers.get("refresh")).toBe("0;url=/workflows?type=Egress");
  expect((await alice.get(second)).headers.get("refresh")).toBe("0;url=/workflows?type=Ingress");
  // However many are begun and left, the head of a request stays short.
  for (let times = 0; times < 12; times += 1) await alice.get(`${ground.url}/sign-in/start`);
  expect(alice.cookies(ground.url).match(/__Host-sign-in-/g)).toHaveLength(4);
});

test("what is sealed for a sign-in opens no session, nor the reverse", async () => {
  const alice = ground.visitor();
  const callback = await alice.throughIssuer(ground.url, ground.issuer, "alice");
  const [, name = "", pending = ""] = /(__Host-sign-in-[^=]*)=([^;]*)/.exec(alice.cookies(ground.url)) ?? [];
  const asSession = await ground.visitor().get(list(), { cookie: `__Host-session=${pending}` });
  expect(asSession.status).toBe(303);
  await alice.get(callback);
  const [, session = ""] = /__Host-session=([^;]*)/.exec(alice.cookies(ground.url)) ?? [];
  await expectRefused(await ground.visitor().get(callback, { cookie: `${name}=${session}` }), 400, /another browser/);
});

test.each([
  [
    "too old",
    (claims: object) => ({ ...claims, iat: 1_000_000_000, exp: 1_000_003_600 }),
    /clock of .* differ too much/,
  ],
  ["not yet valid", (claims: object) => ({ ...claims, nbf: 4_000_000_000, exp: 4_000_003_600 }), /differ too much/],
  ["for another sign-in", (claims: object) => ({ ...claims, nonce: "another" }), /came to nothing.*nonce/],
  ["for another client", (claims: object) => ({ ...claims, aud: "another" }), /came to nothing.*aud/],
  ["of another issuer", (claims: object) => ({ ...claims, iss: "https://evil.example" }), /came to nothing.*iss/],
])("a token that is %s signs nobody in", async (_name, claims, message) => {
  ground.issuer.behave({ claims });
  await expectRefused(await ground.visitor().signIn(ground.url, ground.issuer, "alice"), 502, message);
});

test("a token whose signature is not the issuer's signs nobody in", async () => {
  ground.issuer.behave({ forges: true });
  await expectRefused(await ground.visitor().signIn(ground.url, ground.issuer, "alice"), 502, /came to nothing/);
});

test("the page starts without its issuer, says whom it misses, and needs no restart when it comes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "console-late-issuer-"));
  const port = await freePort();
  const url = `https://127.0.0.1:${port}`;
  const flags = ["--oidc-issuer", url, "--oidc-ca-file", join(folder, "issuer-ca.crt")];
  await ground.withOther(flags, async (page) => {
    await expect.poll(() => page.log.map(({ message }) => message), patience).toContain("issuer.not-found");
    expect((await ground.visitor().get(`${page.url}/sign-in`)).status).toBe(200);
    const early = await ground.visitor().get(`${page.url}/sign-in/start`);
    await expectRefused(early, 502, new RegExp(`no answer from the issuer ${url}`));
    const late = await TestIssuer.start(folder, { port, clients: [], groups: {} });
    const led = await ground.visitor().get(`${page.url}/sign-in/start`);
    expect([led.status, led.headers.get("location")]).toEqual([303, expect.stringContaining(`${url}/auth?`)]);
    await late.stop();
  });
  rmSync(folder, { recursive: true });
});

test.each([
  ["whose certificate nobody has signed", () => ["--oidc-ca-file", ground.controlPlane.caPath], /--oidc-ca-file/],
  ["that calls itself otherwise", () => ["--oidc-issuer", localName()], /calls itself "https:\/\/127\.0\.0\.1/],
  ["without a discovery document", () => ["--oidc-issuer", `${ground.issuer.url}/realm`], /it answered 404/],
])("an issuer %s is named with what to look at", async (_name, flags, message) => {
  await ground.withOther(flags(), async ({ url }) => {
    await expectRefused(await ground.visitor().get(`${url}/sign-in/start`), 502, message);
  });
});

const localName = () => ground.issuer.url.replace("127.0.0.1", "localhost");

test("an issuer that goes away keeps nobody from working whose token is good, and loses nobody whose token ends", async () => {
  ground.issuer.behave({ givesRefreshTokens: true });
  const [alice, bob] = [ground.visitor(), ground.visitor()];
  await alice.signIn(ground.url, ground.issuer, "alice");
  // Not less: a token that has ended before the API server is asked who it is for signs nobody in.
  ground.issuer.behave({ givesRefreshTokens: true, idTokenSeconds: 5 });
  const callback = await bob.throughIssuer(ground.url, ground.issuer, "alice");
  const late = await ground.visitor().throughIssuer(ground.url, ground.issuer, "alice");
  expect((await bob.get(callback)).status).toBe(200);
  await ground.issuer.stop();
  try {
    expect((await alice.get(list())).status).toBe(200);
    await expect.poll(async () => (await bob.get(list())).status, patience).toBe(502);
    expect(await (await bob.get(list())).text()).toContain(`no answer from the issuer ${ground.issuer.url}`);
    expect((await ground.visitor().get(late)).status).toBe(400);
    const start = await ground.visitor().get(`${ground.url}/sign-in/start`);
    expect(start.status).toBe(303); // What the issuer said of itself holds for ten minutes.
  } finally {
    await ground.issuer.resume();
  }
  ground.issuer.behave({ givesRefreshTokens: true });
  await expect.poll(async () => (await bob.get(list())).status, patience).toBe(200);
});

test("another site cannot have somebody signed in without a look at the page, nor can a question without an answer", async () => {
  // fetch says by itself that it is no navigation.
  const headers = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" };
  const led = await request(`${ground.url}/sign-in/start`, { headers });
  expect([led.statusCode, led.headers["set-cookie"], led.headers["location"]]).toEqual([200, undefined, undefined]);
  await led.body.dump();
  const asked = await request(`${ground.url}/sign-in/callback`, { method: "HEAD" });
  expect(asked.statusCode).toBe(404);
});

test("what goes wrong is in the log with its kind, and without anything that the issuer has given", () => {
  const lines = ground.page.log.filter(({ message }) => message === "sign-in.refused");
  expect(new Set(lines.map(({ code }) => code))).toEqual(
    new Set(["ClientRefused", "Denied", "NotBegunHere", "AnswerRefused", "ClocksDiffer"]),
  );
  const log = JSON.stringify(ground.page.log);
  expect(ground.issuer.tokens.length).toBeGreaterThan(10);
  for (const secret of [...ground.issuer.tokens, ground.secret]) expect(log.includes(secret.slice(-40))).toBe(false);
});
