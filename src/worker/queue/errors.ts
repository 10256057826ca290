/**
 * `StoreTooNew`: a newer version wrote it. `StoreBelongsToAnother`: another organisation, instance or workflow.
 * `StoreUnreadable`: it is no store, or broken. `StoreFull`: its volume has no room. All need a person.
 */
export type StoreErrorCode = "StoreTooNew" | "StoreBelongsToAnother" | "StoreUnreadable" | "StoreFull";

/** The store is there and cannot be used until somebody does something. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
