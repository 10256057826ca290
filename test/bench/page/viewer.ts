/** Somebody who has the list open, without a browser. */
import { Agent, fetch } from "undici";

/** Each has connections of their own, as people do. */
export class Viewer {
  readonly #url: string;
  readonly #dispatcher = new Agent();
  readonly #leave = new AbortController();
  #cookie = "";
  /** Bytes of the stream that came. */
  bytes = 0;

  constructor(url: string) {
    this.#url = url;
  }

  async signIn(token: string): Promise<void> {
    const answer = await fetch(`${this.#url}/sign-in`, {
      method: "POST",
      body: new URLSearchParams({ token }),
      headers: { origin: this.#url },
      redirect: "manual",
      dispatcher: this.#dispatcher,
    });
    if (answer.status !== 303) throw new Error(`the page answers a sign-in with ${answer.status}`);
    this.#cookie = answer.headers
      .getSetCookie()
      .map((one) => one.split(";", 1)[0])
      .join("; ");
  }

  async load(path: string): Promise<string> {
    const answer = await fetch(`${this.#url}${path}`, {
      headers: { cookie: this.#cookie },
      dispatcher: this.#dispatcher,
    });
    if (answer.status !== 200) throw new Error(`the page answers ${path} with ${answer.status}`);
    return answer.text();
  }

  /** Loads the list, and listens to what changes until it leaves. */
  async open(path: string): Promise<void> {
    const live = /data-live="([^"]*)"/.exec(await this.load(path))?.[1]?.replaceAll("&amp;", "&");
    const { body } = await fetch(`${this.#url}${live}`, {
      headers: { cookie: this.#cookie },
      dispatcher: this.#dispatcher,
      signal: this.#leave.signal,
    });
    const opened = Promise.withResolvers<void>();
    const listen = async (): Promise<void> => {
      for await (const chunk of body ?? []) {
        this.bytes += chunk.length;
        opened.resolve();
      }
    };
    listen().catch(() => {}); // It has left.
    await opened.promise;
  }

  async leave(): Promise<void> {
    this.#leave.abort();
    await this.#dispatcher.destroy();
  }
}
