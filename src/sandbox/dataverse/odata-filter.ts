import { badRequest } from "./errors.ts";

/** What a property name stands for in one row; null when it is empty. @throws DataverseRefusal for an unknown name */
export type PropertyReader<T> = (row: T, property: string) => string | number | boolean | null;
export type Predicate<T> = (row: T) => boolean;

type Scalar = string | number | boolean | null;
type Token =
  | { readonly kind: "word" | "punctuation"; readonly text: string }
  | { readonly kind: "literal"; readonly value: Scalar };

const comparisons: Readonly<Record<string, (order: number) => boolean>> = {
  eq: (order) => order === 0,
  ne: (order) => order !== 0,
  gt: (order) => order > 0,
  ge: (order) => order >= 0,
  lt: (order) => order < 0,
  le: (order) => order <= 0,
};
const functions: Readonly<Record<string, (text: string, part: string) => boolean>> = {
  contains: (text, part) => text.includes(part),
  startswith: (text, part) => text.startsWith(part),
  endswith: (text, part) => text.endsWith(part),
};

/**
 * The part of OData's `$filter` that Dataverse queries use: comparisons, and, or, not, parentheses, contains,
 * startswith, endswith, null. Text compares without regard to case, as in Dataverse
 * (webapi/query/filter-rows.md). Order comparisons with null are false; `eq null` and `ne` know null.
 * @throws DataverseRefusal 0x80060888 on a syntax error
 */
export function parseFilter<T>(filter: string, read: PropertyReader<T>): Predicate<T> {
  const tokens = tokenize(filter);
  let next = 0;

  const fail = (): never => {
    throw badRequest(`Syntax error in '${filter}'.`, "0x80060888");
  };
  const peek = () => tokens[next];
  const isWord = (text: string) => peek()?.kind === "word" && (peek() as { text: string }).text === text;
  const isMark = (text: string) => peek()?.kind === "punctuation" && (peek() as { text: string }).text === text;
  const expectMark = (text: string) => {
    if (!isMark(text)) fail();
    next += 1;
  };

  const parseOr = (): Predicate<T> => {
    let left = parseAnd();
    while (isWord("or")) {
      next += 1;
      const [first, second] = [left, parseAnd()];
      left = (row) => first(row) || second(row);
    }
    return left;
  };
  const parseAnd = (): Predicate<T> => {
    let left = parseNot();
    while (isWord("and")) {
      next += 1;
      const [first, second] = [left, parseNot()];
      left = (row) => first(row) && second(row);
    }
    return left;
  };
  const parseNot = (): Predicate<T> => {
    if (isWord("not")) {
      next += 1;
      const inner = parseNot();
      return (row) => !inner(row);
    }
    if (isMark("(")) {
      next += 1;
      const inner = parseOr();
      expectMark(")");
      return inner;
    }
    return parseTerm();
  };
  const parseTerm = (): Predicate<T> => {
    const token = peek();
    if (token?.kind !== "word") return fail();
    next += 1;
    const call = functions[token.text];
    if (call !== undefined && isMark("(")) return parseCall(call);
    const operator = peek();
    const test = operator?.kind === "word" ? comparisons[operator.text] : undefined;
    if (test === undefined) return fail();
    next += 1;
    const literal = peek();
    if (literal?.kind !== "literal") return fail();
    next += 1;
    return comparison(token.text, operator?.kind === "word" ? operator.text : "", test, literal.value, read);
  };
  const parseCall = (call: (text: string, part: string) => boolean): Predicate<T> => {
    expectMark("(");
    const property = peek();
    next += 1;
    expectMark(",");
    const part = peek();
    next += 1;
    expectMark(")");
    if (property?.kind !== "word" || part?.kind !== "literal") return fail();
    const wanted = String(part.value).toLowerCase();
    return (row) => call(String(read(row, property.text) ?? "").toLowerCase(), wanted);
  };

  const predicate = parseOr();
  if (next < tokens.length) fail();
  return predicate;
}

function comparison<T>(
  property: string,
  operator: string,
  test: (order: number) => boolean,
  wanted: Scalar,
  read: PropertyReader<T>,
): Predicate<T> {
  return (row) => {
    const value = read(row, property);
    if (value === null || wanted === null) {
      if (operator === "eq") return value === wanted;
      return operator === "ne" && value !== wanted;
    }
    return test(compareScalars(value, wanted));
  };
}

/** Negative, zero or positive; text without regard to case, null first. */
export function compareScalars(a: Scalar, b: Scalar): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1;
  if (typeof a === "number" && typeof b === "number") return a - b;
  const [left, right] = [String(a).toLowerCase(), String(b).toLowerCase()];
  return left < right ? -1 : left > right ? 1 : 0;
}

const shapes: readonly [RegExp, (text: string) => Token | undefined][] = [
  [/^\s+/, () => undefined],
  [/^'(?:[^']|'')*'/, (text) => ({ kind: "literal", value: text.slice(1, -1).replaceAll("''", "'") })],
  [/^[\w.]+'(?:[^']|'')*'/, (text) => ({ kind: "literal", value: text.slice(text.indexOf("'") + 1, -1) })],
  [/^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}/, (text) => ({ kind: "literal", value: text.toLowerCase() })],
  [
    /^\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-]\d{2}:\d{2}))?/,
    (text) => ({ kind: "literal", value: text.replace(/\.0+Z$/, "Z") }),
  ],
  [/^-?\d+(?:\.\d+)?/, (text) => ({ kind: "literal", value: Number(text) })],
  [/^(?:null|true|false)\b/, (text) => ({ kind: "literal", value: text === "null" ? null : text === "true" })],
  [/^[A-Za-z_][\w/]*/, (text) => ({ kind: "word", text })],
  [/^[(),]/, (text) => ({ kind: "punctuation", text })],
];

function tokenize(filter: string): Token[] {
  const tokens: Token[] = [];
  let rest = filter;
  while (rest !== "") {
    const shape = shapes.find(([pattern]) => pattern.test(rest));
    const text = shape?.[0].exec(rest)?.[0];
    if (shape === undefined || text === undefined) throw badRequest(`Syntax error in '${filter}'.`, "0x80060888");
    const token = shape[1](text);
    if (token !== undefined) tokens.push(token);
    rest = rest.slice(text.length);
  }
  return tokens;
}
