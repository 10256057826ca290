/**
 * `Unreachable`: no connection; `TimedOut`: no answer in time; `ConnectionLost`: it broke; `Aborted`: the caller's signal;
 * `PathMissing`: no such file or folder; `Forbidden`: the user may not read it; `Refused`: the server said no otherwise.
 */
export type SftpErrorCode =
  | "Unreachable"
  | "TimedOut"
  | "ConnectionLost"
  | "Aborted"
  | "PathMissing"
  | "Forbidden"
  | "Refused";

/** A call to the SFTP server that did not succeed, and that may succeed later. */
export class SftpError extends Error {
  override readonly name = "SftpError";
  readonly code: SftpErrorCode;

  constructor(code: SftpErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
