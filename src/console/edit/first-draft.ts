/** What a new workflow begins with. */
import type { WorkflowType } from "../../api/integration-workflow.ts";
import type { Draft, Said } from "./draft.ts";
import { emptyOf, shapeAt, specShape } from "./shape.ts";
import { yamlOf } from "./yaml.ts";

/** Contacts to profiles are there from the beginning, as in Adobe's app. */
const contacts = {
  table: "contact",
  resource: "profile",
  key: { column: "contactid", field: "externalId" },
  fields: [
    { column: "firstname", field: "firstName", applyUpdates: true },
    { column: "lastname", field: "lastName", applyUpdates: true },
    { column: "emailaddress1", field: "email", applyUpdates: true },
  ],
};

export function firstDraft(type: WorkflowType): Draft {
  const said: Said = { ...plainSpec(), type, ...sectionOf(type) };
  return { uid: "", generation: 0, base: said, said, view: "form", yaml: yamlOf(said), problems: [] };
}

function sectionOf(type: WorkflowType): Said {
  if (type === "Ingress") return { ingress: { mappings: [{ ...emptyAt("spec.ingress.mappings[0]"), ...contacts }] } };
  // Their events and opt-outs come in files, unless somebody says otherwise.
  const campaign = { ...emptyAt("spec.campaign"), sftp: emptyAt("spec.campaign.sftp") };
  if (type === "Egress") return { campaign, egress: emptyAt("spec.egress") };
  const pairs = [{ column: "donotbulkemail", field: "denyListEmail" }];
  return { campaign, optInOut: { ...emptyAt("spec.optInOut"), direction: "Bidirectional", mappings: pairs } };
}

function plainSpec(): Said {
  const { state: _state, ...spec } = emptyOf(specShape) as Record<string, unknown>; // The spec is an object.
  return spec;
}

function emptyAt(path: string): Readonly<Record<string, unknown>> {
  return emptyOf(shapeAt(path) ?? {}) as Record<string, unknown>; // Each is an object in the schema.
}
