/** The same attacks against each way to sign in: whoever asks is who they signed in as, and nobody else. */
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ConsoleGround } from "./ground.ts";
import { OidcGround } from "./oidc-ground.ts";

let ground: OidcGround;
const tokens: Record<string, string> = {};

beforeAll(async () => {
  ground = await OidcGround.make({ alice: ["operators"], bob: ["readers"] });
  for (const name of ["alice", "bob"]) {
    await ground.visitor().signIn(ground.url, ground.issuer, name);
    tokens[name] = ground.issuer.tokens.findLast((token) => token.split(".").length === 3) ?? "";
  }
});
afterAll(() => ground?.end());

type Headers = readonly (readonly [name: string, value: string])[];

const identities: Headers = [
  ["x-remote-user", "system:admin"],
  ["x-remote-group", "system:masters"],
  ["x-remote-extra-scopes", "all"],
  ["impersonate-user", "system:admin"],
  ["impersonate-group", "system:masters"],
  ["x-forwarded-user", "system:admin"],
  ["x-forwarded-email", "admin@example.com"],
  ["forwarded", "for=127.0.0.1;proto=https"],
  ["x-original-url", "/workflows"],
];

describe.each(["token", "oidc", "proxy"] as const)("signing in by %s", (way) => {
  let page: ConsoleGround;
  // Of two of this name Node shows one; of two of another it makes one.
  const header = "authorization";
  const credentials: Record<string, Headers> = {};

  beforeAll(async () => {
    page =
      way === "oidc" ? ground.page : await ConsoleGround.make(ground.controlPlane.kubeconfigPath, "--sign-in", way);
    await page.cluster.apply("target");
    await ground.allow("operators", page.cluster.namespace, "get", "list", "watch", "patch");
    await ground.allow("readers", page.cluster.namespace, "get", "list", "watch");
    for (const name of ["alice", "bob"]) credentials[name] = await signedIn(name);
  });
  afterAll(async () => {
    if (way !== "oidc") await page?.end();
  });

  async function signedIn(name: string): Promise<Headers> {
    if (way === "proxy") return [[header, `Bearer ${tokens[name]}`]];
    const visitor = ground.visitor();
    if (way === "oidc") await visitor.signIn(page.url, ground.issuer, name);
    else await visitor.post(`${page.url}/sign-in`, { token: tokens[name] ?? "" });
    return [["cookie", visitor.cookies(page.url)]];
  }

  async function ask(path: string, headers: Headers, method: "GET" | "POST" = "GET") {
    const form: Headers = method === "POST" ? [["content-type", "application/x-www-form-urlencoded"]] : [];
    const answer = await request(`${page.url}${path}`, { method, headers: [...form, ...headers].flat() });
    return { status: answer.statusCode, text: await answer.body.text() };
  }

  const list = () => `/workflows?namespace=${page.cluster.namespace}`;
  const place = () => `/workflows/${page.cluster.namespace}/target`;
  const stranger = () => (way === "proxy" ? 401 : 303);

  test("no header but the one that is agreed makes somebody of a stranger", async () => {
    const others: Headers = [
      ["x-forwarded-access-token", `Bearer ${tokens["alice"]}`],
      ["cookie", `__Host-session=${tokens["alice"]}`],
      ...(way === "proxy" ? [] : [[header, `Bearer ${tokens["alice"]}`] as const]),
    ];
    for (const one of [...identities, ...others]) {
      const answer = await ask(list(), [one]);
      expect(answer.status, one[0]).toBe(stranger());
      expect(answer.text).not.toContain("target");
    }
  });

  test("no header makes somebody else of a person, nor gives them a right", async () => {
    const bob = credentials["bob"] ?? [];
    for (const one of identities) {
      expect((await ask(list(), [...bob, one])).text).toContain("<bdi>oidc:bob</bdi>");
      const refused = await ask(`${place()}/start`, [...bob, one, ["origin", page.url]], "POST");
      expect([refused.status, refused.text]).toEqual([403, expect.stringContaining("oidc:bob")]);
    }
    expect((await page.cluster.workflow("target")).spec.state).toBe("Stopped");
  });

  test("what another site has a browser send is refused, with whatever comes along", async () => {
    for (const headers of [
      [["origin", "https://evil.example"]],
      [["origin", "null"]],
      [],
      [
        ["origin", page.url],
        ["sec-fetch-site", "same-site"],
      ],
    ] as Headers[]) {
      const answer = await ask(`${place()}/start`, [...(credentials["alice"] ?? []), ...headers], "POST");
      expect(answer.status).toBe(403);
    }
    expect((await page.cluster.workflow("target")).spec.state).toBe("Stopped");
  });

  test("the person may do what they may, and their token stands nowhere", async () => {
    const alice = credentials["alice"] ?? [];
    const seen = await ask(place(), alice);
    expect(seen.text).toContain("<bdi>oidc:alice</bdi>");
    expect((await ask(`${place()}/start`, [...alice, ["origin", page.url]], "POST")).status).toBe(303);
    for (const said of [seen.text, JSON.stringify(page.log)]) expect(said).not.toContain(tokens["alice"]?.slice(-40));
  });

  if (way === "proxy") {
    test("a token that somebody has put beside the proxy's is not taken, in whatever form", async () => {
      const [alice, bob] = [`Bearer ${tokens["alice"]}`, `Bearer ${tokens["bob"]}`];
      const forms: Headers[] = [
        [
          [header, alice],
          [header, bob],
        ],
        [
          [header, alice],
          ["Authorization", bob],
        ],
        [[header, `${alice}, ${bob}`]],
        [[header, `${alice} ${bob}`]],
        [[header, `${tokens["alice"]}\t${tokens["bob"]}`]],
        [[header, "Basic YWRtaW46YWRtaW4="]],
        [[header, ""]],
        [[header, "Bearer "]],
        [[header, "Bearer nonsense"]],
      ];
      for (const headers of forms) expect((await ask(list(), headers)).status, JSON.stringify(headers)).toBe(401);
      expect((await ask(list(), [[header, alice]])).status).toBe(200);
    });
  } else {
    test("a session is new at each sign-in, and the one before ends with it or by sign-out", async () => {
      const [first, second] = [await signedIn("alice"), await signedIn("alice")];
      expect(first).not.toEqual(second);
      const out = await ask("/sign-out", [...second, ["origin", page.url]], "POST");
      expect(out.status).toBe(303);
      expect((await ask(list(), second)).status).toBe(303);
      expect((await ask(list(), first)).status).toBe(200);
      const forced = await ask("/sign-out", [...first, ["origin", "https://evil.example"]], "POST");
      expect(forced.status).toBe(403);
      expect((await ask(list(), first)).status).toBe(200);
    });
  }
});

test("whoever signs in with a token where somebody else is signed in ends that session", async () => {
  const page = await ConsoleGround.make(ground.controlPlane.kubeconfigPath);
  try {
    await ground.allow("readers", page.cluster.namespace, "get", "list", "watch");
    const visitor = ground.visitor();
    await visitor.post(`${page.url}/sign-in`, { token: tokens["bob"] ?? "" });
    const copy = visitor.cookies(page.url);
    const list = `${page.url}/workflows?namespace=${page.cluster.namespace}`;
    expect((await ground.visitor().get(list, { cookie: copy })).status).toBe(200);
    await visitor.post(`${page.url}/sign-in`, { token: tokens["alice"] ?? "" });
    expect((await ground.visitor().get(list, { cookie: copy })).status).toBe(303);
  } finally {
    await page.end();
  }
});
