/** What an open page is still to be told. Bounded: however slowly the page reads, the newest of each thing is all that waits. */

/** What the browser does with it: puts the parts in place; says that it is live, or not; loads what is shown anew. */
export type Notice = "seen" | "wait" | "refresh";

export interface Letter<Change> {
  readonly changes: readonly Change[];
  readonly notice: Notice | undefined;
  /** Whoever comes back with this version has missed nothing of what went before. */
  readonly version: string;
}

/** More changes than a page has rows are not told one by one. */
const mostChanges = 250;

export class Outbox<Change> {
  readonly #changes = new Map<string, Change>();
  #notice: Notice | undefined;
  #version: string;
  #wake = Promise.withResolvers<void>();

  constructor(version: string) {
    this.#version = version;
  }

  /** A later change of the same thing takes an earlier one's place. */
  put(id: string, change: Change, version: string): void {
    this.#version = version;
    if (this.#notice === "refresh") return;
    this.#changes.set(id, change);
    if (this.#changes.size > mostChanges) this.say("refresh");
    this.#wake.resolve();
  }

  /** The watch has come so far, and there was nothing in it for this page. */
  pass(version: string): void {
    this.#version = version;
  }

  say(notice: Notice): void {
    // Whatever is loaded anew needs no parts, and is not taken back.
    if (notice === "refresh") this.#changes.clear();
    if (this.#notice !== "refresh") this.#notice = notice;
    this.#wake.resolve();
  }

  /** Resolves as soon as there is something to tell. */
  get filled(): Promise<void> {
    return this.#wake.promise;
  }

  take(): Letter<Change> {
    const letter = { changes: [...this.#changes.values()], notice: this.#notice, version: this.#version };
    this.#changes.clear();
    this.#notice = undefined;
    this.#wake = Promise.withResolvers();
    return letter;
  }
}
