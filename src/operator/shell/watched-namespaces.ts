import type { Client } from "../../kubernetes/client.ts";
import { isNotFound } from "../../kubernetes/errors.ts";
import type { KubernetesObject, ResourceKind } from "../../kubernetes/objects.ts";
import { type Clock, sleep } from "../../telemetry/clock.ts";
import type { Logger } from "../../telemetry/log.ts";

const kind: ResourceKind<KubernetesObject> = {
  group: "",
  version: "v1",
  plural: "namespaces",
  kind: "Namespace",
  namespaced: false,
};

const lookEveryMs = 30_000;
const remindEveryMs = 600_000;

export interface WatchedNamespacesOptions {
  readonly client: Client;
  readonly namespaces: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onLook: (namespace: string, isMissing: boolean) => void;
}

/**
 * Says which of the namespaces to watch are not there: the API server lists nothing in them, and that is no error to it.
 * The operator goes on, and stays ready: the others are looked after, and the missing one may be made later, which is
 * noticed. Runs until the signal aborts.
 *
 * An operator that may not look (the chart's Roles are of namespaces alone) is refused its lists too where the namespace is
 * missing, and its Role with it: the log and /readyz say so.
 */
export async function tellMissingNamespaces(options: WatchedNamespacesOptions, signal: AbortSignal): Promise<void> {
  const { client, namespaces, clock, logger, onLook } = options;
  const toldAtMs = new Map<string, number>();
  const look = async (namespace: string): Promise<void> => {
    const isMissing = await isNotThere(client, namespace, signal);
    if (isMissing === undefined) return;
    onLook(namespace, isMissing);
    const before = toldAtMs.get(namespace);
    if (!isMissing) {
      if (toldAtMs.delete(namespace)) logger.info("watched namespace is there now", { namespace });
    } else if (before === undefined || clock.now() - before >= remindEveryMs) {
      toldAtMs.set(namespace, clock.now());
      logger.warn("watched namespace is missing: no workflow in it is looked after until it is made", { namespace });
    }
  };
  while (!signal.aborted) {
    await Promise.all([...new Set(namespaces)].map(look));
    await sleep(clock, lookEveryMs, signal);
  }
}

/** `undefined`: it cannot be known now. */
async function isNotThere(client: Client, name: string, signal: AbortSignal): Promise<boolean | undefined> {
  try {
    await client.get(kind, { name }, { signal });
    return false;
  } catch (error) {
    // What else keeps it from looking keeps it from listing too, and is told there.
    return isNotFound(error) ? true : undefined;
  }
}
