/** What the API server refuses, at the field that it names. Pure. */
import { ApiError } from "../../kubernetes/errors.ts";
import { patternWords } from "../field-texts.ts";

export interface Problem {
  /** `spec.ingress.mappings[0].table`, as the API server and the form name it; `yaml` for text that cannot be read. */
  readonly path: string;
  readonly message: string;
}

/** @returns undefined when it is no refusal of what the edit says */
export function problemsOf(error: unknown): readonly Problem[] | undefined {
  if (!(error instanceof ApiError) || (error.status !== 422 && error.status !== 400)) return undefined;
  const causes = error.details?.causes ?? [];
  const found = causes.map(({ field = "spec", message = "" }) => ({ path: field, message: plain(message, field) }));
  if (found.length === 0) return [{ path: "spec", message: error.message }];
  // Two rules that are broken by one field are two problems; the same one told twice is one.
  return found.filter(
    (one, index) => found.findIndex(({ path, message }) => path === one.path && message === one.message) === index,
  );
}

/** `Invalid value: "x": spec.a in body should match '...'` in plain words: the rest is to be seen at the field. */
function plain(message: string, field: string): string {
  const said = message
    .replace(/^(Invalid|Unsupported|Duplicate) value: ("(?:[^"\\]|\\.)*"|[^:\s"]+): /s, (_all, kind: string) =>
      kind === "Invalid" ? "" : `${kind} value: `,
    )
    .replace(`${field} in body `, "")
    .replace(/^should match '(.*)'$/s, (all, pattern: string) => patternWords[pattern] ?? all)
    .replace(/^must be of type (?:integer|int\d+): .*$/s, "must be a whole number")
    .replace(/^must be of type (?:number|float|double): .*$/s, "must be a number");
  if (said === "Required value" || said === "") return "It is needed";
  return said.replace(/^Required value: /, "It is needed: ");
}
