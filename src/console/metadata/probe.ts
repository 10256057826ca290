/**
 * Where no worker runs: a Job of ten minutes that tells of both systems' metadata as a worker does, made by the person who asks.
 * It has none of a worker's labels, so that neither the operator nor a Deployment takes its pod for one.
 */
import { createHash, randomUUID } from "node:crypto";
import type { V1Job } from "@kubernetes/client-node";
import { apiGroup, labels } from "../../api/group.ts";
import { isRecord } from "../../api/json.ts";
import { workerPort } from "../../api/worker-contract.ts";
import {
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
import type { Client } from "../../kubernetes/client.ts";
import type { ResourceKind, Stored } from "../../kubernetes/objects.ts";
import { pageManager } from "../../steering/foreign-fields.ts";
import type { Said } from "../edit/draft.ts";
import { recordOf, textOf } from "./mapped.ts";

const jobs: ResourceKind<Stored<V1Job>> = {
  group: "batch",
  version: "v1",
  plural: "jobs",
  kind: "Job",
  namespaced: true,
};

const probeLabels = {
  /** The workflow's name. */
  of: `${apiGroup}/metadata-of`,
  /** Which systems it asks, with which credentials. */
  systems: `${apiGroup}/metadata-systems`,
} as const;

/** It ends by itself a minute before it would be ended. */
const deadlineSeconds = 600;
const tellsSeconds = deadlineSeconds - 60;
const goneAfterSeconds = 60;

/** What of a worker's template the pod needs to get a node, its image and a way to both systems. */
const placement = ["nodeSelector", "tolerations", "affinity", "priorityClassName", "imagePullSecrets"] as const;

export interface ProbeOf {
  readonly namespace: string;
  readonly name: string;
  readonly said: Said;
  readonly image: string;
}

/** @returns the Job's name. @throws ApiError, ConnectionError */
export async function makeProbe(editor: Client, probe: ProbeOf): Promise<string> {
  const { metadata } = await editor.create(jobs, probeJob(probe, randomUUID().slice(0, 8)));
  return metadata.name;
}

/** The image that the form names, or every other worker's. */
export function imageOf(said: Said, workerImage: string | undefined): string | undefined {
  return textOf(recordOf(said["worker"])["image"]) || workerImage;
}

/** Whether a problem of the form would be one of the pod's. */
export function isForProbe(path: string): boolean {
  return /^spec\.(dynamics|campaign|caBundle|worker)\b/.test(path);
}

/** Selects the pods that ask the systems that a form names. */
export function probeSelector(name: string, said: Said): string {
  return `${probeLabels.of}=${name},${probeLabels.systems}=${systemsHash(said)}`;
}

function probeJob({ namespace, name, said, image }: ProbeOf, suffix: string) {
  const template = recordOf(recordOf(said["worker"])["template"]);
  // What a policy or an injector goes by; never what makes a pod a worker.
  const given = Object.entries(recordOf(template["labels"])).filter(([label]) => !label.startsWith(`${apiGroup}/`));
  const own = {
    [probeLabels.of]: name,
    [probeLabels.systems]: systemsHash(said),
    [labels.managedBy]: pageManager,
  };
  return {
    metadata: { namespace, name: `${name.slice(0, 40)}-metadata-${suffix}`, labels: own },
    spec: {
      backoffLimit: 0,
      activeDeadlineSeconds: deadlineSeconds,
      ttlSecondsAfterFinished: goneAfterSeconds,
      template: {
        metadata: {
          labels: { ...Object.fromEntries(given), ...own },
          ...(template["annotations"] === undefined ? {} : { annotations: template["annotations"] }),
        },
        spec: {
          restartPolicy: "Never",
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 5,
          securityContext: podSecurity,
          ...Object.fromEntries(
            placement.flatMap((field) => (template[field] === undefined ? [] : [[field, template[field]]])),
          ),
          containers: [container(said, image, template["env"])],
          volumes: volumes(said),
        },
      },
    },
  };
}

function container(said: Said, image: string, env: unknown) {
  return {
    name: workerContainer,
    image,
    imagePullPolicy: "IfNotPresent",
    args: probeArguments(said),
    ...(env === undefined ? {} : { env }),
    ports: [{ name: workerPortName, containerPort: workerPort, protocol: "TCP" }],
    resources: { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "256Mi" } },
    securityContext: containerSecurity,
    volumeMounts: [
      ...(caBundleOf(said) === "" ? [] : [{ name: "configuration", mountPath: configurationFolder, readOnly: true }]),
      credentialsMount("dynamics"),
      credentialsMount("campaign"),
      { name: "tmp", mountPath: "/tmp" },
    ],
  };
}

function volumes(said: Said) {
  const { dynamicsSecret, campaignSecret } = systemsOf(said);
  const caBundle = caBundleOf(said);
  return [
    ...(caBundle === ""
      ? []
      : [{ name: "configuration", projected: { defaultMode: fileMode, sources: [caBundleSource(caBundle)] } }]),
    credentialsVolume("dynamics", dynamicsSecret),
    credentialsVolume("campaign", campaignSecret),
    { name: "tmp", emptyDir: { sizeLimit: "16Mi" } },
  ];
}

function probeArguments(said: Said): readonly string[] {
  const { dynamics, campaign, dynamicsSecret, campaignSecret } = systemsOf(said);
  const caBundle = caBundleOf(said);
  const flags = {
    "dynamics-url": dynamics["url"],
    "dynamics-secret": dynamicsSecret,
    share: dynamics["share"],
    "campaign-url": campaign["url"],
    "campaign-secret": campaignSecret,
    dialect: campaign["dialect"],
    "engine-calls-per-second": campaign["engineCallsPerSecond"],
    "ca-config-map": caBundle === "" ? undefined : caBundle,
    seconds: tellsSeconds,
  };
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  // Kubernetes replaces $(NAME) in arguments; $$ is a plain $.
  return ["metadata", ...given.map(([flag, value]) => `--${flag}=${String(value).replaceAll("$", "$$$$")}`)];
}

function systemsOf(said: Said) {
  const [dynamics, campaign] = [recordOf(said["dynamics"]), recordOf(said["campaign"])];
  const secretOf = ({ credentialsSecretRef: secret }: typeof dynamics) =>
    isRecord(secret) ? textOf(secret["name"]) : "";
  return { dynamics, campaign, dynamicsSecret: secretOf(dynamics), campaignSecret: secretOf(campaign) };
}

function caBundleOf(said: Said): string {
  return textOf(recordOf(recordOf(said["caBundle"])["configMapRef"])["name"]);
}

function systemsHash(said: Said): string {
  return createHash("sha256")
    .update(JSON.stringify(probeArguments(said)))
    .digest("hex")
    .slice(0, 16);
}
