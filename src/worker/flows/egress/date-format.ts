/** Times as exports write them: a pattern of Unicode Technical Standard 35, in a time zone. Pure, on a machine in any zone. */

/** An instant, from what a file says; undefined when that is no time in the format, or one that the calendar has not. */
export type ReadTime = (text: string) => Date | undefined;

interface Parts {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  millisecond: number;
  /** Of the afternoon; undefined where the hour is of 24. */
  afternoon: boolean | undefined;
  /** Written in the text; else the zone's own. */
  offsetMinutes: number | undefined;
}

interface Letter {
  readonly pattern: string;
  readonly take: (parts: Parts, text: string) => void;
}

const number =
  (name: "year" | "month" | "day" | "hour" | "minute" | "second"): Letter["take"] =>
  (parts, text) => {
    parts[name] = Number(text);
  };

/** `yyyy` has four digits, `M` one or two: numbers with one letter may be short. */
const letters: Readonly<Record<string, Letter>> = {
  yyyy: { pattern: "(\\d{4})", take: number("year") },
  yy: {
    pattern: "(\\d{2})",
    take: (parts, text) => {
      parts.year = 2000 + Number(text);
    },
  },
  MM: { pattern: "(\\d{2})", take: number("month") },
  M: { pattern: "(\\d{1,2})", take: number("month") },
  dd: { pattern: "(\\d{2})", take: number("day") },
  d: { pattern: "(\\d{1,2})", take: number("day") },
  HH: { pattern: "(\\d{2})", take: number("hour") },
  H: { pattern: "(\\d{1,2})", take: number("hour") },
  hh: { pattern: "(\\d{2})", take: number("hour") },
  h: { pattern: "(\\d{1,2})", take: number("hour") },
  mm: { pattern: "(\\d{2})", take: number("minute") },
  m: { pattern: "(\\d{1,2})", take: number("minute") },
  ss: { pattern: "(\\d{2})", take: number("second") },
  s: { pattern: "(\\d{1,2})", take: number("second") },
  SSS: {
    pattern: "(\\d{3})",
    take: (parts, text) => {
      parts.millisecond = Number(text);
    },
  },
  a: {
    pattern: "([AaPp][Mm])",
    take: (parts, text) => {
      parts.afternoon = text.toLowerCase() === "pm";
    },
  },
  XXX: { pattern: "(Z|[+-]\\d{2}:\\d{2})", take: takeOffset },
  XX: { pattern: "(Z|[+-]\\d{4})", take: takeOffset },
};

/** @returns a sentence for the person who wrote the format, where it cannot be read */
export function readerOfTimes(format: string, timeZone: string): ReadTime | string {
  const offsetAt = offsetsOf(timeZone);
  if (offsetAt === undefined)
    return `campaign.sftp.format.timeZone: "${timeZone}" is no IANA time zone that is known here`;
  const takes: Letter["take"][] = [];
  const used = new Set<string>();
  let pattern = "";
  // A run of one letter, quoted text, two quotes (which stand for one), or any other character.
  for (const [token] of format.matchAll(/([A-Za-z])\1*|'(?:[^']|'')*'|./gs)) {
    const letter = letters[token];
    if (letter !== undefined) {
      takes.push(letter.take);
      used.add(token.charAt(0));
      pattern += letter.pattern;
    } else if (/^[A-Za-z]/.test(token)) {
      return `campaign.sftp.format.dateFormat: "${token}" in "${format}" is not supported: use ${Object.keys(letters).join(", ")}`;
    } else {
      const literal = token === "''" ? "'" : token.replace(/^'(.+)'$/s, "$1").replaceAll("''", "'");
      pattern += literal.replaceAll(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
    }
  }
  const missing = ["y", "M", "d"].find((letter) => !used.has(letter));
  if (missing !== undefined)
    return `campaign.sftp.format.dateFormat: "${format}" has no ${missing}: a time needs year, month and day`;
  const whole = new RegExp(`^${pattern}$`);
  return (text) => {
    const found = whole.exec(text.trim());
    if (found === null) return undefined;
    const parts: Parts = {
      year: 0,
      month: 1,
      day: 1,
      hour: 0,
      minute: 0,
      second: 0,
      millisecond: 0,
      afternoon: undefined,
      offsetMinutes: undefined,
    };
    takes.forEach((take, index) => {
      take(parts, found[index + 1] ?? "");
    });
    return instantOf(parts, offsetAt);
  };
}

function takeOffset(parts: Parts, text: string): void {
  if (text === "Z") parts.offsetMinutes = 0;
  else {
    const [hours, minutes] = [text.slice(1, 3), text.slice(-2)].map(Number);
    parts.offsetMinutes = ((hours ?? 0) * 60 + (minutes ?? 0)) * (text.startsWith("-") ? -1 : 1);
  }
}

function instantOf(parts: Parts, offsetAt: (instantMs: number) => number): Date | undefined {
  const { year, month, day, minute, second, millisecond, afternoon, offsetMinutes } = parts;
  if (afternoon !== undefined && (parts.hour < 1 || parts.hour > 12)) return undefined;
  const hour = afternoon === undefined ? parts.hour : (parts.hour % 12) + (afternoon ? 12 : 0);
  if (hour > 23 || minute > 59 || second > 59 || month < 1 || month > 12) return undefined;
  const local = Date.UTC(year, month - 1, day, hour, minute, second, millisecond);
  if (new Date(local).getUTCDate() !== day) return undefined; // The 30th of February.
  return new Date(offsetMinutes === undefined ? inZone(local, offsetAt) : local - offsetMinutes * 60_000);
}

const dayMs = 86_400_000;

/**
 * A local time that clocks show twice is the first of the two. One that they skip is read by the offset before the
 * skip, and so comes out behind it. As in RFC 5545 section 3.3.5.
 */
function inZone(local: number, offsetAt: (instantMs: number) => number): number {
  const before = local - offsetAt(local - dayMs);
  const after = local - offsetAt(local + dayMs);
  if (before === after || local - offsetAt(before) === before) return before;
  return local - offsetAt(after) === after ? after : before;
}

/** What the zone's clocks are ahead of UTC at an instant, in milliseconds; undefined when there is no such zone. */
function offsetsOf(timeZone: string): ((instantMs: number) => number) | undefined {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      era: "short",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch {
    return undefined;
  }
  return (instantMs) => {
    const instant = Math.floor(instantMs / 1000) * 1000;
    const part = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
    return Date.UTC(year, month - 1, day, hour, minute, second) - instant;
  };
}
