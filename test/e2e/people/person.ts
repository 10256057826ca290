/** Somebody with a token of their own and no other right than their role's: with the page, the plugin, or kubectl. */
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dump, load } from "js-yaml";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { inject } from "vitest";
import { Plugin } from "../../integration/kubectl/plugin.ts";
import { Kubectl } from "../workflows/kubectl.ts";

interface Kubeconfig {
  readonly clusters: readonly { readonly name: string }[];
}

export class Person {
  readonly plugin: Plugin;
  readonly kubectl: Kubectl;
  readonly #token: string;

  private constructor(token: string, kubeconfig: string, namespace: string) {
    this.#token = token;
    this.plugin = new Plugin(kubeconfig, namespace, { KUBECTL: inject("kubectl") });
    this.kubectl = new Kubectl(inject("kubectl"), kubeconfig, namespace);
  }

  /** @param account a service account of the namespace */
  static async signIn(admin: Kubectl, namespace: string, account: string): Promise<Person> {
    const token = (await admin.run(["create", "token", account])).trim();
    const known = load(readFileSync(inject("kubeconfig"), "utf8")) as Kubeconfig;
    const [cluster] = known.clusters;
    const kubeconfig = join(mkdtempSync(join(tmpdir(), "person-")), "kubeconfig");
    const context = { name: "person", context: { cluster: cluster?.name, user: "person", namespace } };
    const users = [{ name: "person", user: { token } }];
    writeFileSync(kubeconfig, dump({ ...known, users, contexts: [context], "current-context": "person" }), {
      mode: 0o600,
    });
    return new Person(token, kubeconfig, namespace);
  }

  /** A window of the person's own at the page's list of a namespace, signed in through the form. */
  async open(browser: Browser, url: string, namespace: string, options: BrowserContextOptions = {}): Promise<Page> {
    const page = await (await browser.newContext(options)).newPage();
    await page.goto(`${url}/workflows?namespace=${namespace}`);
    await page.getByLabel("Token").fill(this.#token);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Workflows" }).waitFor();
    return page;
  }
}
