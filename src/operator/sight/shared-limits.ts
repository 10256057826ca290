import type { IntegrationWorkflow } from "../../api/integration-workflow.ts";
import { recordFromStatus } from "./run-record.ts";
import type { PinSeen } from "./snapshot.ts";

/**
 * What one workflow takes of an application user's service protection limits.
 *
 * Who the user is stands in a Secret, which the operator may not read: workflows of one namespace with the same organisation
 * and the same Secret have the same user. Two Secrets may hold the same user too; that is not seen.
 */
export interface LimitsUse {
  /** Namespace, organisation and Secret in one word. */
  readonly user: string;
  readonly organisation: string;
  readonly secret: string;
  readonly workflow: string;
  /** Per cent, as it runs; of one that waits for its start, as it will. */
  readonly share: number;
  /** After a stop and start, where that is something else. */
  readonly shareToBe?: number | undefined;
}

/** A user whose shares add up to more than 100 per cent. */
export interface SharedLimits {
  readonly organisation: string;
  readonly secret: string;
  /** Per cent. With workflows that are not named, no more than is surely exceeded: it does not move with each of them. */
  readonly total: number;
  /** The largest first. */
  readonly workflows: readonly Pick<LimitsUse, "workflow" | "share" | "shareToBe">[];
  /** There are more than are named. */
  readonly andOthers: boolean;
}

/** More than these are not named: a message is for a person, and must not change with every workflow of hundreds. */
const mostNamed = 8;

/**
 * What a workflow takes: what its run was pinned with, while there is one; else its spec.
 * @returns undefined for one that is not asked to run, or is being deleted
 */
export function limitsUseOf(
  workflow: IntegrationWorkflow,
  pinNamed: (name: string) => PinSeen | undefined,
): LimitsUse | undefined {
  const { metadata, spec } = workflow;
  if (spec.state !== "Running" || metadata.deletionTimestamp !== undefined) return undefined;
  const { active, runs } = recordFromStatus(workflow);
  const [run] = active ? runs : [];
  const pinned = run === undefined ? undefined : pinNamed(run.pin)?.content?.configuration.spec;
  const { url, credentialsSecretRef, share } = (pinned ?? spec).dynamics;
  const { share: shareToBe } = spec.dynamics;
  const organisation = systemAddress(url);
  const secret = credentialsSecretRef.name;
  return {
    user: `${metadata.namespace} ${secret} ${organisation}`,
    organisation,
    secret,
    workflow: metadata.name,
    share,
    ...(shareToBe === share ? {} : { shareToBe }),
  };
}

/** @returns undefined when the shares of one user leave room, or just fit */
export function sharedLimitsOf(uses: ReadonlyMap<string, LimitsUse>): SharedLimits | undefined {
  let total = 0;
  const named: LimitsUse[] = [];
  for (const use of uses.values()) {
    total += use.share;
    const place = named.findIndex((other) => largestFirst(use, other) < 0);
    if (place >= 0) named.splice(place, 0, use);
    else if (named.length < mostNamed) named.push(use);
    named.length = Math.min(named.length, mostNamed);
  }
  const [largest] = named;
  if (largest === undefined || total <= 100) return undefined;
  const andOthers = uses.size > named.length;
  return {
    organisation: largest.organisation,
    secret: largest.secret,
    total: andOthers ? 100 * 2 ** Math.floor(Math.log2((total - 1) / 100)) : total,
    workflows: named.map(({ workflow, share, shareToBe }) => ({ workflow, share, shareToBe })),
    andOthers,
  };
}

/** An address as it is compared: letters of the host's name in one case, no port where it is the usual one. */
export function systemAddress(url: string): string {
  return URL.canParse(url) ? new URL(url).href.replace(/\/$/, "") : url;
}

function largestFirst(left: LimitsUse, right: LimitsUse): number {
  return right.share - left.share || (left.workflow < right.workflow ? -1 : 1);
}
