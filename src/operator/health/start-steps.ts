import type { ClaimSeen, PodSeen } from "../sight/snapshot.ts";
import { rfc3339 } from "../time.ts";
import { claimsInWords, unboundClaim, whyUnplaced } from "./placement.ts";
import { quote } from "./quote.ts";

/** At which step a pod stands whose worker does not run, since when, and where to look. */
export function stepOf(pod: PodSeen, claims: readonly ClaimSeen[]): string {
  const { metadata, node, steps = {}, worker } = pod;
  const { name, namespace } = metadata;
  if (pod.unschedulable !== undefined) {
    return `Pod ${name} waits for a node${since(steps.createdAtMs)}: ${whyUnplaced(pod, pod.unschedulable, claims)}`;
  }
  if (node === undefined) {
    // The scheduler has chosen a node, which the volume is to be made for; it tells nothing of that.
    const why = unboundClaim(claims, namespace) ?? "The scheduler has said nothing of it: see that kube-scheduler runs";
    return `Pod ${name} waits for a node${since(steps.createdAtMs)}. ${why}`;
  }
  const where = `Pod ${name} on node ${node}`;
  const { waiting } = worker ?? {};
  if (waiting !== undefined && waiting.reason !== "ContainerCreating" && waiting.reason !== "PodInitializing") {
    const why = waiting.message === "" ? "" : `: ${quote(waiting.message, 512)}`;
    return `${where} waits${since(steps.scheduledAtMs)}: ${waiting.reason}${why}`;
  }
  if (steps.sandboxAtMs === false) {
    const often = claims.length === 0 ? "" : `. Often another node still holds the volume of ${claimsInWords(claims)}`;
    return `${where} waits for its volumes and its network${since(steps.scheduledAtMs)}: kubectl describe pod -n ${namespace} ${name} says which${often}`;
  }
  if (steps.sandboxAtMs !== undefined) return `${where} waits for its image${since(steps.sandboxAtMs)}`;
  return `${where} waits to be started${since(steps.scheduledAtMs)}: its kubelet has not said more. See that the node is up: kubectl get node ${node}`;
}

export function since(atMs: number | undefined): string {
  return atMs === undefined ? "" : ` since ${rfc3339(atMs)}`;
}
