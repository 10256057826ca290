/** What somebody asks about records, checked. Pure. */
import { longestKeyCharacters, type RedriveQuestion } from "./answers.ts";

/** A question that cannot be answered as it was asked: what is wrong, and how to ask. */
export class AskedWronglyError extends Error {
  override readonly name = "AskedWronglyError";
  readonly code: "BadQuestion" | "UnknownMapping" | "UnknownReason";
  /** HTTP's. */
  readonly status: 400 | 404;

  constructor(code: AskedWronglyError["code"], message: string) {
    super(message);
    this.code = code;
    this.status = code === "BadQuestion" ? 400 : 404;
  }
}

/** As they are given in a query or as JSON. */
export type Given = Readonly<Record<string, unknown>>;

export interface RecordQuestion {
  readonly key: string;
  readonly mapping?: string;
  /** Whether Campaign is asked too: one engine call. */
  readonly look: boolean;
}

export interface DeadLettersQuestion {
  readonly mapping?: string;
  readonly reason?: string;
  readonly limit: number;
  readonly before?: string;
}

const mostDeadLetters = 1000;

/** @throws AskedWronglyError */
export function recordQuestion(
  query: Given,
  path: { readonly mapping?: string; readonly key?: string },
): RecordQuestion {
  onlyThese(query, path.key === undefined ? ["key", "mapping", "look"] : ["look"]);
  const key = keyOf(path.key ?? query["key"]);
  const mapping = path.mapping ?? textOf(query, "mapping");
  const look = query["look"] ?? "false";
  if (look !== "true" && look !== "false") throw wrong(`look is true or false, not ${shown(look)}`);
  return { key, look: look === "true", ...(mapping === undefined ? {} : { mapping }) };
}

/** @throws AskedWronglyError */
export function deadLettersQuestion(query: Given): DeadLettersQuestion {
  onlyThese(query, ["mapping", "reason", "limit", "before"]);
  const limit = Number(query["limit"] ?? 50);
  if (!Number.isInteger(limit) || limit < 1 || limit > mostDeadLetters) {
    throw wrong(`limit is a whole number from 1 to ${mostDeadLetters}, not ${shown(query["limit"])}`);
  }
  return { limit, ...texts(query, ["mapping", "reason", "before"]) };
}

/** @throws AskedWronglyError */
export function redriveQuestion(body: unknown): RedriveQuestion {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw wrong('send a JSON object, such as {"mapping": "contact", "reason": "Refused"}');
  }
  const given = body as Given; // An object: its entries are looked at one by one.
  onlyThese(given, ["key", "mapping", "reason", "all", "makeRemovedAgain"]);
  const all = flagOf(given, "all") ?? false;
  const makeRemovedAgain = flagOf(given, "makeRemovedAgain") ?? false;
  const narrow = {
    ...texts(given, ["mapping", "reason"]),
    ...(given["key"] === undefined ? {} : { key: keyOf(given["key"]) }),
  };
  if (Object.keys(narrow).length > 0 === all) {
    throw wrong("say which: a key, a mapping, a reason, or any of them together; or all, and none of them");
  }
  return { ...narrow, all, makeRemovedAgain };
}

function keyOf(value: unknown): string {
  if (typeof value !== "string" || value.trim() === "") {
    throw wrong("no key is given: name a Dataverse id, or a value of the mapping's key field in Campaign");
  }
  if (value.length > longestKeyCharacters) {
    throw wrong(`the key has ${value.length} characters: no key has more than ${longestKeyCharacters}`);
  }
  return value.trim();
}

function texts<Name extends string>(given: Given, names: readonly Name[]): { readonly [name in Name]?: string } {
  const entries = names.flatMap((name) => {
    const value = textOf(given, name);
    return value === undefined ? [] : [[name, value]];
  });
  return Object.fromEntries(entries);
}

function textOf(given: Given, name: string): string | undefined {
  const value = given[name];
  if (value === undefined) return undefined;
  if (typeof value === "string" && value !== "" && value.length <= longestKeyCharacters) return value;
  throw wrong(`${name} is a text, given once, and not empty or longer than ${longestKeyCharacters} characters`);
}

function flagOf(given: Given, name: string): boolean | undefined {
  const value = given[name];
  if (value === undefined || typeof value === "boolean") return value;
  throw wrong(`${name} is true or false, not ${shown(value)}`);
}

function onlyThese(given: Given, names: readonly string[]): void {
  const other = Object.keys(given).find((name) => !names.includes(name));
  if (other !== undefined) throw wrong(`there is no ${shown(other)} here: there is ${names.join(", ")}`);
}

function wrong(message: string): AskedWronglyError {
  return new AskedWronglyError("BadQuestion", message);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
