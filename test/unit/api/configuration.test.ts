import { describe, expect, test } from "vitest";
import { ConfigurationError, effectiveSpec, parseConfiguration } from "../../../src/api/configuration.ts";
import type { WorkflowSpec } from "../../../src/api/integration-workflow.ts";

const workflow = { name: "contacts", namespace: "crm", uid: "5f9c1d2e-0000-4000-8000-000000000000" };

const mapping = {
  table: "contact",
  resource: "profile",
  key: { column: "contactid", field: "externalId" },
  fields: [{ column: "firstname", field: "firstName" }],
};

const written = {
  type: "Ingress",
  dynamics: { url: "https://contoso.crm.dynamics.com", credentialsSecretRef: { name: "dynamics" } },
  campaign: {
    url: "https://mc.adobe.io/contoso/campaign",
    credentialsSecretRef: { name: "campaign" },
    engineCallsPerSecond: 20,
  },
  ingress: { mappings: [mapping] },
};

// The defaults that the static type promises are what is tested.
const asSpec = (value: object): WorkflowSpec => value as WorkflowSpec;

describe("the effective spec", () => {
  test("holds the defaults and a volume, and nothing that only steers", () => {
    const steering = { state: "Running", restart: "2", revisionHistoryLimit: 3 };
    expect(effectiveSpec(asSpec({ ...written, ...steering }))).toEqual({
      ...written,
      dynamics: { ...written.dynamics, share: 100 },
      campaign: { ...written.campaign, dialect: "Standard" },
      ingress: {
        mappings: [
          {
            ...mapping,
            applyDeletes: false,
            picklistValues: "Label",
            fields: [{ column: "firstname", field: "firstName", applyUpdates: true }],
          },
        ],
      },
      queue: {
        deadLetterRetentionDays: 30,
        volume: { size: "1Gi", accessMode: "ReadWriteOnce", whenDeleted: "Retain" },
      },
      worker: { replicas: 1, terminationGracePeriodSeconds: 60 },
    });
  });

  test("has no volume beside a database", () => {
    const queue = { postgres: { credentialsSecretRef: { name: "queue" } } };
    expect(effectiveSpec(asSpec({ ...written, queue })).queue).toEqual({ ...queue, deadLetterRetentionDays: 30 });
  });

  test("keeps the volume that is asked for", () => {
    const queue = { volume: { size: "20Gi", whenDeleted: "Delete" } };
    expect(effectiveSpec(asSpec({ ...written, queue })).queue.volume).toEqual({
      ...queue.volume,
      accessMode: "ReadWriteOnce",
    });
  });

  test("leaves what was written as it is", () => {
    const before = structuredClone(written);
    effectiveSpec(asSpec(written));
    expect(written).toEqual(before);
  });

  test("is its own effective spec", () => {
    const once = effectiveSpec(asSpec(written));
    expect(effectiveSpec({ ...once, state: "Running", revisionHistoryLimit: 10 })).toEqual(once);
  });
});

describe("workflow.json", () => {
  const text = (spec: unknown, identity: unknown = workflow): string => JSON.stringify({ workflow: identity, spec });

  test("is read with its defaults", () => {
    expect(parseConfiguration(text(written))).toEqual({ workflow, spec: effectiveSpec(asSpec(written)) });
  });

  test("that the operator wrote is read as it was written", () => {
    const pinned = { workflow, spec: effectiveSpec(asSpec(written)) };
    expect(parseConfiguration(JSON.stringify(pinned))).toEqual(pinned);
  });

  test("may hold fields of a later version", () => {
    expect(() => parseConfiguration(text({ ...written, later: { a: 1 } }))).not.toThrow();
  });

  const edit = (change: (spec: ReturnType<typeof structuredClone<typeof written>>) => object): unknown =>
    change(structuredClone(written));

  test.each([
    ["what is not JSON", "{", "not JSON"],
    ["null", "null", "workflow must have name, namespace and uid"],
    ["a list", "[]", "workflow must have name, namespace and uid"],
    ["no identity", text(written, null), "workflow must have name, namespace and uid"],
    ["half an identity", text(written, { name: "a", namespace: "b" }), "workflow must have name, namespace and uid"],
    ["no spec", text(undefined), "spec must be object"],
    ["a spec that is no object", text("Ingress"), "spec must be object"],
    ["a section left out", text(edit(({ dynamics: _, ...rest }) => rest)), "spec.dynamics"],
    [
      "a number as text",
      text(edit((spec) => ({ ...spec, campaign: { ...spec.campaign, engineCallsPerSecond: "20" } }))),
      "spec.campaign.engineCallsPerSecond must be number",
    ],
    [
      "a word that is not in an enum",
      text(edit((spec) => ({ ...spec, ingress: { mappings: [{ ...mapping, picklistValues: "Both" }] } }))),
      "spec.ingress.mappings[0].picklistValues must be one of Label, Value",
    ],
    [
      "a field of a mapping left out",
      text(edit((spec) => ({ ...spec, ingress: { mappings: [mapping, { ...mapping, key: { column: "id" } }] } }))),
      "spec.ingress.mappings[1].key.field is missing",
    ],
  ])("with %s is refused, and the field is named", (_, broken, says) => {
    expect(() => parseConfiguration(broken)).toThrow(ConfigurationError);
    expect(() => parseConfiguration(broken)).toThrow(says);
  });
});
