/** A browser without a screen: it keeps cookies by host, follows nothing by itself, and can do what a browser would not. */
import { readFileSync } from "node:fs";
import { Agent, fetch, type Response } from "undici";
import type { TestIssuer } from "./issuer.ts";

export class Visitor {
  readonly #jars = new Map<string, Map<string, string>>();
  readonly #agent: Agent;
  /** Each cookie as it was set. */
  readonly set: string[] = [];

  constructor(caFile: string) {
    this.#agent = new Agent({ connect: { ca: readFileSync(caFile, "utf8") }, maxHeaderSize: 128 * 1024 });
  }

  cookies(url: string): string {
    return [...this.#jar(url)].map(([name, value]) => `${name}=${value}`).join("; ");
  }

  async get(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return this.#ask(url, { method: "GET", headers: { ...headers } });
  }

  async post(
    url: string,
    body: Readonly<Record<string, string>> = {},
    more: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const headers = { "content-type": "application/x-www-form-urlencoded", origin: new URL(url).origin, ...more };
    return this.#ask(url, { method: "POST", headers, body: new URLSearchParams(body).toString() });
  }

  /** From the page to the issuer, in there, and to where the issuer sends the browser back: the callback, not yet visited. */
  async throughIssuer(
    page: string,
    issuer: Pick<TestIssuer, "url">,
    login: string,
    to = "/workflows",
    agrees = true,
  ): Promise<string> {
    const start = await this.get(`${page}/sign-in/start?to=${encodeURIComponent(to)}`);
    let next = start.headers.get("location") ?? `no redirect but ${start.status}: ${await start.text()}`;
    while (next.startsWith(issuer.url)) {
      let answer = await this.get(next);
      if (answer.status === 200) answer = await this.#enter(await answer.text(), login, agrees);
      const location = answer.headers.get("location");
      if (location === null) throw new Error(`the issuer goes nowhere: ${answer.status} ${await answer.text()}`);
      next = new URL(location, next).href;
    }
    return next;
  }

  /** @returns the page that is there after signing in */
  async signIn(page: string, issuer: Pick<TestIssuer, "url">, login: string, to?: string): Promise<Response> {
    return this.get(await this.throughIssuer(page, issuer, login, to));
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  #enter(form: string, login: string, agrees: boolean): Promise<Response> {
    const [, action = ""] = /<form[^>]* action="([^"]*)"/.exec(form) ?? [];
    const [, prompt = ""] = /name="prompt" value="([^"]*)"/.exec(form) ?? [];
    if (prompt === "consent" && !agrees) {
      const [, cancel = ""] = /<a href="([^"]*)">\[ Cancel \]/.exec(form) ?? [];
      return this.get(cancel);
    }
    return this.post(action, prompt === "login" ? { prompt, login, password: "any" } : { prompt });
  }

  async #ask(url: string, init: NonNullable<Parameters<typeof fetch>[1]>): Promise<Response> {
    const cookie = this.cookies(url);
    const headers = { ...(init.headers as Record<string, string>), ...(cookie === "" ? {} : { cookie }) };
    const answer = await fetch(url, { ...init, headers, redirect: "manual", dispatcher: this.#agent });
    const jar = this.#jar(url);
    for (const one of answer.headers.getSetCookie()) {
      this.set.push(one);
      const [, name = "", value = ""] = /^([^=]*)=([^;]*)/.exec(one) ?? [];
      const [, expires] = /; expires=([^;]*)/i.exec(one) ?? [];
      if (value === "" || (expires !== undefined && Date.parse(expires) <= Date.now())) jar.delete(name);
      else jar.set(name, value);
    }
    return answer;
  }

  #jar(url: string): Map<string, string> {
    const { host } = new URL(url);
    const jar = this.#jars.get(host) ?? new Map<string, string>();
    this.#jars.set(host, jar);
    return jar;
  }
}
