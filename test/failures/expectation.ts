/** What must be told of a failure: the tests hold the operator to it, and docs/failures.md is written from it. */
export interface Expectation {
  /** What went wrong, as somebody would say who knows it already. */
  readonly cause: string;
  /** How the test brings it about. */
  readonly staged: string;
  /** `status.state`; "as it was": the state keeps its last word. */
  readonly state: "FAILED" | "STARTING" | "RUNNING" | "as it was";
  /** Of the condition Ready, and of `status.failure` while FAILED. */
  readonly reason: string;
  /**
   * By which rule it shows. at once: with the news of it. Otherwise so long after the last moment at which all was well,
   * which the test holds it to.
   */
  readonly shows: "at once" | "after 60 s" | "after 5 minutes" | "30 s after its time to end";
  /**
   * The message of Ready: `{pod}`, `{node}`, `{namespace}` and `{time}` stand for one of those, `{...}` for words of others,
   * which are quoted.
   */
  readonly message: string;
  /** The message of Ready before that, while it is waited for. */
  readonly meanwhile?: string;
  readonly toDo: string;
}

const patterns: Readonly<Record<string, string>> = {
  pod: "[a-z0-9]([-a-z0-9]*[a-z0-9])?",
  node: "[a-z0-9]([-.a-z0-9]*[a-z0-9])?",
  namespace: "[a-z0-9]([-a-z0-9]*[a-z0-9])?",
  time: "\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}Z",
  "...": ".+?",
};

/** A whole message that an expectation's words describe. */
export function messageLike(template: string): RegExp {
  const parts = template.split(/\{(pod|node|namespace|time|\.\.\.)\}/);
  const source = parts.map((part, index) => (index % 2 === 0 ? RegExp.escape(part) : patterns[part])).join("");
  return new RegExp(`^${source}$`, "s");
}
