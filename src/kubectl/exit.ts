/** How the program ends, for scripts. */
export const exitCodes = {
  done: 0,
  /** The API server refused, could not be reached, or a command that was run for it failed. */
  failed: 1,
  /** Asked wrongly: flags, names. */
  usage: 2,
  /** There is no such workflow, mapping, revision or record. */
  notFound: 3,
  /** --wait ended by --timeout. */
  timeout: 4,
  /** --wait ended because the workflow FAILED. */
  workflowFailed: 5,
  /** The person may not do it; the message names the right. */
  forbidden: 6,
  /** Ctrl-C: as shells count it. */
  interrupted: 130,
} as const;

/** What ends a command with a message for the person who gave it. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code = "CommandFailed";
  /** One of `exitCodes`, or that of a command which was run for the person. */
  readonly exitCode: number;

  /** @param message what, where, and how to mend it; empty when all is said already */
  constructor(message: string, exitCode: number, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
