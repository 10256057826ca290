import { expect, test } from "vitest";
import { nearestOwnersOf, ownersOf } from "../../../src/steering/field-owners.ts";

const managedFields = [
  {
    manager: "kubectl-client-side-apply",
    operation: "Update",
    time: "2026-11-21T10:00:00Z",
    fieldsV1: {
      "f:metadata": { "f:annotations": {} },
      "f:spec": {
        "f:state": {},
        "f:ingress": {
          "f:mappings": {
            ".": {},
            'k:{"table":"contact"}': {
              ".": {},
              "f:table": {},
              "f:fields": { 'k:{"field":"firstName"}': { "f:column": {} } },
            },
          },
        },
      },
    },
  },
  {
    manager: "kubectl-edit",
    operation: "Update",
    time: "2026-11-21T11:00:00Z",
    fieldsV1: { "f:spec": { "f:ingress": { "f:mappings": { 'k:{"table":"contact"}': { "f:applyDeletes": {} } } } } },
  },
  { manager: "pipeline", operation: "Apply", time: "2026-11-21T09:00:00Z", fieldsV1: { "f:spec": { "f:state": {} } } },
  {
    manager: "integration-workflow-operator",
    operation: "Update",
    subresource: "status",
    fieldsV1: { "f:spec": { "f:state": {} } },
  },
];

const names = (owners: readonly { manager: string }[]) => owners.map(({ manager }) => manager);

test("a field has the managers that wrote it, who wrote last first; the status has none", () => {
  expect(names(ownersOf(managedFields, "state"))).toEqual(["kubectl-client-side-apply", "pipeline"]);
  expect(names(ownersOf(managedFields, "ingress.mappings[table=contact].applyDeletes"))).toEqual(["kubectl-edit"]);
  expect(ownersOf(managedFields, "restart")).toEqual([]);
  expect(ownersOf(undefined, "state")).toEqual([]);
});

test("an entry of a list is found by its keys", () => {
  const path = "ingress.mappings[table=contact].fields[field=firstName].column";
  expect(names(ownersOf(managedFields, path))).toEqual(["kubectl-client-side-apply"]);
  expect(ownersOf(managedFields, path.replace("contact", "account"))).toEqual([]);
});

test("what is gone was written by whoever wrote last around it", () => {
  const path = "ingress.mappings[table=contact].filter";
  expect(ownersOf(managedFields, path)).toEqual([]);
  expect(names(nearestOwnersOf(managedFields, path))).toEqual(["kubectl-edit", "kubectl-client-side-apply"]);
});
