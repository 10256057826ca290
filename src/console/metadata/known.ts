/** What is known of both systems while a form is made. Names and labels are other people's text. Pure. */
import { isRecord } from "../../api/json.ts";
import type {
  ColumnTold,
  FieldTold,
  Listed,
  MetadataAnswer,
  ResourceTold,
  TableTold,
  Told,
} from "../../api/worker-metadata.ts";

export interface Side<Whole, Part> {
  readonly url: string;
  readonly whole: Told<Listed<Whole>>;
  readonly parts: ReadonlyMap<string, Told<Listed<Part>>>;
}

export interface Known {
  readonly dynamics: Side<TableTold, ColumnTold>;
  readonly campaign: Side<ResourceTold, FieldTold>;
}

/**
 * Reads an answer as it came from a pod, which may be anybody's.
 * @returns undefined for what is none
 */
export function readAnswer(text: string): Known | undefined {
  const answer = parsed(text);
  if (!isRecord(answer)) return undefined;
  const { dynamics, campaign } = answer;
  if (!isRecord(dynamics) || !isRecord(campaign)) return undefined;
  return {
    dynamics: side<TableTold, ColumnTold>(dynamics, "tables", "columns"),
    campaign: side<ResourceTold, FieldTold>(campaign, "resources", "fields"),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function side<Whole extends object, Part extends object>(
  answer: Readonly<Record<string, unknown>>,
  whole: keyof MetadataAnswer["dynamics"] | keyof MetadataAnswer["campaign"],
  parts: keyof MetadataAnswer["dynamics"] | keyof MetadataAnswer["campaign"],
): Side<Whole, Part> {
  const within = answer[parts];
  const entries = isRecord(within) ? Object.entries(within) : [];
  return {
    url: String(answer["url"] ?? ""),
    whole: told<Whole>(answer[whole]),
    parts: new Map(entries.map(([name, value]) => [name, told<Part>(value)])),
  };
}

function told<Entry extends object>(value: unknown): Told<Listed<Entry>> {
  if (!isRecord(value)) return { is: "Asked" };
  const { is, entries, left, message } = value;
  if (is === "Told" && Array.isArray(entries)) {
    const cleaned = entries.filter(isRecord).map(clean);
    // `clean` has made each field what the contract says, and left out what it could not.
    return { is, entries: cleaned as unknown as readonly Entry[], left: typeof left === "number" ? left : 0 };
  }
  if (is === "Missing" || is === "Refused") return { is, message: plain(message) };
  return { is: "Asked" };
}

function clean(entry: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { name, label, type, rawType, maxLength, target, targets, values, choices } = entry;
  return {
    name: plain(name),
    ...(typeof label === "string" && plain(label) !== "" ? { label: plain(label) } : {}),
    type: plain(type),
    rawType: plain(rawType),
    tracked: entry["tracked"] !== false,
    ...(entry["key"] === "Primary" || entry["key"] === "Alternate" ? { key: entry["key"] } : {}),
    ...(entry["dateOnly"] === true ? { dateOnly: true } : {}),
    ...(entry["readOnly"] === true ? { readOnly: true } : {}),
    ...(typeof maxLength === "number" ? { maxLength } : {}),
    ...(typeof target === "string" ? { target: plain(target) } : {}),
    ...(Array.isArray(targets) ? { targets: targets.map(plain) } : {}),
    ...(Array.isArray(values) ? { values: values.map(plain) } : {}),
    ...(Array.isArray(choices)
      ? {
          choices: choices
            .filter(isRecord)
            .map((choice) => ({ value: plain(choice["value"]), label: plain(choice["label"]) })),
        }
      : {}),
  };
}

const mostCharacters = 120;

/** One line, without signs that turn the text around them. */
function plain(text: unknown): string {
  const words = String(text ?? "")
    .replace(/[\p{Cc}\u2028\u2029]+/gu, " ")
    .replace(/[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/g, "")
    .trim();
  return words.length > mostCharacters ? `${words.slice(0, mostCharacters)}…` : words;
}
