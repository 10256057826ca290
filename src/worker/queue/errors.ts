/**
 * `StoreTooNew`: a newer version wrote it. `StoreBelongsToAnother`: another organisation, instance or workflow.
 * `StoreUnreadable`: it is no store, or broken. All three need a person.
 */
export type StoreErrorCode = "StoreTooNew" | "StoreBelongsToAnother" | "StoreUnreadable";

/** The store is there and cannot be used until somebody does something. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** The store's volume has no room: nothing of what was to be stored is. What is stored stays, and room may come. */
export class StoreFullError extends Error {
  override readonly name = "StoreFullError";
  readonly code = "StoreFull";

  constructor(cause?: unknown) {
    super(storeFullMessage, cause === undefined ? undefined : { cause });
  }
}

export const storeFullMessage =
  "the queue's volume has no room: raise queue.volume.size (its storage class must allow volumes to grow), then restart. Nothing that was queued is lost, and it goes on by itself when there is room";
