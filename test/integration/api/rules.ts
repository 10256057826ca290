/**
 * Every CEL rule of the schema by example: what it lets pass, and what it refuses. The message is what a person reads
 * at apply, so it stands here again in full.
 */
import type { WorkflowType } from "../../../src/api/integration-workflow.ts";
import type { Edits } from "./manifests.ts";

/** A manifest of `base` (Ingress if absent) with edits; `before` is what stands there already, for rules on changes. */
export interface Example {
  readonly base?: WorkflowType;
  readonly name?: string;
  readonly before?: Edits;
  readonly edits: Edits;
}

export interface RuleExamples {
  /** Where in the schema the rule stands. */
  readonly at: string;
  /** The whole message. */
  readonly message: string;
  /** The field that the refusal names. */
  readonly field: string;
  readonly accepted: readonly Example[];
  readonly refused: readonly Example[];
}

const mapping = "spec.ingress.mappings[0]";
const link = { "spec.ingress.mappings[0].fields[0].link": undefined };

function needsOnly(type: WorkflowType, own: string, others: readonly [string, string]): RuleExamples {
  const base = type;
  return {
    at: "spec",
    message: `type ${type} needs ${own} and takes neither ${others.join(" nor ")}`,
    field: "spec",
    accepted: [{ base, edits: {} }],
    refused: [
      { base, edits: { [`spec.${own}`]: undefined } },
      ...others.map((other): Example => ({ base, edits: { [`spec.${other}`]: sections[other] } })),
    ],
  };
}

const sections: Readonly<Record<string, unknown>> = {
  ingress: {
    mappings: [
      {
        table: "contact",
        resource: "profile",
        key: { column: "contactid", field: "externalId" },
        fields: [{ column: "firstname", field: "firstName" }],
      },
    ],
  },
  egress: {},
  optInOut: { direction: "Disabled", mappings: [{ column: "donotfax", field: "denyListFax" }] },
};

function addresses(field: string): readonly RuleExamples[] {
  const at = `spec.${field}`;
  const given = (url: string): Example => ({ edits: { [at]: url } });
  const row = (message: string, accepted: readonly string[], refused: readonly string[]): RuleExamples => ({
    at,
    message: `${field} ${message}`,
    field: at,
    accepted: accepted.map(given),
    refused: refused.map(given),
  });
  return [
    row(
      "must be a URL with scheme and host, such as https://example.com",
      ["https://contoso.crm4.dynamics.com", "https://example.com:8443/api/v1", "https://10.0.0.7"],
      ["contoso.crm.dynamics.com", "ftp://example.com", "https:///path", "https:example.com", "https://a b"],
    ),
    row(
      "must use https; plain http is only for a Service inside the cluster (name.namespace.svc) or loopback",
      [
        "http://sandbox.crm.svc:8081",
        "http://sandbox.crm.svc.cluster.local:8081/x",
        "http://localhost:1",
        "http://127.0.0.1:8081",
        "http://[::1]:8081",
      ],
      ["http://contoso.crm.dynamics.com", "http://svc", "http://svc.example.com", "http://127.0.0.1.example.com"],
    ),
    row(
      "must have no user info, query or fragment: credentials belong in the Secret",
      ["https://example.com/a/b"],
      ["https://me:secret@example.com", "https://example.com/?key=1", "https://example.com/#top"],
    ),
    row("must not end with a slash", ["https://example.com/campaign"], ["https://example.com/"]),
  ];
}

const growth = "queue.volume.size can only grow, and is 1Gi where no volume is given: give the earlier size or more";
const noVolume = { "spec.queue.volume": undefined };

export const rules: readonly RuleExamples[] = [
  {
    at: "",
    message: "metadata.name must have at most 52 characters, so that derived names fit",
    // The API server lets no rule point into metadata: only the message can name the field.
    field: "<nil>",
    accepted: [{ name: "a".repeat(52), edits: {} }],
    refused: [{ name: "a".repeat(53), edits: {} }],
  },
  needsOnly("Ingress", "ingress", ["egress", "optInOut"]),
  needsOnly("Egress", "egress", ["ingress", "optInOut"]),
  needsOnly("OptInOut", "optInOut", ["ingress", "egress"]),
  {
    at: "spec",
    message: "campaign.sftp is needed by type Egress: say where Campaign puts its exports",
    field: "spec.campaign",
    accepted: [{ base: "Egress", edits: {} }],
    refused: [{ base: "Egress", edits: { "spec.campaign.sftp": undefined } }],
  },
  {
    at: "spec",
    message:
      "campaign.sftp is needed by optInOut.source Export: say where Campaign puts its exports, or use source Poll",
    field: "spec.campaign",
    accepted: [
      { base: "OptInOut", edits: {} },
      { base: "OptInOut", edits: { "spec.campaign.sftp": undefined, "spec.optInOut.source": "Poll" } },
      {
        base: "OptInOut",
        edits: { "spec.campaign.sftp": undefined, "spec.optInOut.direction": "DynamicsToCampaign" },
      },
    ],
    refused: [
      { base: "OptInOut", edits: { "spec.campaign.sftp": undefined } },
      { base: "OptInOut", edits: { "spec.campaign.sftp": undefined, "spec.optInOut.source": undefined } },
    ],
  },
  {
    at: "spec",
    message: "worker.replicas above 1 needs queue.postgres: the embedded queue has one worker",
    field: "spec.worker.replicas",
    accepted: [{ edits: { "spec.worker.replicas": 1 } }, { base: "Egress", edits: { "spec.worker": { replicas: 2 } } }],
    refused: [{ edits: { "spec.worker.replicas": 2 } }],
  },
  {
    at: "spec.type",
    message: "type is immutable: make another workflow for another type",
    field: "spec.type",
    accepted: [{ before: {}, edits: { "spec.state": "Running" } }],
    refused: [
      {
        before: {},
        edits: { "spec.type": "OptInOut", "spec.ingress": undefined, "spec.optInOut": sections["optInOut"] },
      },
    ],
  },
  ...addresses("dynamics.url"),
  ...addresses("campaign.url"),
  {
    at: "spec.queue",
    message: "queue takes volume or postgres, not both: remove one",
    field: "spec.queue",
    accepted: [
      { edits: {} },
      { edits: { "spec.queue": { postgres: { credentialsSecretRef: { name: "queue" } } } } },
      { edits: { "spec.queue": undefined } },
    ],
    refused: [{ edits: { "spec.queue.postgres": { credentialsSecretRef: { name: "queue" } } } }],
  },
  {
    at: "spec.queue",
    message: growth,
    field: "spec.queue.volume",
    accepted: [
      { before: { "spec.queue.volume.size": "2Gi" }, edits: { "spec.queue.volume.size": "2048Mi" } },
      { before: { "spec.queue.volume.size": "900Mi" }, edits: { "spec.queue.volume.size": "1G" } },
      { before: noVolume, edits: { "spec.queue.volume": {} } },
      { before: {}, edits: noVolume },
      {
        before: { "spec.queue.volume.size": "20Gi" },
        edits: { "spec.queue": { postgres: { credentialsSecretRef: { name: "queue" } } } },
      },
      {
        before: { "spec.queue": { postgres: { credentialsSecretRef: { name: "queue" } } } },
        edits: { "spec.queue": { volume: { size: "500Mi" } } },
      },
    ],
    refused: [
      { before: { "spec.queue.volume.size": "2Gi" }, edits: { "spec.queue.volume.size": "2047Mi" } },
      { before: noVolume, edits: { "spec.queue.volume": { size: "900Mi" } } },
      { before: { "spec.queue": undefined }, edits: { "spec.queue": { volume: { size: "1G" } } } },
      { before: { "spec.queue.volume.size": "2Gi" }, edits: noVolume },
      { before: { "spec.queue.volume.size": "2Gi" }, edits: { "spec.queue": undefined } },
    ],
  },
  {
    at: "spec.ingress.mappings",
    message: "a Campaign resource is mapped once: two mappings name the same resource",
    field: "spec.ingress.mappings",
    accepted: [{ edits: { "spec.ingress.mappings[1]": anotherMapping("account", "cusCompany") } }],
    refused: [{ edits: { "spec.ingress.mappings[1]": anotherMapping("account", "profile") } }],
  },
  {
    at: "spec.ingress.mappings[]",
    message: "resource of a mapped table is immutable: remove the mapping, stop and start, then add it anew",
    field: `${mapping}.resource`,
    accepted: [
      { before: {}, edits: { [`${mapping}.replay`]: "2" } },
      { before: {}, edits: { [mapping]: anotherMapping("lead", "cusLead") } },
    ],
    refused: [{ before: {}, edits: { [`${mapping}.resource`]: "cusContact" } }],
  },
  {
    at: "spec.ingress.mappings[]",
    message: "key of a mapped table is immutable: remove the mapping, stop and start, then add it anew",
    field: `${mapping}.key`,
    accepted: [{ before: {}, edits: { [`${mapping}.fields[0].column`]: "familystatuscode" } }],
    refused: [
      { before: {}, edits: { [`${mapping}.key.field`]: "crmId" } },
      { before: {}, edits: { [`${mapping}.key.column`]: "accountnumber" } },
    ],
  },
  {
    at: "spec.ingress.mappings[]",
    message: "the key field is written by key alone: remove it from fields",
    field: `${mapping}.fields`,
    accepted: [{ edits: { [`${mapping}.fields[1]`]: { column: "contactid", field: "crmId" } } }],
    refused: [{ edits: { [`${mapping}.fields[1]`]: { column: "contactid", field: "externalId" } } }],
  },
  {
    at: "spec.ingress.mappings[]",
    message: "a Campaign field is written by one of key, fields and constants: remove it from constants",
    field: `${mapping}.constants`,
    accepted: [
      { edits: { [`${mapping}.constants[1]`]: { field: "origin", value: "crm" } } },
      { edits: { [`${mapping}.constants`]: undefined } },
    ],
    refused: [
      { edits: { [`${mapping}.constants[0].field`]: "gender", ...link } },
      { edits: { [`${mapping}.constants[0].field`]: "externalId" } },
    ],
  },
  {
    at: "spec.ingress.mappings[].filter.conditions[]",
    message: "values belongs to the operators In and NotIn, which need it and take no value",
    field: `${mapping}.filter.conditions[0]`,
    accepted: [condition({ operator: "NotIn", values: ["1"] }), condition({ operator: "Equals", value: "1" })],
    refused: [
      condition({ operator: "In" }),
      condition({ operator: "In", value: "1" }),
      condition({ operator: "NotIn", value: "1", values: ["1"] }),
      condition({ operator: "Equals", value: "1", values: ["1"] }),
    ],
  },
  {
    at: "spec.ingress.mappings[].filter.conditions[]",
    message: "value is needed by this operator; IsEmpty and IsNotEmpty take none",
    field: `${mapping}.filter.conditions[0]`,
    accepted: [condition({ operator: "IsEmpty" }), condition({ operator: "Contains", value: "" })],
    refused: [condition({ operator: "GreaterThan" }), condition({ operator: "IsNotEmpty", value: "1" })],
  },
  {
    at: "spec.optInOut.mappings",
    message: "a column is mapped once: two mappings name the same column",
    field: "spec.optInOut.mappings",
    accepted: [optOut({ column: "donotfax", field: "denyListFax" })],
    refused: [optOut({ column: "donotbulkemail", field: "denyListFax" })],
  },
];

function anotherMapping(table: string, resource: string): unknown {
  const key = { column: `${table}id`, field: "externalId" };
  return { table, resource, key, fields: [{ column: "name", field: "label" }] };
}

function condition(rest: Readonly<Record<string, unknown>>): Example {
  return { edits: { [`${mapping}.filter.conditions[0]`]: { column: "statecode", ...rest } } };
}

function optOut(pair: Readonly<Record<string, unknown>>): Example {
  return { base: "OptInOut", edits: { "spec.optInOut.mappings[1]": pair } };
}
