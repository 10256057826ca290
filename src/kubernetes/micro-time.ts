/** A date as MicroTime, the one form that Lease and Event times are accepted in: RFC 3339 with six decimals. */
export function microTime(date: Date): string {
  return date.toISOString().replace("Z", "000Z");
}
