/** Keeps the page as the cluster is, and says since when it is not. */
import { texts } from "../texts.ts";
import { beginTrends, hasPlace, put, takeOver } from "./changes.ts";

/** The server says every 15 s that it is there. Whoever slept longer, or whose connection died unseen, has heard nothing. */
const silentMs = 40_000;
const lookEveryMs = 5000;
const firstRetryMs = 1000;
const longestRetryMs = 30_000;

export function followChanges(address: string): void {
  beginTrends();
  new Follower(address).follow();
}

class Follower {
  /** Where changes come from; another one after the page was loaded anew. */
  #address: string;
  #source: EventSource | undefined;
  /** How far the changes have come. */
  #version: string | undefined;
  #heardAt = Date.now();
  /** When the page was last as the cluster was; only while it is not. */
  #lostAt: number | undefined;
  #retryMs = firstRetryMs;
  #timer: number | undefined;
  #isLoading = false;
  #isOver = false;

  constructor(address: string) {
    this.#address = address;
  }

  follow(): void {
    this.#open();
    setInterval(() => this.#look(), lookEveryMs);
    addEventListener("online", () => this.#again(() => this.#open(), 0));
    addEventListener("offline", () => this.#sayLost());
    // A browser has few connections for one server: pages that nobody looks at leave theirs to the others.
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") this.#close();
      else this.#again(() => this.#open(), 0);
    });
  }

  #open(): void {
    this.#close();
    if (document.visibilityState === "hidden") return;
    const url = new URL(this.#address, location.href);
    if (this.#version !== undefined) url.searchParams.set("after", this.#version);
    const source = new EventSource(url);
    this.#source = source;
    const on = (name: string, hear: (event: MessageEvent<string>) => void): void =>
      source.addEventListener(name, (event: MessageEvent<string>) => {
        if (source !== this.#source) return;
        if (event.lastEventId !== "") this.#version = event.lastEventId;
        hear(event);
      });
    on("seen", () => this.#sayLive());
    on("parts", ({ data }) => {
      this.#sayLive();
      // This server's own message.
      const parts = JSON.parse(data) as readonly (readonly [id: string, html: string])[];
      if (parts.every(([, html]) => hasPlace(html))) for (const [id, html] of parts) put(id, html);
      else this.#again(() => this.#load(), 0);
    });
    on("wait", () => this.#sayLost());
    on("refresh", () => {
      this.#close();
      // Whatever makes all pages come at once, they do not.
      this.#again(() => this.#load(), Math.random() * 2000);
    });
    on("end", ({ data }) => this.#end((JSON.parse(data) as { readonly why: string }).why));
    source.addEventListener("error", () => {
      if (source !== this.#source) return;
      // A refusal has a reason that only the page can tell; a connection that was cut has none.
      const isRefused = source.readyState === EventSource.CLOSED;
      this.#close();
      this.#sayLost();
      this.#later(() => (isRefused ? this.#load() : this.#open()));
    });
  }

  #close(): void {
    this.#source?.close();
    this.#source = undefined;
  }

  /** The whole page, for what changed while nobody could tell. */
  async #load(): Promise<void> {
    if (this.#isLoading) return;
    this.#isLoading = true;
    try {
      const answer = await fetch(location.href, { redirect: "manual" });
      // Nobody is signed in, and the server leads to where they can.
      if (answer.type === "opaqueredirect" || answer.status === 401) return this.#end("over");
      if (answer.status === 403) return this.#end("forbidden");
      if (answer.status === 404) return this.#end("gone");
      if (!answer.ok) throw new Error(`${answer.status}`);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const address = fresh.body.dataset["live"];
      // A page that asks for a namespace: in all of them this person may see nothing any more.
      if (address === undefined) return this.#end("forbidden");
      takeOver(fresh);
      this.#address = address;
      this.#version = undefined;
      this.#open();
    } catch {
      this.#later(() => this.#load());
    } finally {
      this.#isLoading = false;
    }
  }

  #later(work: () => unknown): void {
    this.#again(work, this.#retryMs * (0.5 + Math.random()));
    this.#retryMs = Math.min(longestRetryMs, this.#retryMs * 2);
  }

  #again(work: () => unknown, delayMs: number): void {
    if (this.#isOver) return;
    window.clearTimeout(this.#timer);
    this.#timer = window.setTimeout(work, delayMs);
  }

  #look(): void {
    if (this.#isOver || this.#source === undefined || Date.now() - this.#heardAt < silentMs) return;
    this.#sayLost();
    this.#heardAt = Date.now();
    this.#open();
  }

  #end(why: string): void {
    this.#close();
    this.#isOver = true;
    const isSignedOut = why === "over" || why === "signed-out";
    const words = isSignedOut ? texts.liveEnded : why === "forbidden" ? texts.liveForbidden : texts.liveGone;
    say(words(this.#since), false);
    const link = document.createElement("a");
    link.className = "spectrum-Link";
    link.href = location.href;
    link.textContent = isSignedOut ? texts.signInAgain : texts.loadAgain;
    document.getElementById("liveness")?.append(" ", link);
  }

  #sayLive(): void {
    this.#heardAt = Date.now();
    this.#lostAt = undefined;
    this.#retryMs = firstRetryMs;
    say(texts.live, true);
  }

  get #since(): string {
    this.#lostAt ??= this.#heardAt;
    const at = new Date(this.#lostAt);
    return at.toDateString() === new Date().toDateString() ? at.toLocaleTimeString() : at.toLocaleString();
  }

  #sayLost(): void {
    if (!this.#isOver) say(texts.liveLost(this.#since), false);
  }
}

function say(text: string, isWell: boolean): void {
  const liveness = document.getElementById("liveness");
  if (liveness === null) return;
  liveness.hidden = false;
  if (liveness.textContent !== text) liveness.textContent = text;
  liveness.classList.toggle("lost", !isWell);
}
