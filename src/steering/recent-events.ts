/** What was told of a workflow lately, by the operator or anybody else. */
import type { Client } from "../kubernetes/client.ts";
import type { KubernetesObject, ResourceKind } from "../kubernetes/objects.ts";
import type { LiveWorkflow } from "./workflow.ts";

interface StoredEvent extends KubernetesObject {
  readonly type?: string;
  readonly reason?: string;
  readonly note?: string;
  readonly eventTime?: string | null;
  readonly reportingController?: string;
  readonly series?: { readonly count: number; readonly lastObservedTime: string };
  readonly deprecatedLastTimestamp?: string | null;
  readonly deprecatedCount?: number;
}

const events: ResourceKind<StoredEvent> = {
  group: "events.k8s.io",
  version: "v1",
  plural: "events",
  kind: "Event",
  namespaced: true,
};

export interface RecentEvent {
  readonly type: string;
  readonly reason: string;
  readonly note: string;
  readonly count: number;
  /** RFC 3339; when it was seen last. */
  readonly at: string;
  readonly by: string;
}

/** Newest first. The API server forgets Events after an hour, unless it is told otherwise. */
export async function recentEvents(
  client: Client,
  { metadata }: LiveWorkflow,
  signal?: AbortSignal,
): Promise<readonly RecentEvent[]> {
  const { namespace, uid } = metadata;
  const query = { namespace, fieldSelector: `regarding.uid=${uid}` };
  const { items } = await client.list(events, query, signal === undefined ? {} : { signal });
  return items.map(recent).sort((one, other) => Date.parse(other.at) - Date.parse(one.at));
}

function recent(event: StoredEvent): RecentEvent {
  const { type = "", reason = "", note = "", series, eventTime, reportingController = "", metadata } = event;
  const { deprecatedLastTimestamp, deprecatedCount = 1 } = event;
  const at = series?.lastObservedTime ?? eventTime ?? deprecatedLastTimestamp ?? metadata.creationTimestamp ?? "";
  return { type, reason, note, count: series?.count ?? deprecatedCount, at, by: reportingController };
}
