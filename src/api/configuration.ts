import type { TSchema } from "typebox";
import type { TLocalizedValidationError } from "typebox/error";
import { Value } from "typebox/value";
import { type SchemaNode, withDefaults } from "./defaults.ts";
import { spec, type WorkflowSpec } from "./integration-workflow.ts";
import { volume } from "./schema/runtime.ts";

/** The parts of the spec that say whether to run, not what: no part of a revision. */
type Steering = "state" | "restart" | "revisionHistoryLimit";

/**
 * What a run runs: the spec with all defaults, without what only steers. The operator pins it, and the worker finds it in
 * `workflow.json` with the workflow's identity beside it.
 */
export type EffectiveSpec = Omit<WorkflowSpec, Steering>;

/** Key of a pin, and name of the file that the worker reads. */
export const configurationKey = "workflow.json";

export interface WorkflowConfiguration {
  readonly workflow: { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly spec: EffectiveSpec;
}

/** A configuration that cannot be understood: what is wrong, and where. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
  readonly code = "ConfigurationInvalid";
}

/** The effective spec of a resource, however it was written and whichever operator reads it. */
export function effectiveSpec(written: WorkflowSpec): EffectiveSpec {
  const { state, restart, revisionHistoryLimit, ...rest } = fillSpec(written);
  const queueVolume = effectiveVolume(rest);
  return queueVolume === undefined ? rest : { ...rest, queue: { ...rest.queue, volume: queueVolume } };
}

/** The queue's volume with all defaults; undefined when the queue is a database. */
export function effectiveVolume(written: Pick<WorkflowSpec, "queue">): WorkflowSpec["queue"]["volume"] {
  const { postgres, volume: asked = {} } = written.queue ?? {};
  // The schema cannot say "a volume, unless there is a database".
  return postgres === undefined ? (fill(volume, asked) as NonNullable<WorkflowSpec["queue"]["volume"]>) : undefined;
}

/**
 * Reads `workflow.json`.
 * @throws ConfigurationError that names the first field that does not fit
 */
export function parseConfiguration(text: string): WorkflowConfiguration {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new ConfigurationError("workflow.json is not JSON: was it written by the operator?", { cause });
  }
  const { workflow, spec: written } = (parsed ?? {}) as Partial<Record<keyof WorkflowConfiguration, unknown>>;
  const identity = (workflow ?? {}) as Partial<Record<string, unknown>>;
  const { name, namespace, uid } = identity;
  if (typeof name !== "string" || typeof namespace !== "string" || typeof uid !== "string") {
    throw new ConfigurationError("workflow.json: workflow must have name, namespace and uid");
  }
  const filled = fill(spec, written);
  const [error] = Value.Errors(spec as TSchema, filled);
  if (error !== undefined) throw new ConfigurationError(`workflow.json: ${describe(error)}`);
  return { workflow: { name, namespace, uid }, spec: effectiveSpec(filled as WorkflowSpec) };
}

/** Names the field as the resource's own messages do: `spec.ingress.mappings[0].table`. */
function describe(error: TLocalizedValidationError): string {
  const field = `spec${error.instancePath.replaceAll(/\/(\d+)(?=\/|$)/g, "[$1]").replaceAll("/", ".")}`;
  if (error.keyword === "required") return `${field}.${error.params.requiredProperties[0]} is missing`;
  if (error.keyword === "enum") return `${field} must be one of ${error.params.allowedValues.join(", ")}`;
  return `${field} ${error.message}`;
}

function fillSpec(written: WorkflowSpec): WorkflowSpec {
  return fill(spec, written) as WorkflowSpec; // Filling keeps what is there: a spec stays a spec.
}

function fill(schema: unknown, value: unknown): unknown {
  return withDefaults(schema as SchemaNode, value); // A TypeBox schema is its JSON schema.
}
