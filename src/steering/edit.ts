/** Every change of a workflow that is not a start, stop or restart. */
import type { Client, PatchOperation } from "../kubernetes/client.ts";
import { ApiError } from "../kubernetes/errors.ts";
import { type LiveWorkflow, workflows } from "./workflow.ts";

/** The workflow was edited by somebody else since it was read. */
export class EditedMeanwhileError extends Error {
  override readonly name = "EditedMeanwhileError";
  readonly code = "EditedMeanwhile";
}

export interface EditOptions {
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Changes the workflow if its spec still is the one that was read. What the operator counts in the status meanwhile is no
 * hindrance.
 *
 * @param read what the person looked at
 * @param steps paths from the object's root: `/spec/ingress/mappings/0/replay`
 * @throws EditedMeanwhileError, ApiError (422 says which field is refused and why), ConnectionError
 */
export async function editWorkflow(
  client: Client,
  read: LiveWorkflow,
  steps: readonly PatchOperation[],
  { dryRun = false, signal }: EditOptions = {},
): Promise<LiveWorkflow> {
  const { namespace, name, uid, generation } = read.metadata;
  const tests: readonly PatchOperation[] = [
    { op: "test", path: "/metadata/uid", value: uid },
    { op: "test", path: "/metadata/generation", value: generation },
  ];
  const options = signal === undefined ? { dryRun } : { dryRun, signal };
  try {
    return await client.jsonPatch(workflows, { namespace, name }, [...tests, ...steps], options);
  } catch (cause) {
    if (!(cause instanceof ApiError && cause.status === 422)) throw cause;
    // A test that fails and a field that is refused have one status; the object as it is now tells them apart.
    const now = await client.get(workflows, { namespace, name }, signal === undefined ? {} : { signal });
    if (now.metadata.uid === uid && now.metadata.generation === generation) throw cause;
    throw new EditedMeanwhileError(
      `${namespace}/${name} was edited by somebody else meanwhile, so nothing was changed: look at it again`,
      { cause },
    );
  }
}
