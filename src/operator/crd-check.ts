import { apiGroup, apiVersion, kind } from "../api/group.ts";
import { integrationWorkflow } from "../api/integration-workflow.ts";
import type { Client } from "../kubernetes/client.ts";
import { isNotFound } from "../kubernetes/errors.ts";
import { isRecord } from "./json.ts";

/** The cluster's definition of the resource is missing, or older than this operator. */
export class DefinitionError extends Error {
  override readonly name = "DefinitionError";
  readonly code = "DefinitionOutdated";
}

const remedy = "Bring it up to date: kubectl apply --server-side --force-conflicts -f crds/";

/**
 * Compares the resource's definition in the cluster with this operator's. An older one would drop the fields that it does
 * not know, silently. No right on CustomResourceDefinitions is needed: everybody who is signed in may read /openapi/v3.
 * @throws DefinitionError that says what to run
 */
export async function checkDefinition(client: Client): Promise<void> {
  let document: string;
  try {
    document = await client.getText(`/openapi/v3/apis/${apiGroup}/${apiVersion}`);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new DefinitionError(`This cluster does not know ${kind} (${apiGroup}/${apiVersion}). ${remedy}`, {
      cause: error,
    });
  }
  const missing = missingField(publishedSchema(document), integrationWorkflow, kind);
  if (missing !== undefined) {
    throw new DefinitionError(`This cluster's ${kind} is older than the operator: it has no ${missing}. ${remedy}`);
  }
}

function publishedSchema(document: string): unknown {
  const parsed: unknown = JSON.parse(document);
  const components = isRecord(parsed) ? parsed["components"] : undefined;
  const schemas = isRecord(components) ? components["schemas"] : undefined;
  for (const [name, schema] of Object.entries(isRecord(schemas) ? schemas : {})) {
    if (name.endsWith(`.${apiVersion}.${kind}`)) return schema;
  }
  return undefined;
}

/** The path of the first field that `wanted` has and `published` has not. */
function missingField(published: unknown, wanted: unknown, path: string): string | undefined {
  if (!isRecord(wanted)) return undefined;
  if (!isRecord(published)) return path;
  const { properties, items } = wanted;
  const present = published["properties"];
  for (const [name, schema] of Object.entries(isRecord(properties) ? properties : {})) {
    const missing = missingField(isRecord(present) ? present[name] : undefined, schema, `${path}.${name}`);
    if (missing !== undefined) return missing;
  }
  return items === undefined ? undefined : missingField(published["items"], items, `${path}[]`);
}
