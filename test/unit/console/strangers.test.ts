import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Registry } from "prom-client";
import { afterAll, describe, expect, test } from "vitest";
import { People, withoutIdentity } from "../../../src/console/person.ts";
import { consoleServer } from "../../../src/console/server.ts";
import type { SignIn } from "../../../src/console/settings.ts";
import { Sessions } from "../../../src/console/sign-in/session.ts";
import { systemClock } from "../../../src/telemetry/clock.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";

const assetsDirectory = mkdtempSync(join(tmpdir(), "console-strangers-"));
afterAll(() => rmSync(assetsDirectory, { recursive: true }));

/** Nobody is there: whoever asks it for a stranger gets an answer of its own. */
const nowhere = "https://127.0.0.1:9";
const publicOrigin = "https://page.example.com";

async function serverBy(signIn: SignIn) {
  const trust = () => ({ ca: undefined, serverName: undefined, skipVerification: false });
  const people = new People(withoutIdentity({ server: nowhere, origin: nowhere, trust }));
  const sessionKey = new Uint8Array(32);
  const sessions = new Sessions({ key: sessionKey, now: Date.now });
  const settings = {
    publicOrigin,
    signIn,
    trustedProxies: [],
    sessionKey,
    assetsDirectory,
    workerImage: undefined,
  };
  return consoleServer({
    settings,
    people,
    sessions,
    registry: new Registry(),
    clock: systemClock,
    logger: silentLogger,
  });
}

const oidc = {
  issuer: nowhere,
  clientId: "page",
  clientSecretFile: undefined,
  caFile: undefined,
  scopes: "openid",
  token: "id_token",
  parameters: {},
} as const;

/** `/*` is fastify's word for the files of `/assets`. */
const forEverybody = ["/", "/*", "/livez", "/sign-in", "/sign-in/start", "/sign-in/callback", "/signed-out"];

describe.each([
  { by: "token" },
  { by: "oidc", oidc },
  { by: "proxy", header: "authorization" },
] as const satisfies readonly SignIn[])("signing in by $by", (signIn) => {
  test("every address that is not for signing in, and every one that is added, asks who somebody is first", async () => {
    const server = await serverBy(signIn);
    await server.ready();
    const routes = routesOf(server.printRoutes({ commonPrefix: false }));
    expect(routes.length).toBeGreaterThan(15);
    for (const { method, path } of routes) {
      if (forEverybody.includes(path)) continue;
      const answer = await server.inject({
        method,
        url: path.replaceAll(/:\w+/g, "some"),
        headers: { origin: publicOrigin, "content-type": "application/x-www-form-urlencoded" },
      });
      const { statusCode, headers } = answer;
      if (path === "/sign-out") expect(statusCode).toBe(303);
      else if (signIn.by === "proxy" || method === "POST" || path.startsWith("/live/"))
        expect(statusCode, `${method} ${path}`).toBe(401);
      else expect([statusCode, headers.location], path).toEqual([303, expect.stringMatching(/^\/sign-in\?to=/)]);
    }
    await server.close();
  });
});

/** As fastify draws them. */
function routesOf(drawn: string): { readonly method: "GET" | "POST"; readonly path: string }[] {
  const parents: string[] = [];
  return drawn.split("\n").flatMap((line) => {
    const [, indent = "", part = "", methods = ""] = /^([│ ]*)[└├]── (\S*) \(([^)]*)\)/.exec(line) ?? [];
    if (methods === "") return [];
    const depth = indent.length / 4;
    parents[depth] = part;
    const path = parents.slice(0, depth + 1).join("");
    return methods
      .split(", ")
      .filter((method) => method === "GET" || method === "POST")
      .map((method) => ({ method, path }));
  });
}
