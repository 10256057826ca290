/** Result codes: https://www.sqlite.org/rescode.html */
export const sqlite = { busy: 5, locked: 6, corrupt: 11, full: 13, notADatabase: 26 } as const;

/** The primary result code of an error of SQLite's; undefined for any other. */
export function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 0xff; // The low byte is the primary code.
}
