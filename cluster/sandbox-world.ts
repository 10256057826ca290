/**
 * The sandbox keeps its records in memory, so a new container of it is a new world. Workers know the old one: what they
 * wrote there they take for removed, perhaps for privacy, and what was agreed on there was never agreed here.
 */

/** What is needed of kubectl: its arguments in, its output back. */
type Kubectl = (...args: readonly string[]) => Promise<string>;

/** On the namespace of the release: the sandbox that the workflows have met. */
const annotation = "integrationworkflow.io/sandbox-container";

/**
 * Makes the workflows of these files, and deletes them before if they have met another sandbox than the one that runs.
 * @param namespace of the release
 * @returns whether they begin anew
 */
export async function applyInThisWorld(kubectl: Kubectl, namespace: string, folder: string): Promise<boolean> {
  const pods = ["get", "pods", "--namespace", namespace, "--selector", "app.kubernetes.io/component=sandbox"];
  const world = await kubectl(...pods, "--output", "jsonpath={.items[*].status.containerStatuses[0].containerID}");
  const { metadata } = JSON.parse(await kubectl("get", "namespace", namespace, "--output", "json")) as {
    metadata: { annotations?: Readonly<Record<string, string>> };
  };
  const known = metadata.annotations?.[annotation];
  const isAnother = known !== undefined && known !== world;
  // Their volumes go with them: examples/sandbox says so.
  if (isAnother) await kubectl("delete", "--ignore-not-found", "--filename", `${folder}/3-workflows.yaml`);
  await kubectl("apply", "--filename", folder);
  if (known !== world) await kubectl("annotate", "namespace", namespace, "--overwrite", `${annotation}=${world}`);
  return isAnother;
}
