/** The `Prefer` header, as far as Dataverse knows it. Source: webapi/compose-http-requests-handle-errors.md, Prefer Headers. */
export interface Preferences {
  readonly maxPageSize: number | undefined;
  readonly trackChanges: boolean;
  readonly returnRepresentation: boolean;
  /** `$batch`: go on after an error. */
  readonly continueOnError: boolean;
  /** Whether an annotation, by its full name, was asked for. */
  readonly annotates: (annotation: string) => boolean;
  /** What goes into `Preference-Applied`. */
  readonly applied: readonly string[];
}

export const formattedValueAnnotation = "OData.Community.Display.V1.FormattedValue";
export const lookupTableAnnotation = "Microsoft.Dynamics.CRM.lookuplogicalname";
export const navigationAnnotation = "Microsoft.Dynamics.CRM.associatednavigationproperty";

export function parsePreferences(header: string | undefined): Preferences {
  const applied: string[] = [];
  let maxPageSize: number | undefined;
  let trackChanges = false;
  let returnRepresentation = false;
  let continueOnError = false;
  let patterns: readonly string[] = [];
  for (const part of splitOutsideQuotes(header ?? "")) {
    const [name = "", value = ""] = part.split(/=(.*)/s).map((text) => text.trim());
    const plain = value.replace(/^"|"$/g, "");
    if (name === "odata.maxpagesize" && /^\d+$/.test(plain)) maxPageSize = Number(plain);
    else if (name === "odata.track-changes") trackChanges = true;
    else if (name === "odata.continue-on-error") continueOnError = plain !== "false";
    else if (name === "return" && plain === "representation") returnRepresentation = true;
    else if (name === "odata.include-annotations") patterns = plain.split(",").map((text) => text.trim());
    else continue;
    applied.push(part.trim());
  }
  const annotates = (annotation: string) =>
    patterns.some((pattern) =>
      pattern.endsWith("*") ? annotation.startsWith(pattern.slice(0, -1)) : pattern === annotation,
    );
  return { maxPageSize, trackChanges, returnRepresentation, continueOnError, annotates, applied };
}

function splitOutsideQuotes(text: string): string[] {
  return text.match(/(?:[^,"]|"[^"]*")+/g) ?? [];
}
