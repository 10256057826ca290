import { configurationKey, type WorkflowConfiguration } from "../../api/configuration.ts";
import type { IntegrationWorkflow } from "../../api/integration-workflow.ts";
import { isRecord, sameJson } from "../../api/json.ts";
import type { Manifest } from "../../kubernetes/objects.ts";
import { ownerReference, ownLabels } from "../sight/ownership.ts";
import { digestOf, pinNames } from "../sight/pin-identity.ts";
import type { DeploymentSpec, PinContent, PinSeen } from "../sight/snapshot.ts";

/** Key of the pin with the rendered Deployment. */
const deploymentKey = "deployment.json";

/**
 * The name to pin a content under: of a pin that holds the same, else the first that no other content has.
 * @param pins the workflow's own
 */
export function pinNameFor(content: PinContent, workflowName: string, pins: readonly PinSeen[]): string {
  const digest = digestOf(content);
  const [first = workflowName] = pinNames(workflowName, digest);
  const held = new Map(pins.map((pin) => [pin.metadata.name, pin.content]));
  const free = pinNames(workflowName, digest).find((name) => !held.has(name) || sameJson(held.get(name), content));
  // Sixteen collisions in a row do not happen; the create would fail, and be tried again.
  return free ?? first;
}

export function pinManifest(workflow: IntegrationWorkflow, name: string, content: PinContent): Manifest {
  const manifest = {
    metadata: {
      name,
      namespace: workflow.metadata.namespace,
      labels: ownLabels(workflow),
      ownerReferences: [ownerReference(workflow)],
    },
    immutable: true,
    data: {
      [configurationKey]: `${JSON.stringify(content.configuration, undefined, 2)}\n`,
      [deploymentKey]: `${JSON.stringify(content.deployment, undefined, 2)}\n`,
    },
  };
  return manifest;
}

/** What a pin's data says; nothing for data that no operator wrote. */
export function readPin(data: Readonly<Record<string, string>> | undefined): PinContent | undefined {
  const configuration = parsed(data?.[configurationKey]);
  const deployment = parsed(data?.[deploymentKey]);
  if (!isRecord(configuration) || !isRecord(deployment)) return undefined;
  const { workflow, spec } = configuration;
  if (!isRecord(workflow) || !isRecord(spec) || !isRecord(spec["worker"]) || !isRecord(spec["queue"])) return undefined;
  if (!isRecord(deployment["selector"]) || !isRecord(deployment["template"])) return undefined;
  return {
    // Only the operator writes pins; their digests are checked before use.
    configuration: configuration as unknown as WorkflowConfiguration,
    deployment: deployment as unknown as DeploymentSpec,
  };
}

function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    // Whoever wrote it, it is not ours; the caller says what follows from that.
    return undefined;
  }
}
