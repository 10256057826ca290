/** What must not work: other sites, copied cookies, smuggled identities, and streams of people who are gone. */
import { fetch, request } from "undici";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { ConsoleGround } from "./ground.ts";

let ground: ConsoleGround;
let token: string;

beforeAll(async () => {
  ground = await ConsoleGround.make(inject("kubeconfig"));
  token = await ground.person("person", "get", "list", "watch", "patch", "update");
  await ground.cluster.apply("target");
});
afterAll(() => ground?.end());

const form = { "content-type": "application/x-www-form-urlencoded" };

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

function ask(path: string, { method = "GET", headers = {}, body }: Asked = {}) {
  return fetch(`${ground.url}${path}`, {
    method,
    headers: { ...headers },
    redirect: "manual",
    ...(body === undefined ? {} : { body }),
  });
}

async function signIn(of = token): Promise<{ cookie: string; set: readonly string[] }> {
  const answer = await ask("/sign-in", {
    method: "POST",
    headers: { ...form, origin: ground.url },
    body: new URLSearchParams({ token: of }).toString(),
  });
  expect(answer.status).toBe(303);
  const set = answer.headers.getSetCookie();
  return { set, cookie: set.map((one) => one.split(";")[0]).join("; ") };
}

const place = () => `/workflows/${ground.cluster.namespace}/target`;
const list = () => `/workflows?namespace=${ground.cluster.namespace}`;

test("the session's cookie is this host's alone, unreadable, and holds no token in the clear", async () => {
  const { set } = await signIn();
  expect(set.length).toBeGreaterThan(0);
  for (const one of set) {
    expect(one).toMatch(/^__Host-session/);
    expect(one).toMatch(/; Path=\/(;|$)/);
    for (const flag of ["HttpOnly", "Secure", "SameSite=Strict"]) expect(one).toContain(flag);
    expect(one).not.toContain("Domain");
    expect(one).not.toContain(token.split(".")[1]);
  }
});

test.each([
  ["from another origin", { origin: "https://evil.example" }],
  ["from an origin that hides itself", { origin: "null" }],
  ["without an origin", {}],
  ["by another site, as the browser says", { origin: "", "sec-fetch-site": "cross-site" }],
  ["by another site of the same domain", { origin: "", "sec-fetch-site": "same-site" }],
])("a change asked for %s is refused", async (_name, headers: Record<string, string>) => {
  const { cookie } = await signIn();
  const given = { ...headers, ...(headers["origin"] === "" ? { origin: ground.url } : {}) };
  const { generation } = (await ground.cluster.workflow("target")).metadata;
  const answer = await ask(`${place()}/start`, { method: "POST", headers: { ...form, cookie, ...given } });
  expect(answer.status).toBe(403);
  expect((await ground.cluster.workflow("target")).metadata.generation).toBe(generation);
});

test("a change as text or as a file's form is refused, from wherever", async () => {
  const { cookie } = await signIn();
  for (const type of ["text/plain", "multipart/form-data; boundary=x"]) {
    const headers = { cookie, origin: ground.url, "content-type": type };
    expect((await ask(`${place()}/start`, { method: "POST", headers, body: "x" })).status).toBe(403);
  }
});

test.each(["edit", "edit/check"])(
  "nobody edits by %s for another site, unsigned, or with what no page sends",
  async (deed) => {
    const { cookie } = await signIn();
    const post = (headers: Record<string, string>, body: string) =>
      ask(`${place()}/${deed}`, { method: "POST", headers: { ...form, ...headers }, body });
    const { metadata, spec } = await ground.cluster.workflow("target");
    const said = JSON.stringify({ ...spec, revisionHistoryLimit: 1 });
    const { uid, generation } = metadata;
    const body = new URLSearchParams({ do: "save", uid, generation: `${generation}`, base: said, said }).toString();
    expect((await post({ cookie, origin: "https://evil.example" }, body)).status).toBe(403);
    expect((await post({ cookie, origin: ground.url, "sec-fetch-site": "same-site" }, body)).status).toBe(403);
    expect((await post({ origin: ground.url }, body)).status).toBe(401);
    for (const nonsense of ["", "spec.__proto__.x=1", "base=[&uid=a&generation=1", "base={}&uid=a&generation=x"]) {
      expect((await post({ cookie, origin: ground.url }, nonsense)).status).toBe(422);
    }
    expect((await ground.cluster.workflow("target")).metadata.generation).toBe(generation);
  },
);

test("another site's scripts may not read; a link may lead here", async () => {
  const { cookie } = await signIn();
  const read = await ask(list(), { headers: { cookie, "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors" } });
  expect(read.status).toBe(403);
  // fetch says by itself that it is no navigation.
  const led = await request(`${ground.url}/sign-in`, {
    headers: { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" },
  });
  expect(led.statusCode).toBe(200);
  await led.body.dump();
});

test("no page may frame this one, and no script but its own runs", async () => {
  const { headers } = await ask("/sign-in");
  const policy = headers.get("content-security-policy") ?? "";
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toContain("unsafe");
  expect(headers.get("x-frame-options")).toBe("SAMEORIGIN");
  expect(headers.get("x-content-type-options")).toBe("nosniff");
  expect(headers.get("cache-control")).toBe("no-store");
});

test("a copied cookie is worth nothing after sign-out", async () => {
  const { cookie } = await signIn();
  expect((await ask(list(), { headers: { cookie } })).status).toBe(200);
  await ask("/sign-out", { method: "POST", headers: { ...form, cookie, origin: ground.url } });
  const again = await ask(list(), { headers: { cookie } });
  expect(again.status).toBe(303);
  expect(again.headers.get("location")).toMatch(/^\/sign-in\?to=/);
  const changed = await ask(`${place()}/start`, { method: "POST", headers: { ...form, cookie, origin: ground.url } });
  expect(changed.status).toBe(401);
});

test("a cookie that was tampered with signs nobody in", async () => {
  const { cookie } = await signIn();
  const [name = "", value = ""] = cookie.split(/=(.*)/s, 2);
  const other = `${value.slice(0, -4)}${value.endsWith("AAAA") ? "BBBB" : "AAAA"}`;
  expect((await ask(list(), { headers: { cookie: `${name}=${other}` } })).status).toBe(303);
});

test.each(["authorization", "x-forwarded-user", "x-remote-user", "impersonate-user", "x-forwarded-access-token"])(
  "a header %s makes nobody of a stranger, nor somebody else of a person",
  async (header) => {
    const admin = { [header]: header === "authorization" ? `Bearer ${token}` : "system:admin" };
    expect((await ask(list(), { headers: admin })).status).toBe(303);
    const { cookie } = await signIn();
    const page = await ask(list(), { headers: { cookie, ...admin } });
    expect(await page.text()).toContain(`system:serviceaccount:${ground.cluster.namespace}:person`);
  },
);

test("after signing in, nobody is led to another site", async () => {
  for (const to of ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"]) {
    const body = new URLSearchParams({ token, to }).toString();
    const answer = await ask("/sign-in", { method: "POST", headers: { ...form, origin: ground.url }, body });
    expect(answer.headers.get("location")).toBe("/workflows");
  }
});

test("a token stands in no URL, page or log", async () => {
  const { cookie } = await signIn();
  const page = await (await ask(list(), { headers: { cookie } })).text();
  for (const text of [page, JSON.stringify(ground.log)]) expect(text).not.toContain(token.slice(0, 40));
  expect((await ask(`/sign-in?token=${token}`)).status).toBe(200);
  expect(JSON.stringify(ground.log)).not.toContain(token.slice(0, 40));
});

test("a token that the cluster does not take, and nonsense, are refused alike", async () => {
  for (const bad of ["nonsense", "a.b.c", `${token}x`, "ä\r\nx: y", ""]) {
    const body = new URLSearchParams({ token: bad }).toString();
    const answer = await ask("/sign-in", { method: "POST", headers: { ...form, origin: ground.url }, body });
    expect([401, 422]).toContain(answer.status);
    expect(answer.headers.getSetCookie()).toEqual([]);
  }
});

/** The events of a stream, until it ends. */
async function eventsOf(cookie: string, whenOpen: () => Promise<unknown>): Promise<readonly string[]> {
  const answer = await ask(`/live/workflows?namespace=${ground.cluster.namespace}`, { headers: { cookie } });
  expect(answer.status).toBe(200);
  const names: string[] = [];
  let text = "";
  for await (const chunk of answer.body ?? []) {
    text += Buffer.from(chunk).toString("utf8");
    const found = [...text.matchAll(/^event: (.*)$/gm)].map(([, name = ""]) => name);
    if (names.length === 0 && found.length > 0) void whenOpen();
    names.splice(0, names.length, ...found);
  }
  return names;
}

test("a stream ends at once when its person signs out", async () => {
  const { cookie } = await signIn();
  const names = await eventsOf(cookie, () =>
    ask("/sign-out", { method: "POST", headers: { ...form, cookie, origin: ground.url } }),
  );
  expect(names.at(-1)).toBe("end");
});

test("a stream ends when the cluster takes the token no more", async () => {
  const other = await ground.person("leaver", "get", "list", "watch");
  const { cookie } = await signIn(other);
  const names = await eventsOf(cookie, () => ground.cluster.kubectl("delete", "serviceaccount", "leaver"));
  expect(names.at(-1)).toBe("end");
});
