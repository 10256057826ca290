import type {
  V1Container,
  V1PodSpec,
  V1Probe,
  V1ResourceRequirements,
  V1Volume,
  V1VolumeMount,
} from "@kubernetes/client-node";
import { configurationKey, type EffectiveSpec, type WorkflowConfiguration } from "../../api/configuration.ts";
import { labels, operatorName } from "../../api/group.ts";
import { runVariable, workerPaths, workerPort } from "../../api/worker-contract.ts";
import {
  type CredentialsOf,
  caBundleSource,
  configurationFolder,
  containerSecurity,
  credentialsMount,
  credentialsVolume,
  fileMode,
  podSecurity,
  workerContainer,
  workerPortName,
} from "../../api/worker-pod.ts";
import type { Wire } from "../../kubernetes/objects.ts";
import type { DeploymentSpec } from "../sight/snapshot.ts";

type PodSpec = Wire<V1PodSpec>;
type Container = Wire<V1Container>;
type Probe = Wire<V1Probe>;
type Volume = Wire<V1Volume>;
type VolumeMount = Wire<V1VolumeMount>;
type Resources = Wire<V1ResourceRequirements>;

const configurationVolume = "configuration";

/** Enough for one application user's service limits; no CPU limit, because throttling would only make it late. */
const defaultResources: Resources = {
  requests: { cpu: "100m", memory: "256Mi" },
  limits: { memory: "512Mi" },
};

export interface RenderInput {
  readonly configuration: WorkflowConfiguration;
  readonly defaultWorkerImage: string;
  /** The queue's volume; absent when the queue is a database. */
  readonly claimName: string | undefined;
}

/**
 * The Deployment of a run, less replicas, the pin's name and the run's number.
 *
 * Fields that the API server would default are said here, so that what it stores is what was rendered and a template that
 * somebody edited shows in a comparison.
 */
export function renderDeployment({ configuration, defaultWorkerImage, claimName }: RenderInput): DeploymentSpec {
  const { workflow, spec } = configuration;
  const template = spec.worker.template ?? {};
  return {
    selector: { matchLabels: { [labels.workflow]: workflow.name } },
    // Two workers must not hold one queue: the old ones go before the new ones come.
    strategy: { type: "Recreate" },
    // An earlier run is found in its pin, not in a ReplicaSet.
    revisionHistoryLimit: 0,
    progressDeadlineSeconds: 600,
    template: {
      metadata: {
        labels: { ...template.labels, [labels.workflow]: workflow.name, [labels.managedBy]: operatorName },
        ...(template.annotations === undefined ? {} : { annotations: template.annotations }),
      },
      spec: podSpec(spec, container(spec, defaultWorkerImage, claimName), volumes(spec, claimName)),
    },
  };
}

/**
 * What belongs to the run and not to the pin, filled in when the Deployment is written. It may never come to do it
 * differently for a pin that exists: that would roll out a running workflow.
 */
export function deploymentOfRun(
  pinned: DeploymentSpec,
  run: { readonly run: number; readonly pin: string },
  replicas: number,
): DeploymentSpec {
  const { template } = pinned;
  const { spec } = template;
  if (spec === undefined) return { ...pinned, replicas };
  return {
    ...pinned,
    replicas,
    template: {
      ...template,
      metadata: { ...template.metadata, labels: { ...template.metadata?.labels, [labels.run]: String(run.run) } },
      spec: {
        ...spec,
        containers: spec.containers.map((entry) =>
          entry.name === workerContainer
            ? { ...entry, env: [{ name: runVariable, value: String(run.run) }, ...(entry.env ?? [])] }
            : entry,
        ),
        ...(spec.volumes === undefined ? {} : { volumes: spec.volumes.map((volume) => named(volume, run.pin)) }),
      },
    },
  };
}

export function imageOf(spec: EffectiveSpec, defaultWorkerImage: string): string {
  return spec.worker.image ?? defaultWorkerImage;
}

function podSpec(spec: EffectiveSpec, worker: Container, podVolumes: readonly Volume[]): PodSpec {
  const template = spec.worker.template ?? {};
  const { serviceAccountName } = template;
  return {
    restartPolicy: "Always",
    dnsPolicy: "ClusterFirst",
    schedulerName: "default-scheduler",
    terminationGracePeriodSeconds: spec.worker.terminationGracePeriodSeconds,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    ...(serviceAccountName === undefined ? {} : { serviceAccountName, serviceAccount: serviceAccountName }),
    ...(template.nodeSelector === undefined ? {} : { nodeSelector: template.nodeSelector }),
    ...(template.tolerations === undefined ? {} : { tolerations: template.tolerations }),
    // The API server checks both: the schema leaves them open.
    ...(template.affinity === undefined ? {} : { affinity: template.affinity as NonNullable<PodSpec["affinity"]> }),
    ...(template.topologySpreadConstraints === undefined
      ? {}
      : {
          topologySpreadConstraints: template.topologySpreadConstraints as unknown as NonNullable<
            PodSpec["topologySpreadConstraints"]
          >,
        }),
    ...(template.priorityClassName === undefined ? {} : { priorityClassName: template.priorityClassName }),
    ...(template.imagePullSecrets === undefined ? {} : { imagePullSecrets: template.imagePullSecrets }),
    securityContext: podSecurity,
    containers: [worker],
    volumes: podVolumes,
  };
}

function container(spec: EffectiveSpec, defaultWorkerImage: string, claimName: string | undefined): Container {
  const env = ((spec.worker.template?.env ?? []) as NonNullable<Container["env"]>) // Checked by the API server.
    .filter(({ name }) => name !== runVariable);
  return {
    name: workerContainer,
    image: imageOf(spec, defaultWorkerImage),
    imagePullPolicy: "IfNotPresent",
    args: ["worker"],
    ...(env.length === 0 ? {} : { env }),
    ports: [{ name: workerPortName, containerPort: workerPort, protocol: "TCP" }],
    resources: resources(spec),
    // Opening a large queue after a crash can take minutes.
    startupProbe: probe("/livez", { periodSeconds: 5, failureThreshold: 60 }),
    livenessProbe: probe("/livez", { periodSeconds: 10, failureThreshold: 6 }),
    readinessProbe: probe("/readyz", { periodSeconds: 5, failureThreshold: 2 }),
    securityContext: containerSecurity,
    terminationMessagePath: workerPaths.lastWords,
    // Whatever has no last words, another image or a program that cannot run at all, says in its log why.
    terminationMessagePolicy: "FallbackToLogsOnError",
    volumeMounts: mounts(spec, claimName),
  };
}

function resources(spec: EffectiveSpec): Resources {
  const asked = spec.worker.resources;
  // Whoever says something says it all: a limit of ours could be below a request of theirs.
  if (asked?.requests === undefined && asked?.limits === undefined) return defaultResources;
  return {
    ...(asked.requests === undefined ? {} : { requests: quantities(asked.requests) }),
    ...(asked.limits === undefined ? {} : { limits: quantities(asked.limits) }),
  };
}

function quantities(asked: Readonly<Record<string, string | number>>): Record<string, string> {
  return Object.fromEntries(Object.entries(asked).map(([name, quantity]) => [name, String(quantity)]));
}

function probe(path: string, times: { readonly periodSeconds: number; readonly failureThreshold: number }): Probe {
  return { httpGet: { path, port: workerPort, scheme: "HTTP" }, timeoutSeconds: 3, successThreshold: 1, ...times };
}

function secrets(spec: EffectiveSpec): readonly (readonly [system: CredentialsOf, secretName: string])[] {
  const references = [
    ["dynamics", spec.dynamics.credentialsSecretRef],
    ["campaign", spec.campaign.credentialsSecretRef],
    ["sftp", spec.campaign.sftp?.credentialsSecretRef],
    ["postgres", spec.queue.postgres?.credentialsSecretRef],
  ] as const;
  return references.flatMap(([system, reference]) =>
    reference === undefined ? [] : [[system, reference.name] as const],
  );
}

function volumes(spec: EffectiveSpec, claimName: string | undefined): readonly Volume[] {
  const { caBundle } = spec;
  return [
    {
      name: configurationVolume,
      projected: {
        defaultMode: fileMode,
        sources: [
          { configMap: { items: [{ key: configurationKey, path: configurationKey }] } },
          ...(caBundle === undefined ? [] : [caBundleSource(caBundle.configMapRef.name)]),
        ],
      },
    },
    ...secrets(spec).map(([system, secretName]) => credentialsVolume(system, secretName)),
    ...(claimName === undefined ? [] : [{ name: "state", persistentVolumeClaim: { claimName } }]),
    { name: "tmp", emptyDir: { sizeLimit: "64Mi" } },
  ];
}

function mounts(spec: EffectiveSpec, claimName: string | undefined): readonly VolumeMount[] {
  return [
    { name: configurationVolume, mountPath: configurationFolder, readOnly: true },
    ...secrets(spec).map(([system]) => credentialsMount(system)),
    ...(claimName === undefined ? [] : [{ name: "state", mountPath: workerPaths.state }]),
    { name: "tmp", mountPath: "/tmp" },
  ];
}

/** Puts the pin's name where it was left out, so that the name can be made from all the rest. */
function named(volume: Volume, pinName: string): Volume {
  if (volume.name !== configurationVolume || volume.projected?.sources === undefined) return volume;
  const sources = volume.projected.sources.map((source) =>
    source.configMap !== undefined && source.configMap.name === undefined
      ? { ...source, configMap: { ...source.configMap, name: pinName } }
      : source,
  );
  return { ...volume, projected: { ...volume.projected, sources } };
}
