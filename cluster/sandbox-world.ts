/**
 * The sandbox keeps its records in memory, so a new container of it is a new world, and an empty Campaign. Workers take
 * what they wrote before for removed there, perhaps for privacy, and do not make it again unasked. `npm start` asks.
 */
import type { Report } from "./build.ts";

/** What is needed of kubectl: its arguments in, its output back. */
type Kubectl = (...args: readonly string[]) => Promise<string>;

interface Workflow {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: {
    readonly dynamics?: { readonly url?: string };
    readonly ingress?: { readonly mappings?: readonly unknown[] };
  };
}

/** On the namespace of the release: the sandbox that the workflows have met. */
const annotation = "integrationworkflow.io/sandbox-container";

/**
 * Lets the sandbox's workflows write everything anew when the sandbox is another than the last time.
 * @param namespace of the release
 */
export async function beginAnewIfReplaced(kubectl: Kubectl, namespace: string, report: Report): Promise<void> {
  const pods = ["get", "pods", "--namespace", namespace, "--selector", "app.kubernetes.io/component=sandbox"];
  const world = await kubectl(...pods, "--output", "jsonpath={.items[*].status.containerStatuses[0].containerID}");
  const { metadata } = JSON.parse(await kubectl("get", "namespace", namespace, "--output", "json")) as {
    metadata: { annotations?: Readonly<Record<string, string>> };
  };
  const known = metadata.annotations?.[annotation];
  if (known === world) return;
  if (known !== undefined) {
    const listed = await kubectl("get", "integrationworkflows", "--all-namespaces", "--output", "json");
    const { items } = JSON.parse(listed) as { items: readonly Workflow[] }; // The CRD's schema has checked it.
    for (const { metadata: at, spec } of items) {
      const patch = spec.dynamics?.url?.includes(`-sandbox.${namespace}.svc`) ? anew(spec, world) : [];
      if (patch.length === 0) continue;
      await kubectl(
        ...["patch", "integrationworkflow", at.name, "--namespace", at.namespace],
        ...["--type", "json", "--patch", JSON.stringify(patch)],
      );
      report(`${at.namespace}/${at.name} writes everything anew: the sandbox was replaced, and its records with it`);
    }
  }
  await kubectl("annotate", "namespace", namespace, "--overwrite", `${annotation}=${world}`);
}

/** The JSON patch of a replay of every mapping and a restart; the same for the same world. */
function anew({ ingress }: Workflow["spec"], world: string): readonly object[] {
  const value = `sandbox ${world.slice(-12)}`;
  const replays = (ingress?.mappings ?? []).map((_, index) => `/spec/ingress/mappings/${index}/replay`);
  if (replays.length === 0) return [];
  return [...replays, "/spec/restart"].map((path) => ({ op: "add", path, value }));
}
