/** Signing in at an issuer that is not ours, on an API server that trusts it: who one is then, and how it ends. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { patience } from "../operator/ground.ts";
import { OidcGround } from "./oidc-ground.ts";
import type { Visitor } from "./visitor.ts";

let ground: OidcGround;

const manyGroups = Array.from(
  { length: 200 },
  (_, index) => `00000000-1f2e-4d3c-8b5a-${index * 7919 + 100_000_000_000}`,
);

beforeAll(async () => {
  ground = await OidcGround.make({
    alice: ["operators"],
    bob: ["readers"],
    carol: ["readers", ...manyGroups],
    dave: ["readers", ...Array.from({ length: 900 }, () => crypto.randomUUID())],
    erin: Array.from({ length: 3000 }, () => crypto.randomUUID()),
  });
  await ground.allow("operators", ground.page.cluster.namespace, "get", "list", "watch", "patch");
  await ground.allow("readers", ground.page.cluster.namespace, "get", "list", "watch");
  await ground.page.cluster.apply("target");
});
afterAll(() => ground?.end());
beforeEach(() => ground.issuer.behave());

const list = () => `${ground.url}/workflows?namespace=${ground.page.cluster.namespace}`;
const live = () => `${ground.url}/live/workflows?namespace=${ground.page.cluster.namespace}`;
const place = () => `${ground.url}/workflows/${ground.page.cluster.namespace}/target`;

async function signedIn(name: string): Promise<Visitor> {
  const visitor = ground.visitor();
  const answer = await visitor.signIn(ground.url, ground.issuer, name);
  expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining("You are signed in")]);
  return visitor;
}

/** In seconds, of the ID token that was given last. */
function tokenEndOf(tokens: readonly string[]): number {
  const token = tokens.findLast((one) => one.split(".").length === 3) ?? "";
  return (JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as { exp: number }).exp;
}

/**
 * For a token whose end a test waits for, in seconds. Its end is a whole second, so it lives up to a second less; and signing
 * in takes a while on a busy machine, and fails when the API server is asked who it is for after its end.
 */
const brief = 5;

const renewals = () => ground.issuer.asked.filter((grant) => grant === "refresh_token").length;

test("whoever the issuer has signed in is that person at the API server, with the rights of their groups", async () => {
  const [alice, bob] = [await signedIn("alice"), await signedIn("bob")];
  for (const [visitor, name] of [
    [alice, "alice"],
    [bob, "bob"],
  ] as const)
    expect(await (await visitor.get(list())).text()).toContain(`<bdi>oidc:${name}</bdi>`);
  const refused = await bob.post(`${place()}/start`);
  expect(refused.status).toBe(403);
  expect(await refused.text()).toContain("oidc:bob");
  expect((await alice.post(`${place()}/start`)).status).toBe(303);
  expect((await ground.page.cluster.workflow("target")).spec.state).toBe("Running");
});

test("what a browser keeps meanwhile is lax and brief, what it keeps afterwards strict, and neither says anything", async () => {
  const visitor = ground.visitor();
  const callback = await visitor.throughIssuer(ground.url, ground.issuer, "alice", "/workflows?type=Egress");
  const [pending = ""] = visitor.set.filter((one) => one.startsWith("__Host-sign-in-"));
  for (const part of ["HttpOnly", "Secure", "SameSite=Lax", "Path=/", "Max-Age=600"]) expect(pending).toContain(part);
  const state = new URL(callback).searchParams.get("state") ?? "";
  expect(state.length).toBeGreaterThan(30);
  expect(pending).not.toContain(state);
  visitor.set.length = 0;
  const answer = await visitor.get(callback);
  // Nothing but a page of this server's own leads on: a redirect would come from the issuer still.
  expect(answer.status).toBe(200);
  expect(answer.headers.get("refresh")).toBe("0;url=/workflows?type=Egress");
  expect(answer.headers.get("referrer-policy")).toBe("no-referrer");
  const [session = ""] = visitor.set.filter((one) => one.startsWith("__Host-session"));
  for (const part of ["HttpOnly", "Secure", "SameSite=Strict", "Path=/"]) expect(session).toContain(part);
  expect(visitor.set.find((one) => one.startsWith("__Host-sign-in-"))).toContain("Max-Age=0");
});

test("somebody who asked for a page is led to it, and never to another site, nor round in a circle", async () => {
  const visitor = ground.visitor();
  const asked = await visitor.get(place());
  expect(asked.headers.get("location")).toBe(`/sign-in?to=${encodeURIComponent(new URL(place()).pathname)}`);
  for (const [to, leads] of [
    [new URL(place()).pathname, new URL(place()).pathname],
    ["/workflows?state=FAILED&type=Ingress", "/workflows?state=FAILED&type=Ingress"],
    ["/workflows/ä/☃", "/workflows/%C3%A4/%E2%98%83"],
    ["https://evil.example", "/workflows"],
    ["//evil.example", "/workflows"],
    ["/\\evil.example", "/workflows"],
    ["/x/..//evil.example", "/workflows"],
    ["/\t/evil.example", "/workflows"],
    ["/sign-out", "/workflows"],
    ["/sign-in/start", "/workflows"],
    [`/workflows?state=${"x".repeat(3000)}`, "/workflows"],
  ]) {
    const answer = await ground.visitor().signIn(ground.url, ground.issuer, "alice", to);
    expect(answer.headers.get("refresh"), to).toBe(`0;url=${leads}`);
  }
});

test("somebody in two hundred groups is signed in, and their cookies fit what an ingress takes", async () => {
  const carol = await signedIn("carol");
  const page = await carol.get(list());
  expect([page.status, await page.text()]).toEqual([200, expect.stringContaining("<bdi>oidc:carol</bdi>")]);
  const token = ground.issuer.tokens.filter((one) => one.length > 10_000);
  expect(token.length).toBeGreaterThan(0);
  // nginx takes 8 KiB in a line unless told otherwise.
  expect(carol.cookies(ground.url).length).toBeLessThan(8000);
});

test("cookies that are longer than a request's head usually is are taken", async () => {
  const dave = await signedIn("dave");
  expect(dave.cookies(ground.url).length).toBeGreaterThan(16 * 1024);
  const page = await dave.get(list());
  expect([page.status, await page.text()]).toEqual([200, expect.stringContaining("<bdi>oidc:dave</bdi>")]);
});

test("somebody whose token no cookies hold is told so, and is not signed in", async () => {
  const erin = ground.visitor();
  const answer = await erin.signIn(ground.url, ground.issuer, "erin");
  expect(answer.status).toBe(502);
  expect(await answer.text()).toContain("too long for a browser&#39;s cookies");
  expect((await erin.get(list())).status).toBe(303);
});

test("a token that is about to end is renewed once, however many requests ask, and rotated", async () => {
  ground.issuer.behave({ idTokenSeconds: brief, givesRefreshTokens: true });
  const alice = await signedIn("alice");
  const first = alice.cookies(ground.url);
  const before = renewals();
  // Eight requests each time, and 600 are answered in a minute.
  const seldom = { ...patience, interval: 400 };
  const burst = async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => alice.get(list())));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
    return renewals() - before;
  };
  await expect.poll(burst, seldom).toBe(1);
  const second = alice.cookies(ground.url);
  expect(second).not.toBe(first);
  // With the rotated one, too.
  ground.issuer.behave({ givesRefreshTokens: true });
  await expect.poll(burst, seldom).toBe(2);
  expect(alice.cookies(ground.url)).not.toBe(second);
  expect(await burst()).toBe(2);
  // A request that was on its way with an older cookie has the newest token all the same.
  expect((await ground.visitor().get(list(), { cookie: first })).status).toBe(200);
  expect(await burst()).toBe(2);
});

test("without a refresh token the session ends with its token, and its stream with it", async () => {
  ground.issuer.behave({ idTokenSeconds: brief });
  const alice = await signedIn("alice");
  const text = await (await alice.get(live())).text();
  expect(text.trim().endsWith('event: end\ndata: {"why":"signed-out"}')).toBe(true);
  const after = await alice.get(list());
  expect([after.status, after.headers.get("location")]).toEqual([303, expect.stringContaining("/sign-in?to=")]);
  expect(alice.cookies(ground.url)).toBe("");
});

test("the stream of a session that can be renewed is broken off when its token ends; coming back renews it", async () => {
  ground.issuer.behave({ idTokenSeconds: brief, givesRefreshTokens: true });
  const alice = await signedIn("alice");
  const opened = await alice.get(live());
  ground.issuer.behave({ idTokenSeconds: 3600, givesRefreshTokens: true });
  const before = renewals();
  const text = await opened.text();
  expect(text).toContain("event: seen");
  expect(text).not.toContain("event: end");
  const again = await alice.get(live());
  expect(again.status).toBe(200);
  expect(again.headers.getSetCookie().join()).toContain("__Host-session=");
  await again.body?.cancel();
  expect(renewals()).toBe(before + 1);
  expect((await alice.get(list())).status).toBe(200);
  expect(renewals()).toBe(before + 1);
});

test("an issuer that renews no more, or for somebody else, or without the token, ends the session with its token", async () => {
  for (const wrong of [
    { omitsIdToken: true },
    { claims: (claims: object) => ({ ...claims, sub: "bob" }) },
    { forges: true },
  ]) {
    ground.issuer.behave({ idTokenSeconds: brief, givesRefreshTokens: true });
    const alice = await signedIn("alice");
    ground.issuer.behave({ idTokenSeconds: 3600, givesRefreshTokens: true, ...wrong });
    await expect.poll(async () => (await alice.get(list())).status, patience).toBe(303);
    expect(await (await alice.get(place())).text()).not.toContain("oidc:bob");
  }
});

test("sign-out ends the session, its copies and its streams at once, and tells the issuer", async () => {
  ground.issuer.behave({ givesRefreshTokens: true });
  const alice = await signedIn("alice");
  const copy = alice.cookies(ground.url);
  const stream = await alice.get(live());
  const out = await alice.post(`${ground.url}/sign-out`);
  expect([out.status, out.headers.get("location")]).toEqual([303, "/signed-out"]);
  expect(await stream.text()).toContain("event: end");
  expect(alice.cookies(ground.url)).toBe("");
  const thief = await ground.visitor().get(list(), { cookie: copy });
  expect(thief.status).toBe(303);
  await expect.poll(() => ground.issuer.asked.includes("revocation"), patience).toBe(true);
  const page = await (await alice.get(`${ground.url}/signed-out`)).text();
  const [, there = ""] = /href="(https:[^"]*)"/.exec(page) ?? [];
  const { origin, searchParams } = new URL(there.replaceAll("&amp;", "&"));
  expect(origin).toBe(ground.issuer.url);
  // No ID token: it would stand in an address.
  expect([...searchParams.keys()].sort()).toEqual(["client_id", "post_logout_redirect_uri"]);
});

test("a session that was signed out during its renewal stays signed out", async () => {
  ground.issuer.behave({ idTokenSeconds: brief, givesRefreshTokens: true });
  const alice = await signedIn("alice");
  const copy = alice.cookies(ground.url);
  const before = renewals();
  ground.issuer.behave({ givesRefreshTokens: true });
  const held = ground.issuer.hold();
  const revocations = () => ground.issuer.asked.filter((what) => what === "revocation").length;
  const revoked = revocations();
  await expect.poll(() => Date.now() / 1000 > tokenEndOf(ground.issuer.tokens), patience).toBe(true);
  const asked = alice.get(list());
  await held.reached;
  await ground.visitor().post(`${ground.url}/sign-out`, {}, { cookie: copy });
  held.release();
  expect((await asked).status).toBe(303);
  expect(renewals()).toBe(before + 1);
  expect((await ground.visitor().get(list(), { cookie: copy })).status).toBe(303);
  // The token that came too late is nobody's at the issuer either.
  await expect.poll(revocations, patience).toBe(revoked + 2);
});

test("no token, code or secret stands in a page, an address of this page's, or its log", async () => {
  ground.issuer.behave({ idTokenSeconds: brief, givesRefreshTokens: true });
  const given = ground.issuer.tokens.length;
  const alice = await signedIn("alice");
  ground.issuer.behave({ givesRefreshTokens: true });
  const before = renewals();
  await expect.poll(async () => (await alice.get(list())).status === 200 && renewals() > before, patience).toBe(true);
  const texts: string[] = [];
  for (const url of [list(), place(), `${place()}/edit`, `${ground.url}/signed-out`, `${ground.url}/sign-in`]) {
    const answer = await alice.get(url);
    texts.push(url, await answer.text(), answer.headers.get("location") ?? "");
  }
  const secrets = ground.issuer.tokens.slice(given);
  expect(secrets.length).toBeGreaterThan(3);
  const said = [...texts, JSON.stringify(ground.page.log)].join("\n");
  for (const secret of [...ground.issuer.tokens, ground.secret]) {
    expect(said.includes(secret)).toBe(false);
    expect(said.includes(secret.slice(-40))).toBe(false);
  }
  expect(ground.page.log.some(({ message }) => message === "sign-in.renewed")).toBe(true);
});
