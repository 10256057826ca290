/** One manifest of each type with every field of it, and edits of them by path. */
import type { WorkflowType } from "../../../src/api/integration-workflow.ts";

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; [field: string]: unknown };
  // Tests write what the schema does not allow: a type would hide it.
  spec: Record<string, unknown>;
  status?: Record<string, unknown>;
}

/** Values by path, such as `spec.ingress.mappings[0].table`; undefined takes the field away. */
export type Edits = Readonly<Record<string, unknown>>;

const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJmeCrmfqK0MTjMVBDCBz0FL3W3vCfRCFMhpHfEvD5nT";

const sftp = {
  host: "contoso.campaign.adobe.com",
  port: 22,
  username: "contoso",
  path: "d365_loads/exports",
  hostKey,
  credentialsSecretRef: { name: "campaign-sftp" },
  format: { timeZone: "Europe/Paris", delimiter: ",", encoding: "utf-8", dateFormat: "yyyy-MM-dd HH:mm:ss" },
};

const systems = {
  dynamics: { url: "https://contoso.crm.dynamics.com", credentialsSecretRef: { name: "dynamics" }, share: 100 },
  campaign: {
    url: "https://mc.adobe.io/contoso/campaign",
    credentialsSecretRef: { name: "campaign" },
    engineCallsPerSecond: 20,
    dialect: "Standard",
  },
};

const contacts = {
  table: "contact",
  resource: "profile",
  key: { column: "contactid", field: "externalId" },
  fields: [
    {
      column: "gendercode",
      field: "gender",
      applyUpdates: false,
      replacements: [{ from: "1", to: "male" }],
      link: { resource: "cusGender", key: "code", mandatory: false },
    },
  ],
  constants: [{ field: "orgUnit", value: "all" }],
  filter: {
    match: "All",
    conditions: [
      { column: "statecode", operator: "Equals", value: "0" },
      { column: "statuscode", operator: "In", values: ["1", "2"] },
    ],
    deleteUnmatched: false,
  },
  applyDeletes: false,
  picklistValues: "Label",
  replay: "1",
};

const worker = {
  image: "registry.example.com/worker:1",
  resources: { requests: { cpu: "100m" }, limits: { memory: "256Mi" } },
  replicas: 1,
  terminationGracePeriodSeconds: 60,
  template: {
    labels: { team: "crm" },
    annotations: { note: "none" },
    nodeSelector: { zone: "a" },
    tolerations: [{ key: "dedicated", operator: "Equal", value: "crm", effect: "NoExecute", tolerationSeconds: 60 }],
    affinity: { podAntiAffinity: {} },
    topologySpreadConstraints: [{ maxSkew: 1 }],
    priorityClassName: "normal",
    serviceAccountName: "worker",
    imagePullSecrets: [{ name: "registry" }],
    env: [
      { name: "TZ", value: "UTC" },
      { name: "NODE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
    ],
  },
};

const specs: Readonly<Record<WorkflowType, Record<string, unknown>>> = {
  Ingress: {
    ...systems,
    type: "Ingress",
    state: "Stopped",
    restart: "1",
    caBundle: { configMapRef: { name: "corporate-ca" } },
    ingress: { mappings: [contacts] },
    queue: {
      volume: { size: "1Gi", storageClassName: "standard", accessMode: "ReadWriteOnce", whenDeleted: "Retain" },
      deadLetterRetentionDays: 30,
    },
    worker,
    revisionHistoryLimit: 10,
  },
  Egress: {
    ...systems,
    type: "Egress",
    campaign: { ...systems.campaign, sftp },
    egress: {
      events: { send: true, open: true, click: true, bounce: true },
      since: "2026-11-01T00:00:00Z",
      contactKey: "contactid",
      activities: {
        send: { table: "adobe_emailsend" },
        open: { table: "adobe_emailopen" },
        click: { table: "adobe_emailurlclick" },
        bounce: { table: "adobe_emailbounce" },
        columns: {
          campaignName: "adobe_campaignname",
          deliveryName: "adobe_deliveryname",
          occurredAt: "adobe_occurredat",
          mirrorPageUrl: "adobe_mirrorpageurl",
          trackingUrl: "adobe_trackingurl",
        },
      },
    },
    queue: { postgres: { credentialsSecretRef: { name: "queue-database" } } },
  },
  OptInOut: {
    ...systems,
    type: "OptInOut",
    campaign: { ...systems.campaign, sftp },
    optInOut: {
      direction: "Bidirectional",
      source: "Export",
      keyField: "externalId",
      auditRetentionDays: 400,
      mappings: [{ column: "donotbulkemail", field: "denyListEmail" }],
    },
  },
};

/** A manifest with every field of its type, edited. */
export function manifest(type: WorkflowType, edits: Edits = {}, name = "contacts"): Manifest {
  const made: Manifest = {
    apiVersion: "integrationworkflow.io/v1",
    kind: "IntegrationWorkflow",
    metadata: { name },
    spec: structuredClone(specs[type]),
  };
  return edited(made, edits);
}

/** Only what the schema asks for. */
export function smallest(type: WorkflowType, name = "contacts"): Manifest {
  const { field, column } = { field: "firstName", column: "firstname" };
  const sections: Readonly<Record<WorkflowType, Edits>> = {
    Ingress: {
      "spec.ingress": {
        mappings: [{ table: "contact", resource: "profile", key: contacts.key, fields: [{ column, field }] }],
      },
    },
    Egress: { "spec.egress": {}, "spec.campaign.sftp.port": undefined },
    OptInOut: {},
  };
  const spared = ["state", "restart", "caBundle", "queue", "worker", "revisionHistoryLimit"];
  const gone = Object.fromEntries(spared.map((path) => [`spec.${path}`, undefined]));
  const optional = { "spec.dynamics.share": undefined, "spec.optInOut.source": undefined };
  const made = manifest(type, { ...gone, ...sections[type] }, name);
  const has = Object.entries(optional).filter(([path]) => read(made, path) !== undefined);
  return edited(made, Object.fromEntries(has));
}

function edited(made: Manifest, edits: Edits): Manifest {
  const copy = structuredClone(made);
  for (const [path, value] of Object.entries(edits)) write(copy, path, value);
  return copy;
}

/** What stands at a path; undefined where nothing does. */
export function read(from: object, path: string): unknown {
  return steps(path).reduce<unknown>((at, step) => (at as Record<string, unknown> | undefined)?.[step], from);
}

function write(into: object, path: string, value: unknown): void {
  const names = steps(path);
  const last = names.pop() ?? "";
  const parent = read(into, names.join("."));
  if (typeof parent !== "object" || parent === null) throw new Error(`nothing stands at ${names.join(".")}`);
  if (value === undefined) Reflect.deleteProperty(parent, last);
  else Reflect.set(parent, last, structuredClone(value));
}

function steps(path: string): string[] {
  return path.split(/[.[\]]/).filter((step) => step !== "");
}
