/** The whole round in a browser, with the issuer on another site: what cookies go where, what is left behind, and what it looks like. */
import type { Browser, BrowserContext, Page, Request } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { patience } from "../operator/ground.ts";
import { violations } from "./axe.ts";
import { startBrowser } from "./browser.ts";
import { OidcGround } from "./oidc-ground.ts";

let ground: OidcGround;
let browser: Browser;

beforeAll(async () => {
  ground = await OidcGround.make({ alice: ["operators"], bob: ["readers"] });
  await ground.allow("operators", ground.page.cluster.namespace, "get", "list", "watch", "patch");
  await ground.allow("readers", ground.page.cluster.namespace, "get", "list", "watch");
  await ground.page.cluster.apply("target");
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  await ground?.end();
});
afterEach(() => ground.issuer.behave());

const path = () => `/workflows/${ground.page.cluster.namespace}/target`;

/** Whatever passes between the browser and the page's server, and what the browser complains of there. */
async function somebody(
  options: Parameters<Browser["newContext"]>[0] = {},
): Promise<{ context: BrowserContext; page: Page; seen: string[]; complaints: string[]; requests: Request[] }> {
  // The issuer's authority is none of the browser's; the page's server checks it by itself.
  const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
  await context.route("https://fonts.googleapis.com/**", (route) => route.abort());
  const page = await context.newPage();
  const [seen, complaints, requests]: [string[], string[], Request[]] = [[], [], []];
  context.on("request", (request) => {
    requests.push(request);
    seen.push(request.url());
  });
  context.on("response", (response) => {
    if (!response.url().startsWith(ground.url)) return;
    const isStream = response.headers()["content-type"]?.startsWith("text/event-stream") === true;
    if (!isStream && response.status() < 300)
      void response.text().then(
        (text) => seen.push(text),
        () => {},
      );
  });
  page.on("console", (message) => {
    const isOurs = message.location().url.startsWith(ground.url);
    if (isOurs && ["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  return { context, page, seen, complaints, requests };
}

async function signIn(page: Page, name: string): Promise<void> {
  await page.getByRole("link", { name: /^Sign in at/ }).click();
  await page.getByPlaceholder("Enter any login").fill(name);
  await page.getByPlaceholder("and password").fill("any");
  await page.getByRole("button", { name: "Sign-in" }).click();
  await page.getByRole("button", { name: "Continue" }).click();
}

test("a person is led to the issuer and back to the page that they asked for, works there, and signs out of both", async () => {
  ground.issuer.behave({ givesRefreshTokens: true });
  const { context, page, seen, complaints, requests } = await somebody();
  await page.goto(`${ground.url}${path()}`);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await signIn(page, "alice");
  await page.waitForURL(`${ground.url}${path()}`);
  await page.getByText("oidc:alice").waitFor();

  // Strict: not with what the issuer has sent here, but with what this server's own page goes on to.
  const callback = requests.find((request) => request.url().includes("/sign-in/callback"));
  expect((await callback?.allHeaders())?.["cookie"]).not.toContain("__Host-session");
  expect((await callback?.allHeaders())?.["cookie"]).toContain("__Host-sign-in-");
  const target = requests.findLast((request) => request.url().endsWith(path()));
  expect((await target?.allHeaders())?.["cookie"]).toMatch(/^__Host-session=[^;]*$/);
  expect((await target?.allHeaders())?.["referer"]).toBeUndefined();
  const kept = await context.cookies(ground.url);
  expect(kept.map(({ name, sameSite, httpOnly, secure }) => [name, sameSite, httpOnly, secure])).toEqual([
    ["__Host-session", "Strict", true, true],
  ]);

  await page.getByRole("button", { name: "Start" }).click();
  await page.getByText("It was asked to start.").waitFor();
  expect((await ground.page.cluster.workflow("target")).spec.state).toBe("Running");

  // Going back leads to no page with a code in its address.
  const addresses: string[] = [];
  for (let times = 0; times < 4; times += 1) {
    await page.goBack().catch(() => null);
    addresses.push(page.url());
  }
  expect(addresses.filter((address) => address.includes("code="))).toEqual([]);

  await page.goto(`${ground.url}${path()}`);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "You are signed out here" }).waitFor();
  await page.getByRole("link", { name: /^Sign out at/ }).click();
  await page.getByRole("button", { name: "Yes, sign me out" }).click();
  await page.waitForURL(`${ground.url}/signed-out`);
  await page.getByRole("link", { name: "Sign in again" }).click();
  await page.getByRole("link", { name: /^Sign in at/ }).click();
  await page.getByPlaceholder("Enter any login").waitFor();

  const said = [...seen, JSON.stringify(ground.page.log), await page.content()].join("\n");
  expect(ground.issuer.tokens.length).toBeGreaterThan(1);
  for (const token of ground.issuer.tokens) expect(said.includes(token.slice(-40))).toBe(false);
  expect(complaints).toEqual([]);
  await context.close();
});

test("a link on another site leads somebody who is signed in to its page, not to sign in again", async () => {
  const { context, page, requests } = await somebody();
  await page.goto(`${ground.url}${path()}`);
  await signIn(page, "alice");
  await page.getByText("oidc:alice").waitFor();
  const elsewhere = `${ground.issuer.url}/elsewhere`;
  await context.route(elsewhere, (route) =>
    route.fulfill({ contentType: "text/html", body: `<a href="${ground.url}${path()}">the workflow</a>` }),
  );
  await page.goto(elsewhere);
  const before = requests.length;
  await page.getByRole("link", { name: "the workflow" }).click();
  await page.getByText("oidc:alice").waitFor();
  expect(page.url()).toBe(`${ground.url}${path()}`);
  // The strict cookie stays back from what the other site has begun.
  const [led] = requests.slice(before);
  expect((await led?.allHeaders())?.["cookie"]).toBeUndefined();
  await page.goBack();
  expect(page.url()).toBe(elsewhere);
  await context.close();
});

test("a cookie that was copied before sign-out signs nobody in after it", async () => {
  const { context, page } = await somebody();
  await page.goto(`${ground.url}${path()}`);
  await signIn(page, "alice");
  await page.getByText("oidc:alice").waitFor();
  const copy = await context.cookies(ground.url);
  const thief = await somebody();
  await thief.context.addCookies(copy);
  await thief.page.goto(`${ground.url}${path()}`);
  await thief.page.getByText("oidc:alice").waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "You are signed out here" }).waitFor();
  // The open page of the copy hears of it as well.
  await expect.poll(() => thief.page.locator("#liveness").textContent(), patience).toContain("your sign-in has ended");
  await thief.page.goto(`${ground.url}${path()}`);
  await thief.page.getByRole("heading", { name: "Sign in" }).waitFor();
  await context.close();
  await thief.context.close();
});

test("an open page says that the sign-in has ended when its token does; one that is renewed stays live", async () => {
  // Time enough for a browser to come back with it and open the page, on a busy machine.
  ground.issuer.behave({ idTokenSeconds: 15 });
  const [ending, renewed] = [await somebody(), await somebody()];
  await ending.page.goto(`${ground.url}${path()}`);
  await signIn(ending.page, "bob");
  await ending.page.getByText("oidc:bob").waitFor();
  ground.issuer.behave({ idTokenSeconds: 15, givesRefreshTokens: true });
  await renewed.page.goto(`${ground.url}${path()}`);
  await signIn(renewed.page, "bob");
  await renewed.page.getByText("oidc:bob").waitFor();
  await expect.poll(() => ending.page.locator("#liveness").textContent(), patience).toContain("sign-in has ended");
  ground.issuer.behave({ givesRefreshTokens: true });
  const before = ground.issuer.asked.length;
  await expect.poll(() => ground.issuer.asked.slice(before), patience).toContain("refresh_token");
  await expect.poll(() => renewed.page.locator("#liveness").textContent(), patience).toBe("Live");
  await ground.page.cluster.patch("target", { state: "Stopped" });
  await renewed.page.getByRole("button", { name: "Start" }).waitFor();
  await ending.context.close();
  await renewed.context.close();
});

test.each([
  ["light", { width: 1280, height: 800 }],
  ["dark", { width: 1280, height: 800 }],
  ["light", { width: 320, height: 640 }],
  ["dark", { width: 320, height: 640 }],
] as const)("its pages keep axe content, %s, %o", async (colorScheme, viewport) => {
  const { context, page } = await somebody({ colorScheme, viewport });
  const pictures = process.env["SCREENSHOTS"];
  const look = async (name: string) => {
    expect(await violations(page), name).toEqual([]);
    expect(await page.evaluate("document.documentElement.scrollWidth"), name).toBeLessThanOrEqual(viewport.width);
    if (pictures !== undefined)
      await page.screenshot({ path: `${pictures}/${name}-${colorScheme}-${viewport.width}.png` });
  };
  await page.goto(`${ground.url}/sign-in`);
  await look("sign-in");
  await page.goto(`${ground.url}/sign-in/callback?state=x`);
  await look("sign-in-refused");
  await page.goto(`${ground.url}/signed-out`);
  await look("signed-out");
  await context.close();
});
