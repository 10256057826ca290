import { CredentialsError } from "../http/service-error.ts";
import { StoreError } from "../queue/errors.ts";

/** The worker cannot go on until a person changes something: it ends with exit code 78 and says so in its last words. */
export class FatalError extends Error {
  override readonly name = "FatalError";
  /** PascalCase, as it is to stand in the workflow's status. */
  readonly code: string;

  constructor(code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** The errors that no waiting mends; undefined for all others. */
export function fatalOf(error: unknown): FatalError | undefined {
  if (error instanceof FatalError) return error;
  if (error instanceof CredentialsError || error instanceof StoreError) {
    return new FatalError(error.code, error.message, error);
  }
  return undefined;
}
