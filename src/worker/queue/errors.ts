/**
 * `StoreTooNew`: a newer version wrote it. `StoreBelongsToAnother`: another organisation, instance or workflow.
 * `StoreUnreadable`: it is no store, or broken. `StoreRefused`: the database does not let the worker in. All need a person.
 */
export type StoreErrorCode = "StoreTooNew" | "StoreBelongsToAnother" | "StoreUnreadable" | "StoreRefused";

/** The store is there and cannot be used until somebody does something. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** The store cannot do it now: nothing of what was to be stored is known to be. What is stored stays, and it may pass. */
export class StoreOutage extends Error {
  override readonly name = "StoreOutage";
  readonly code: "StoreFull" | "StoreUnreachable" | "ReadingTaken";

  constructor(code: StoreOutage["code"], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** The store's volume has no room. */
export class StoreFullError extends StoreOutage {
  constructor(cause?: unknown) {
    super("StoreFull", storeFullMessage, cause);
  }
}

/** @param what which database, and what it said */
export function storeUnreachable(what: string, cause: unknown): StoreOutage {
  return new StoreOutage("StoreUnreachable", `${what}: it is tried again, and nothing that was queued is lost`, cause);
}

export const storeFullMessage =
  "the queue's volume has no room: raise queue.volume.size (its storage class must allow volumes to grow), then restart. Nothing that was queued is lost, and it goes on by itself when there is room";
