import type { IngressMapping } from "../../src/api/integration-workflow.ts";

export const benchMapping: IngressMapping = {
  table: "contact",
  resource: "profile",
  key: { column: "contactid", field: "externalId" },
  fields: [
    { column: "firstname", field: "firstName", applyUpdates: true },
    { column: "lastname", field: "lastName", applyUpdates: true },
    { column: "emailaddress1", field: "email", applyUpdates: true },
    { column: "telephone1", field: "mobilePhone", applyUpdates: true },
  ],
  applyDeletes: false,
  picklistValues: "Label",
};

/** `workflow.json`; 1000 engine calls a second is the most that a workflow may be given. @param more of its spec */
export function configurationText(
  dynamicsUrl: string,
  campaignUrl: string,
  mappings: readonly IngressMapping[],
  engineCallsPerSecond = 1000,
  more: object = {},
): string {
  return JSON.stringify({
    workflow: { name: "bench", namespace: "default", uid: "bench" },
    spec: {
      type: "Ingress",
      dynamics: { url: dynamicsUrl, credentialsSecretRef: { name: "dynamics" } },
      campaign: { url: campaignUrl, credentialsSecretRef: { name: "campaign" }, engineCallsPerSecond },
      ingress: { mappings },
      ...more,
    },
  });
}
