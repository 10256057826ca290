/** Times in the resource have whole seconds, as metav1.Time has. */
export function rfc3339(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19)}Z`;
}

/** Of times, or of waits; undefined: there is none. */
export function earliest(...times: readonly (number | undefined)[]): number | undefined {
  const some = times.filter((time) => time !== undefined);
  return some.length === 0 ? undefined : Math.min(...some);
}

/** @returns undefined for what is absent or no time */
export function epochMsOf(text: string | undefined): number | undefined {
  const epochMs = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(epochMs) ? undefined : epochMs;
}
