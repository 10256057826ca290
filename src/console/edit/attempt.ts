/** What would become of an edit, in the API server's own words, and the edit itself. */
import { type SchemaNode, withDefaults } from "../../api/defaults.ts";
import { type Difference, differences, schemaLists } from "../../api/difference.ts";
import { isRecord, sameJson } from "../../api/json.ts";
import type { Client, PatchOperation } from "../../kubernetes/client.ts";
import { isAlreadyExists } from "../../kubernetes/errors.ts";
import { EditedMeanwhileError, editWorkflow } from "../../steering/edit.ts";
import { type LiveWorkflow, workflows } from "../../steering/workflow.ts";
import { texts } from "../texts.ts";
import { type Draft, type Said, whatIsSaid } from "./draft.ts";
import { type Problem, problemsOf } from "./problems.ts";
import { specShape } from "./shape.ts";

export type Attempt =
  /** `workflow` as it is then. */
  | { readonly outcome: "Accepted"; readonly workflow: LiveWorkflow; readonly changes: readonly Difference[] }
  | { readonly outcome: "Refused"; readonly problems: readonly Problem[] }
  | { readonly outcome: "Meanwhile" };

/**
 * @param now the workflow as it is now; whether it still is what the draft began with, the API server decides
 * @throws ApiError for what is no matter of the edit's content, ConnectionError
 */
export async function attempt(
  editor: Client,
  now: LiveWorkflow,
  { uid, generation: read, base, said }: Draft,
  { dryRun }: { readonly dryRun: boolean },
): Promise<Attempt> {
  // A start or a stop counts as an edit there, and is none of what is edited here.
  const generation = changesOf(base, whatIsSaid(now.spec)).length === 0 ? now.metadata.generation : read;
  const lookedAt = { ...now, metadata: { ...now.metadata, uid, generation } };
  try {
    const workflow = await editWorkflow(editor, lookedAt, stepsTo(said, whatIsSaid(now.spec)), { dryRun });
    return { outcome: "Accepted", workflow, changes: changesOf(whatIsSaid(now.spec), whatIsSaid(workflow.spec)) };
  } catch (error) {
    if (error instanceof EditedMeanwhileError) return { outcome: "Meanwhile" };
    const problems = problemsOf(error);
    if (problems === undefined) throw error;
    return { outcome: "Refused", problems };
  }
}

/**
 * What would become of a workflow that is not there yet; it is made stopped.
 * @throws ApiError for what is no matter of its content, ConnectionError
 */
export async function attemptToMake(
  editor: Client,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  { said }: Draft,
  { dryRun }: { readonly dryRun: boolean },
): Promise<Attempt> {
  try {
    const manifest = { metadata: { namespace, name }, spec: { ...said, state: "Stopped" } };
    const workflow = await editor.create(workflows, manifest, { dryRun });
    return { outcome: "Accepted", workflow, changes: changesOf({}, said) };
  } catch (error) {
    if (isAlreadyExists(error))
      return { outcome: "Refused", problems: [{ path: "spec", message: texts.nameTaken(name) }] };
    const problems = problemsOf(error);
    if (problems === undefined) throw error;
    return { outcome: "Refused", problems };
  }
}

/** Defaults of either side make no difference. */
export function changesOf(from: Said, to: Said): readonly Difference[] {
  return differences(filled(from), filled(to), schemaLists, specShape);
}

/** One step for each part of the spec that differs: what is the same keeps its owner. */
function stepsTo(said: Said, now: Said): readonly PatchOperation[] {
  const wanted = filled(said);
  return [...new Set([...Object.keys(now), ...Object.keys(wanted)])].flatMap((name): PatchOperation[] => {
    const path = `/spec/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    const value = wanted[name];
    if (value === undefined) return [{ op: "remove", path }];
    return sameJson(now[name], value) ? [] : [{ op: "add", path, value }];
  });
}

function filled(said: Said): Said {
  const { state: _state, ...rest } = recordOf(withDefaults(specShape as SchemaNode, said));
  return rest;
}

function recordOf(value: unknown): Said {
  return isRecord(value) ? value : {};
}
