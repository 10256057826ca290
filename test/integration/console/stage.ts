/** The preamble of a file of tests: the ground, a browser, and people with rights of their own, as long as the file runs. */
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, inject } from "vitest";
import { startBrowser } from "./browser.ts";
import { ConsoleGround } from "./ground.ts";
import { signedIn } from "./signed-in.ts";

interface SignedInPage {
  readonly page: Page;
  readonly complaints: string[];
}

export interface Stage<Name extends string> {
  readonly ground: ConsoleGround;
  readonly browser: Browser;
  token(name: Name): string;
  /** A browser of that person's own, at the list of the namespace. */
  enter(name: Name, options?: BrowserContextOptions): Promise<SignedInPage>;
}

interface StageOptions {
  /** Whose API server; absent: that of all tests. */
  readonly kubeconfig?: () => Promise<string>;
  readonly operator?: boolean;
  readonly flags?: readonly string[];
}

/**
 * After each test no page that was entered may have broken the content security policy, thrown, or asked anything.
 * @param people what each may do to workflows of the namespace
 */
export function stage<Name extends string>(
  people: Readonly<Record<Name, readonly string[]>>,
  { kubeconfig = async () => inject("kubeconfig"), operator = false, flags = [] }: StageOptions = {},
): Stage<Name> {
  let ground: ConsoleGround;
  let browser: Browser;
  const tokens = new Map<string, string>();
  const entered: SignedInPage[] = [];

  beforeAll(async () => {
    ground = await ConsoleGround.make(await kubeconfig(), ...flags);
    if (operator) await ground.cluster.operator();
    browser = await startBrowser();
    for (const [name, verbs] of Object.entries<readonly string[]>(people)) {
      tokens.set(name, await ground.person(name, ...verbs));
    }
  });
  afterEach(async () => {
    const complaints = entered.flatMap((one) => one.complaints);
    for (const { page } of entered.splice(0)) await page.context().close();
    expect(complaints.filter((text) => grave.test(text))).toEqual([]);
  });
  afterAll(async () => {
    await browser?.close();
    await ground?.end();
  });

  const token = (name: Name): string => tokens.get(name) ?? "";
  return {
    get ground() {
      return ground;
    },
    get browser() {
      return browser;
    },
    token,
    async enter(name, options) {
      const signed = await signedIn(browser, ground, token(name), options);
      entered.push(signed);
      return signed;
    },
  };
}

const grave = /Content Security Policy|^a dialog: |^thrown: /;
