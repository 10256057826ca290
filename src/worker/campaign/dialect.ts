/**
 * All that differs between the REST API of Campaign Standard and that of Campaign v8, as far as Adobe documents it: the page
 * "Recommendations & limitations" of the move from the one to the other (AdobeDocs/campaign.en, help/v8/dev/api/limitations.md).
 * Everything else is documented in the same words for both. docs/explanation/campaign-v8.md says what that means, and what
 * nobody has tried on a v8 instance.
 */
export type DialectName = "Standard" | "V8";

export interface Dialect {
  readonly name: DialectName;
  /** Whether a refusal is in the engine's own words: a page of a proxy or a maintenance is not. */
  isEngines(text: string): boolean;
  /** Whether a 500 of the engine says of an address that there is nothing. A 404 in its own words always does. */
  isNotHere500(text: string): boolean;
  /**
   * Whether an insert with a key that another record has is refused in words that say so. Where it is not, nobody can tell
   * it from trouble: who inserts must look first.
   */
  readonly namesDuplicates: boolean;
  /** Whether a field is taken by a POST and refused by a PATCH. */
  isInsertOnly(field: string): boolean;
}

/** In the order of the text: the wrapping one first, the telling one last. In JSON, the `n` of a line's end comes before. */
export function engineCodes(text: string): readonly string[] {
  return text.match(/(?<![A-Z])(?:RST|XTK|SOP|WDB|PGS|ODB|SCR|NMS)-\d{6}\b/g) ?? [];
}

const standard: Dialect = {
  name: "Standard",
  isEngines: (text) => engineCodes(text).length > 0,
  // What the engine says of a key or PKey that it cannot place: RST-360011, XTK-170036.
  isNotHere500: (text) => engineCodes(text).some((code) => /^RST|^XTK-17/.test(code)),
  namesDuplicates: true,
  isInsertOnly: () => false,
};

/**
 * Sentences of the page, without the codes that Campaign Standard puts before them. "An error has occurred" is all that is
 * said of a duplicate key, a changed key and a value that its enumeration does not have: a 500 like any other.
 */
const sentencesOfV8 =
  /An error has occurred - please contact your administrator|Unable to decrypt PKey|Unsupported endpoint|Unable to find document with path|property is not valid for the/;

const v8: Dialect = {
  name: "V8",
  isEngines: (text) => sentencesOfV8.test(text) || engineCodes(text).length > 0,
  // A PKey or key that it cannot place is a 404 there.
  isNotHere500: () => false,
  namesDuplicates: false,
  // "PATCH operations on location are not supported in Campaign v8", nor so of its fields: `location.zipCode`.
  isInsertOnly: (field) => field === "location" || field.startsWith("location."),
};

export const dialects: Readonly<Record<DialectName, Dialect>> = { Standard: standard, V8: v8 };
