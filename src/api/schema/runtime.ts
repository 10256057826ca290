import { coreObject, integer, list, object, oneOf, optional, quantityMap, string, stringMap } from "./build.ts";
import { objectName, secretRef } from "./references.ts";

/** What a queue's volume is when nothing is said of it. */
const defaultVolumeSize = "1Gi";

const sizeOf = (self: string): string => `quantity(has(${self}.volume) ? ${self}.volume.size : '${defaultVolumeSize}')`;

export const volume = object(
  {
    size: string({
      description: "Size of the volume. It can only grow.",
      maxLength: 32,
      pattern: "^[1-9][0-9]*(\\.[0-9]+)?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$",
      default: defaultVolumeSize,
    }),
    storageClassName: optional(objectName("The storage class; absent: the cluster's default.")),
    accessMode: oneOf(["ReadWriteOnce", "ReadWriteOncePod"], {
      description: "How the volume is mounted.",
      default: "ReadWriteOnce",
    }),
    whenDeleted: oneOf(["Retain", "Delete"], {
      description:
        "Whether the volume outlives the workflow. Retain: a workflow made again under the same name goes on with it.",
      default: "Retain",
    }),
  },
  { description: "A volume for the embedded queue (SQLite)." },
);

export const queue = object(
  {
    volume: optional(volume),
    postgres: optional(
      object({ credentialsSecretRef: secretRef("key url") }, { description: "A PostgreSQL database for the queue." }),
    ),
    deadLetterRetentionDays: integer({
      description: "How long a record that was refused for good is remembered.",
      minimum: 1,
      maximum: 3650,
      default: 30,
    }),
  },
  {
    description: "Where records wait to be written. Absent: embedded, on a volume of 1Gi.",
    default: {},
    rules: [
      {
        rule: "!(has(self.volume) && has(self.postgres))",
        message: "queue takes volume or postgres, not both: remove one",
      },
      {
        // Here and not at size: a volume that is added or taken away later also has an earlier size.
        rule: `has(self.postgres) || has(oldSelf.postgres) || ${sizeOf("self")}.compareTo(${sizeOf("oldSelf")}) >= 0`,
        fieldPath: ".volume",
        message: `queue.volume.size can only grow, and is ${defaultVolumeSize} where no volume is given: give the earlier size or more`,
      },
    ],
  },
);

const toleration = object(
  {
    key: optional(string({ description: "The taint's key.", maxLength: 316 })),
    operator: optional(oneOf(["Exists", "Equal", "Lt", "Gt"], { description: "How the taint is compared." })),
    value: optional(string({ description: "The taint's value.", maxLength: 253 })),
    effect: optional(oneOf(["NoSchedule", "PreferNoSchedule", "NoExecute"], { description: "The taint's effect." })),
    tolerationSeconds: optional(integer({ description: "How long it is tolerated, in seconds." })),
  },
  { description: "A taint that is tolerated." },
);

const environmentVariable = object(
  {
    name: string({
      description: "Name of the variable.",
      minLength: 1,
      maxLength: 128,
      pattern: "^[A-Za-z_][A-Za-z0-9_.-]*$",
    }),
    value: optional(string({ description: "Its value.", maxLength: 4096 })),
    valueFrom: optional(coreObject({ description: "Where its value comes from, as in a container." })),
  },
  { description: "An environment variable of the worker." },
);

const template = object(
  {
    labels: optional(stringMap({ description: "Labels of the pods.", maxProperties: 64, maxLength: 63 })),
    annotations: optional(stringMap({ description: "Annotations of the pods.", maxProperties: 64, maxLength: 4096 })),
    nodeSelector: optional(
      stringMap({ description: "Labels that the node must have.", maxProperties: 64, maxLength: 63 }),
    ),
    tolerations: optional(list(toleration, { description: "Taints that are tolerated.", maxItems: 64 })),
    affinity: optional(coreObject({ description: "As in a pod." })),
    topologySpreadConstraints: optional(
      list(coreObject({ description: "As in a pod." }), { description: "As in a pod.", maxItems: 16 }),
    ),
    priorityClassName: optional(objectName("The pods' priority class.")),
    serviceAccountName: optional(
      objectName("The pods' service account; the operator must permit it. No token of it is mounted."),
    ),
    imagePullSecrets: optional(
      list(object({ name: objectName("Name of the Secret.") }, { description: "A Secret for the registry." }), {
        description: "Secrets for the image's registry.",
        maxItems: 16,
        mapKeys: ["name"],
      }),
    ),
    env: optional(
      list(environmentVariable, { description: "More environment variables.", maxItems: 64, mapKeys: ["name"] }),
    ),
  },
  { description: "Placement and labels of the worker's pods." },
);

export const worker = object(
  {
    image: optional(
      string({
        description: "Another image that honours the worker contract; the operator must permit it.",
        minLength: 1,
        maxLength: 512,
      }),
    ),
    resources: optional(
      object(
        {
          requests: optional(quantityMap({ description: "What is reserved.", maxProperties: 16 })),
          limits: optional(quantityMap({ description: "What is not exceeded.", maxProperties: 16 })),
        },
        { description: "Compute resources of the worker's container." },
      ),
    ),
    replicas: integer({
      description: "Workers that share the queue; more than one only with queue.postgres.",
      minimum: 1,
      maximum: 32,
      default: 1,
      format: "int32",
    }),
    terminationGracePeriodSeconds: integer({
      description: "How long a worker may take to finish what is in flight when it is stopped.",
      minimum: 5,
      maximum: 3600,
      default: 60,
    }),
    template: optional(template),
  },
  { description: "The worker's pods.", default: {} },
);
