import { apiGroup, apiVersion, kind } from "../api/group.ts";
import { integrationWorkflow } from "../api/integration-workflow.ts";
import { isRecord } from "../api/json.ts";
import { type BackoffPolicy, backoffDelayMs } from "../kubernetes/backoff.ts";
import type { Client } from "../kubernetes/client.ts";
import { ConfigurationError, isNotFound, isUnauthorized } from "../kubernetes/errors.ts";
import { isUntrusted } from "../kubernetes/transport.ts";
import { type Clock, sleep } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/log.ts";

/** The cluster's definition of the resource is missing, or older than this operator. */
export class DefinitionError extends Error {
  override readonly name = "DefinitionError";
  readonly code = "DefinitionOutdated";
}

const remedy = "Bring it up to date: kubectl apply --server-side --force-conflicts -f crds/";

/** An API server that has just started describes its resources a moment after it serves them: it is asked again. */
const looksBeforeRefusal = 3;
const secondLookMs = 2000;
/** Somebody may put an older definition in while the operator runs, or delete it. */
const lookAgainMs = 30_000;
/** While the API server does not answer. */
const retry: BackoffPolicy = { initialMs: 500, factor: 2, maxMs: 10_000, jitter: 0.5 };
const remindEveryMs = 60_000;

export interface DefinitionWatchOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called once: the operator can work here. */
  readonly onFits: () => void;
}

/**
 * Compares the resource's definition in the cluster with this operator's, now and every half a minute until the signal aborts. Waits
 * for an API server that does not answer, however long: who gives up is started again later and later.
 * @throws DefinitionError that says what to run; ConfigurationError; at first, also what says that it is not let in
 */
export async function watchDefinition(options: DefinitionWatchOptions, signal: AbortSignal): Promise<void> {
  const { client, clock, logger } = options;
  let onFits: (() => void) | undefined = options.onFits;
  let misfits = 0;
  let failures = 0;
  let toldAtMs = Number.NEGATIVE_INFINITY;
  while (!signal.aborted) {
    let pauseMs = lookAgainMs;
    try {
      await checkDefinition(client, signal);
      misfits = 0;
      failures = 0;
      onFits?.();
      onFits = undefined;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ConfigurationError) throw error;
      // It was never let in: a person must look. Once it was, credentials and authorities change, and are read again.
      if (onFits !== undefined && (isUnauthorized(error) || isUntrusted(error))) throw error;
      if (error instanceof DefinitionError) {
        misfits += 1;
        if (misfits === looksBeforeRefusal) throw error;
        pauseMs = secondLookMs;
      } else {
        failures += 1;
        pauseMs = backoffDelayMs(retry, failures, Math.random());
        if (clock.now() - toldAtMs >= remindEveryMs) {
          toldAtMs = clock.now();
          logger.warn("the resource's definition cannot be read, trying again", { error });
        }
      }
    }
    await sleep(clock, pauseMs, signal);
  }
}

/**
 * Compares the resource's definition in the cluster with this operator's. An older one would drop the fields that it does
 * not know, silently. No right on CustomResourceDefinitions is needed: everybody who is signed in may read /openapi/v3.
 * @throws DefinitionError that says what to run
 */
async function checkDefinition(client: Client, signal: AbortSignal): Promise<void> {
  let document: string;
  try {
    document = await client.getText(`/openapi/v3/apis/${apiGroup}/${apiVersion}`, { signal });
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
