import { maxNameLength } from "./group.ts";
import { integer, object, oneOf, optional, type Static, string } from "./schema/build.ts";
import { egress } from "./schema/egress.ts";
import { ingress } from "./schema/ingress.ts";
import { optInOut } from "./schema/opt-in-out.ts";
import { queue, worker } from "./schema/runtime.ts";
import { status } from "./schema/status.ts";
import { caBundle, campaign, dynamics } from "./schema/systems.ts";

export const workflowTypes = ["Ingress", "Egress", "OptInOut"] as const;

const sections = { Ingress: "ingress", Egress: "egress", OptInOut: "optInOut" } as const;

const oneSection = workflowTypes.map((type) => {
  const mine = sections[type];
  const others = Object.values(sections).filter((section) => section !== mine);
  return {
    rule: `self.type != '${type}' || (has(self.${mine}) && ${others.map((other) => `!has(self.${other})`).join(" && ")})`,
    message: `type ${type} needs ${mine} and takes neither ${others.join(" nor ")}`,
  };
});

export const spec = object(
  {
    state: oneOf(["Running", "Stopped"], {
      description: "Whether the workflow runs. Nothing syncs until someone starts it.",
      default: "Stopped",
    }),
    restart: optional(
      string({
        description:
          "Any new value means one stop and one start, so that edits come into force. status.handledRestart echoes it.",
        minLength: 1,
        maxLength: 128,
      }),
    ),
    type: oneOf(workflowTypes, {
      description:
        "Ingress: Dynamics 365 to Campaign. Egress: email events from Campaign to Dynamics 365. OptInOut: opt-outs.",
      rules: [{ rule: "self == oldSelf", message: "type is immutable: make another workflow for another type" }],
    }),
    dynamics,
    campaign,
    caBundle: optional(caBundle),
    ingress: optional(ingress),
    egress: optional(egress),
    optInOut: optional(optInOut),
    queue,
    worker,
    revisionHistoryLimit: integer({
      description: "How many earlier revisions are kept.",
      minimum: 0,
      maximum: 100,
      default: 10,
      format: "int32",
    }),
  },
  {
    description: "What to sync, and whether to run. An edit of a running workflow waits for a stop and start.",
    rules: [
      ...oneSection,
      {
        rule: "self.type != 'Egress' || has(self.campaign.sftp)",
        fieldPath: ".campaign",
        message: "campaign.sftp is needed by type Egress: say where Campaign puts its exports",
      },
      {
        rule: "!has(self.optInOut) || self.optInOut.source != 'Export' || !(self.optInOut.direction in ['CampaignToDynamics', 'Bidirectional']) || has(self.campaign.sftp)",
        fieldPath: ".campaign",
        message:
          "campaign.sftp is needed by optInOut.source Export: say where Campaign puts its exports, or use source Poll",
      },
      {
        rule: "self.worker.replicas == 1 || has(self.queue.postgres)",
        fieldPath: ".worker.replicas",
        message: "worker.replicas above 1 needs queue.postgres: the embedded queue has one worker",
      },
    ],
  },
);

export const integrationWorkflow = object(
  { spec, status: optional(status) },
  {
    description:
      "One integration between a Microsoft Dynamics 365 (Dataverse) organisation and an Adobe Campaign instance.",
    rules: [
      {
        rule: `self.metadata.name.size() <= ${maxNameLength}`,
        message: `metadata.name must have at most ${maxNameLength} characters, so that derived names fit`,
      },
    ],
  },
);

export type WorkflowType = (typeof workflowTypes)[number];
export type WorkflowSpec = Static<typeof spec>;
export type WorkflowStatus = Static<typeof status>;
export type WorkflowState = NonNullable<WorkflowStatus["state"]>;
export type WorkflowCondition = NonNullable<WorkflowStatus["conditions"]>[number];
export type PendingChange = NonNullable<WorkflowStatus["pendingChanges"]>[number];
export type MappingStatus = NonNullable<WorkflowStatus["mappings"]>[number];
export type Throttling = NonNullable<WorkflowStatus["throttling"]>[number];
export type Transition = NonNullable<WorkflowStatus["transitions"]>[number];
export type IngressMapping = NonNullable<WorkflowSpec["ingress"]>["mappings"][number];

/** The resource as the API server returns it: defaulted fields are there. */
export interface IntegrationWorkflow {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly generation: number;
    readonly creationTimestamp: string;
    readonly deletionTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: WorkflowSpec;
  readonly status?: WorkflowStatus;
}
