/** How times and numbers are said. Pure. */

/** `12s`, `3m`, `4h`, `5d`: as kubectl's AGE. */
export function age(time: string | undefined, nowMs: number): string {
  const atMs = time === undefined ? Number.NaN : Date.parse(time);
  if (Number.isNaN(atMs)) return "<unknown>";
  const seconds = Math.max(0, Math.floor((nowMs - atMs) / 1000));
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h` : `${Math.floor(hours / 24)}d`;
}

export function count(value: number | undefined): string {
  return value === undefined ? "-" : value.toLocaleString("en-US");
}

/** What somebody else wrote may hold anything: nothing of it may steer a terminal. */
export function plain(text: string): string {
  return [...text].map((sign) => (isControl(sign) ? "\uFFFD" : sign)).join("");
}

function isControl(sign: string): boolean {
  const code = sign.codePointAt(0) ?? 0;
  const isBidi = (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || isBidi;
}
