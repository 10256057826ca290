import type { Client } from "../../kubernetes/client.ts";
import { isForbidden, isNotFound } from "../../kubernetes/errors.ts";
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
 * noticed. Runs until the signal aborts, or nothing is left to look at.
 *
 * An operator that may not look (the chart's Roles are of namespaces alone) asks once: where the namespace is missing, and
 * its Role with it, it is refused its lists too, and the log and /readyz say so.
 */
export async function tellMissingNamespaces(options: WatchedNamespacesOptions, signal: AbortSignal): Promise<void> {
  const { client, namespaces, clock, logger, onLook } = options;
  const toldAtMs = new Map<string, number>();
  const left = new Set(namespaces);
  const look = async (namespace: string): Promise<void> => {
    const seen = await lookAt(client, namespace, signal);
    if (seen === "forbidden") left.delete(namespace);
    if (seen === "forbidden" || seen === "unknown") return;
    const isMissing = seen === "missing";
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
    await Promise.all([...left].map(look));
    if (left.size === 0) return;
    await sleep(clock, lookEveryMs, signal);
  }
}

async function lookAt(
  client: Client,
  name: string,
  signal: AbortSignal,
): Promise<"there" | "missing" | "forbidden" | "unknown"> {
  try {
    await client.get(kind, { name }, { signal });
    return "there";
  } catch (error) {
    if (isNotFound(error)) return "missing";
    // What else keeps it from looking keeps it from listing too, and is told there.
    return isForbidden(error) ? "forbidden" : "unknown";
  }
}
