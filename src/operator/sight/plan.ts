import type { WorkflowStatus } from "../../api/integration-workflow.ts";
import type { Manifest, ObjectMeta } from "../../kubernetes/objects.ts";
import type { Memory, OwnedKind, SeenMetadata } from "./snapshot.ts";

/** What is to be done about one workflow. An empty plan is the aim. */
export interface Plan {
  /** In this order; when one fails, the rest is left for the next look. */
  readonly writes: readonly Write[];
  /** The status as it should be; absent: leave it as it is for now. */
  readonly status: WorkflowStatus | undefined;
  /** Events, when the status is written. */
  readonly notes: readonly Note[];
  /** Look again though nothing changes. */
  readonly lookAgainMs: number | undefined;
  /** This hangs on what the caches may not show yet: read from the API server, and decide on that. */
  readonly lookAfresh: boolean;
  /** To be held until the next look. */
  readonly remember: Pick<Memory, "lastReady" | "pin" | "record" | "compared">;
}

/** One write, with its precondition: a create fails when the name is taken, all else when uid or version have changed. */
export type Write = CreateWrite | ReplaceWrite | PatchWrite | DeleteWrite;

interface WriteBase {
  readonly kind: OwnedKind;
  readonly name: string;
  /** The API server's no is told in an Event, and the workflow goes on without. */
  readonly dispensable?: true;
  /** The Event, when the write has changed something. */
  readonly note?: Note;
}

export interface CreateWrite extends WriteBase {
  readonly verb: "create";
  readonly manifest: Manifest;
}

/** All that is ours of an object; its status may move meanwhile. */
export interface ReplaceWrite extends WriteBase {
  readonly verb: "replace";
  readonly target: SeenMetadata & Pick<ObjectMeta, "generation" | "annotations">;
  readonly manifest: Manifest;
}

/** A JSON merge patch. */
export interface PatchWrite extends WriteBase {
  readonly verb: "patch";
  readonly target: SeenMetadata;
  readonly patch: object;
}

export interface DeleteWrite extends WriteBase {
  readonly verb: "delete";
  readonly target: SeenMetadata;
}

/** An Event to be. */
export interface Note {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly action: string;
  readonly note: string;
}
