/** How much one may ask, how that is counted behind an ingress, and what is said of the address that people know. */
import { request } from "undici";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { ConsoleGround } from "./ground.ts";

let ground: ConsoleGround;
const publicUrl = "https://workflows.example.test";

beforeAll(async () => {
  ground = await ConsoleGround.make(
    inject("kubeconfig"),
    "--trusted-proxies",
    "127.0.0.0/8",
    "--public-url",
    publicUrl,
  );
});
afterAll(() => ground?.end());

interface Asked {
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

async function ask(path: string, { method = "GET", headers = {}, body }: Asked = {}) {
  const answer = await request(`${ground.url}${path}`, { method, headers: { ...headers }, body: body ?? null });
  await answer.body.dump();
  return { status: answer.statusCode, headers: answer.headers };
}

/** Asks until it is too much. @returns how often it was answered */
async function exhaust(path: string, asked: Asked): Promise<number> {
  let answered = 0;
  for (; answered < 2000; answered += 50) {
    const all = await Promise.all(Array.from({ length: 50 }, () => ask(path, asked)));
    const refused = all.filter(({ status }) => status === 429).length;
    if (refused > 0) return answered + 50 - refused;
  }
  return answered;
}

const signInForm = (token: string, from: string): Asked => ({
  method: "POST",
  headers: { "content-type": "application/x-www-form-urlencoded", origin: publicUrl, "x-forwarded-for": from },
  body: new URLSearchParams({ token }).toString(),
});

test("behind a proxy that ends TLS, cookies and headers are those of the address that people know", async () => {
  const token = await ground.person("known", "get", "list", "watch");
  const answer = await ask("/sign-in", signInForm(token, "198.51.100.1"));
  expect([answer.status, answer.headers["location"]]).toEqual([303, "/workflows"]);
  expect(answer.headers["strict-transport-security"]).toMatch(/^max-age=31536000/);
  expect(String(answer.headers["set-cookie"])).toMatch(/^__Host-session=.*Secure/);
  // Not the one that this server is reached by, nor what a request says of it.
  const form = signInForm(token, "198.51.100.1");
  const from = {
    ...form,
    headers: { ...form.headers, origin: ground.url, "x-forwarded-host": new URL(ground.url).host },
  };
  expect((await ask("/sign-in", from)).status).toBe(403);
});

test("who asks too much is refused, and nobody else with them: not the signed in, nor other addresses, nor the kubelet", async () => {
  const token = await ground.person("person", "get", "list", "watch");
  const signedIn = await ask("/sign-in", signInForm(token, "198.51.100.2"));
  const cookie = String(signedIn.headers["set-cookie"]).split(";")[0] ?? "";
  const stranger = { headers: { "x-forwarded-for": "203.0.113.9" } };
  expect(await exhaust("/sign-in", stranger)).toBe(600);
  expect((await ask("/sign-in", { headers: { "x-forwarded-for": "203.0.113.10" } })).status).toBe(200);
  // A stranger's own word of where they come from counts for nothing: the ingress has put theirs behind it.
  expect((await ask("/sign-in", { headers: { "x-forwarded-for": "192.0.2.1, 203.0.113.9" } })).status).toBe(429);
  expect((await ask("/livez", stranger)).status).toBe(200);
  const list = `/workflows?namespace=${ground.cluster.namespace}`;
  expect((await ask(list, { headers: { ...stranger.headers, cookie } })).status).toBe(200);
  // Nor does a made-up cookie.
  expect((await ask("/sign-in", { headers: { ...stranger.headers, cookie: "__Host-session=x" } })).status).toBe(429);
});

test("tokens are guessed sixty times a minute at most", async () => {
  expect(await exhaust("/sign-in", signInForm("nonsense", "203.0.113.11"))).toBe(60);
});

test("a head that is longer than any cookies of this page is refused, and nothing ends by it", async () => {
  expect((await ask("/sign-in", { headers: { cookie: `x=${"y".repeat(40_000)}` } })).status).toBe(200);
  expect((await ask("/sign-in", { headers: { cookie: `x=${"y".repeat(80_000)}` } })).status).toBe(431);
  expect((await ask("/livez")).status).toBe(200);
});
