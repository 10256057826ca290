import type { Write } from "./plan.ts";

/** What the run needs next. */
export type Step =
  /** The run is as it was asked for. */
  | { readonly type: "settled" }
  /** The run begins, ends or is taken up again; status follows when that is seen. */
  | { readonly type: "change"; readonly writes: readonly Write[] }
  /** The run goes on, and something of it must be put back. */
  | { readonly type: "upkeep"; readonly writes: readonly Write[] }
  /** Something must go first, and will by itself. */
  | { readonly type: "waiting"; readonly message: string; readonly lookAgainMs?: number | undefined }
  /** Somebody must change something first. */
  | { readonly type: "blocked"; readonly reason: string; readonly message: string; readonly lookAgainMs: number }
  /** The caches say that it may go on; that is not enough. */
  | { readonly type: "lookAfresh" };

/** How soon something is looked at again that no event announces. */
export const lookAgainMs = 10_000;
