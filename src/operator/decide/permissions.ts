/** Whether a list of whole names, and of prefixes that end with `*`, permits a name. */
export function isPermitted(name: string, permitted: readonly string[]): boolean {
  return permitted.some((entry) => (entry.endsWith("*") ? name.startsWith(entry.slice(0, -1)) : name === entry));
}
