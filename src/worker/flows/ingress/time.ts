/** Times as Dataverse and people write them. Pure, and the same on a machine in any time zone. */
import type { ColumnMetadata } from "../../dataverse/interface.ts";

/** A date, and a time of day in UTC or in no zone: `10:00:00Z`, `10:00:00.5Z`. */
export interface CalendarTime {
  readonly date: string;
  readonly time: string | undefined;
}

/** `2026-11-21`, `2026-11-21T10:00:00Z`, `2026-11-21 10:00:00.000+02:00` */
const pattern =
  /^(\d{4}-\d{2}-\d{2})(?:[T ]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(\.\d{1,9})?)?\s*(?:Z|([+-]\d{2}):?(\d{2}))?)?$/i;

/**
 * UserLocal is an instant, in UTC on the wire; without an offset it is taken for UTC. DateOnly and TimeZoneIndependent mean
 * the digits that are written, in no zone. Source: behavior-format-date-time-attribute.md
 *
 * `undefined`: no time that the calendar has.
 */
export function timeOf(text: string, behavior: ColumnMetadata["dateTimeBehavior"]): CalendarTime | undefined {
  const [, date, hour, minute, second = "00", fraction = "", offsetHours, offsetMinutes] = pattern.exec(text) ?? [];
  if (date === undefined || !isDay(date)) return undefined;
  if (behavior === "DateOnly" || hour === undefined) return { date, time: undefined };
  const time = `${hour}:${minute}:${second}`;
  if (offsetHours === undefined || behavior === "TimeZoneIndependent") return { date, time: `${time}${fraction}Z` };
  const instant = new Date(`${date}T${time}${offsetHours}:${offsetMinutes}`);
  if (Number.isNaN(instant.getTime())) return undefined;
  const utc = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})/.exec(instant.toISOString());
  // The offset may carry it out of the calendar's four digits.
  return utc?.[1] === undefined ? undefined : { date: utc[1], time: `${utc[2]}${fraction}Z` };
}

/** What a field for a point in time is given. */
export function instantText({ date, time }: CalendarTime): string {
  return `${date}T${time ?? "00:00:00Z"}`;
}

/** A parser of dates lets the 30th of February pass, as the 2nd of March. */
function isDay(date: string): boolean {
  const day = new Date(`${date}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(date);
}
