/** The least that answers an edit: whoever sees it writes a status of the usual size at once, and decides nothing. */
import type { IntegrationWorkflow } from "../../../src/api/integration-workflow.ts";
import type { Client } from "../../../src/kubernetes/client.ts";
import { createInformer } from "../../../src/kubernetes/informer.ts";
import { workflows } from "../../../src/operator/shell/projections.ts";
import { createLogger } from "../../../src/telemetry/log.ts";
import { namespace } from "./ground.ts";

const at = "2026-01-01T00:00:00Z";
const message = "The workflow was edited, and runs as it was started";

function statusFor({ metadata: { generation } }: IntegrationWorkflow) {
  const condition = (type: string) => ({ type, status: "True", reason: "Running", message, lastTransitionTime: at });
  return {
    observedGeneration: generation,
    state: "RUNNING",
    pendingRestart: true,
    pendingChangeCount: 1,
    pendingChanges: [{ path: "campaign.engineCallsPerSecond", from: "20", to: String(generation), source: "Spec" }],
    conditions: ["Ready", "Running", "Reconciling", "Stalled", "RestartRequired"].map((type) => ({
      ...condition(type),
      observedGeneration: generation,
    })),
    transitions: [{ at, to: "RUNNING", reason: "WorkerReady" }],
  };
}

/** Answers edits of workflows whose names begin with `echo-`, until the signal aborts. */
export async function echo(client: Client, signal: AbortSignal): Promise<void> {
  const logger = createLogger("bench", "error");
  const project = (object: IntegrationWorkflow): IntegrationWorkflow => object;
  const { cache, run } = createInformer({ client, kind: workflows, namespaces: [namespace], project, logger });
  const answer = async (object: IntegrationWorkflow): Promise<void> => {
    const { name, uid, resourceVersion } = object.metadata;
    const options = { subresource: "status", precondition: { uid, resourceVersion }, answer: "metadata" } as const;
    await client.mergePatch(workflows, { namespace, name }, { status: statusFor(object) }, options);
  };
  cache.subscribe(({ type, object }) => {
    const { metadata, status } = object;
    const isEdited = metadata.name.startsWith("echo-") && metadata.generation !== status?.observedGeneration;
    if (type !== "delete" && isEdited) void answer(object);
  });
  await run(signal);
}
