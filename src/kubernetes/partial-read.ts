/** Reads the text of an object, or of an event of a watch. */
export type ReadJson = (text: string) => unknown;

const opening = ',"managedFields":[{';
const closing = "}]";

/**
 * Parses an object of the API server without its managed fields: about half of its text, and objects like no others.
 *
 * What is cut is a list of objects, from its name to its bracket, the first behind a brace. There is no list within it (source:
 * https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management), and no string of JSON holds its name in
 * quotes, for these have a backslash there. Where the bracket was of something else, of a string or a list within the list,
 * what is left is no JSON: then all of it is parsed, managed fields and all.
 * @throws SyntaxError when it is not JSON
 */
export function readWithoutManagedFields(text: string): unknown {
  const start = text.indexOf(opening);
  const end = start < 0 ? -1 : text.indexOf(closing, start);
  if (end < 0) return JSON.parse(text);
  try {
    return JSON.parse(text.slice(0, start) + text.slice(end + closing.length));
  } catch {
    return JSON.parse(text);
  }
}

/**
 * A part of an object's text that nobody looks into, told by the names around it as kube-apiserver writes them, in the order of
 * the kind's Go type. Where they are not found, all is read.
 */
export interface Unread {
  /** It begins behind these, one found behind the other. */
  readonly after: readonly [string, ...string[]];
  /** It ends before the last of these. */
  readonly before: string;
  /** What it never holds where the order is the usual one. */
  readonly not: readonly string[];
}

/** A reader of a kind, without its managed fields and that part. What it leaves out is gone from the object, or empty. */
export function readerWithout(part: Unread): ReadJson {
  return (text) => {
    const rest = without(text, part);
    if (rest === text) return readWithoutManagedFields(text);
    try {
      return readWithoutManagedFields(rest);
    } catch {
      return readWithoutManagedFields(text);
    }
  };
}

function without(text: string, { after, before, not }: Unread): string {
  let start = 0;
  for (const mark of after) {
    const found = text.indexOf(mark, start);
    if (found < 0) return text;
    start = found + mark.length;
  }
  const end = text.lastIndexOf(before);
  if (end <= start) return text;
  const part = text.slice(start, end);
  return not.some((mark) => part.includes(mark)) ? text : text.slice(0, start) + text.slice(end);
}
