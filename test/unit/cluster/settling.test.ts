import { expect, test } from "vitest";
import { untilSettled, type Workflow } from "../../../cluster/settling.ts";

const running = { state: "RUNNING", backlog: 0, mappings: [{ phase: "Incremental", read: 9 }] };
const workflow = (name: string, status: Workflow["status"], spec: object = {}): Workflow => ({
  metadata: { name, namespace: "crm" },
  spec: { state: "Running", type: "Ingress", ...spec },
  ...(status === undefined ? {} : { status }),
});

/** Shows one list after another, the last for ever. */
function watched(looks: readonly (readonly Workflow[])[], seconds: number) {
  const reports: string[] = [];
  let look = 0;
  const list = async () => looks[Math.min(look++, looks.length - 1)] ?? [];
  const patience = { seconds, secondsBetweenLooks: 0, describeCommand: "kubectl" };
  return { reports, ended: untilSettled(list, patience, (line) => reports.push(line)) };
}

test("it tells each change once, and ends when every workflow runs and has nothing to write", async () => {
  const looks = [
    [workflow("a", undefined)],
    [workflow("a", { state: "STARTING" })],
    [workflow("a", { state: "STARTING" })],
    [workflow("a", { ...running, backlog: 7 })],
    [workflow("a", running)],
  ];
  const { ended, reports } = watched(looks, 60);
  await ended;
  expect(reports).toEqual([
    "crm/a not yet seen by the operator",
    "crm/a STARTING",
    "crm/a RUNNING, 7 records waiting to be written",
    "crm/a RUNNING, 0 records waiting to be written",
  ]);
});

test("a workflow that has settled need not stay without work, but must go on running", async () => {
  const busy = { ...running, backlog: 3 };
  const [a, b] = [workflow("a", running), workflow("b", running)];
  await watched(
    [
      [a, workflow("b", busy)],
      [workflow("a", busy), b],
    ],
    60,
  ).ended;
  const failed = workflow("a", { state: "FAILED", failure: { reason: "R", message: "M" } });
  const { ended } = watched(
    [
      [a, workflow("b", busy)],
      [failed, b],
      [failed, workflow("b", busy)],
    ],
    0.05,
  );
  await expect(ended).rejects.toThrow(/^Not settled after 0.05 s: crm\/a FAILED: R: M\. See why: .* iw a$/);
});

test.each<[string, Workflow, string]>([
  ["does not run", workflow("a", { state: "STARTING" }), "crm/a STARTING"],
  [
    "has failed",
    workflow("a", { state: "FAILED", failure: { reason: "CredentialsMissing", message: "make the Secret" } }),
    "crm/a FAILED: CredentialsMissing: make the Secret",
  ],
  ["has records to write", workflow("a", { ...running, backlog: 3 }), "crm/a RUNNING, 3 records waiting to be written"],
  ["has an unknown backlog", workflow("a", { state: "RUNNING", mappings: running.mappings }), "crm/a RUNNING"],
  [
    "is about to restart",
    workflow("a", running, { restart: "2" }),
    "crm/a RUNNING, about to restart, 0 records waiting to be written",
  ],
  [
    "has read nothing yet",
    workflow("a", { ...running, mappings: [{ phase: "Incremental", read: 0 }] }),
    "crm/a RUNNING, 0 records waiting to be written",
  ],
  [
    "is reading still",
    workflow("a", { ...running, mappings: [{ phase: "Snapshot", read: 9, reading: {} }] }),
    "crm/a RUNNING, 0 records waiting to be written",
  ],
])("a workflow that %s when the time is up is an error that says so", async (_what, waiting, said) => {
  const { ended } = watched([[workflow("b", running), waiting]], 0);
  await expect(ended).rejects.toMatchObject({
    code: "NotSettled",
    message: `Not settled after 0 s: ${said}. See why: kubectl -n crm describe iw a`,
  });
});

test.each([
  ["Stopped", workflow("a", { state: "STOPPED" }, { state: "Stopped" })],
  [
    "of email events, which may be long in coming,",
    workflow("a", { state: "RUNNING", backlog: 0 }, { type: "Egress" }),
  ],
  ["that moves nothing", workflow("a", { ...running, mappings: [{ phase: "Disabled" }] }, { type: "OptInOut" })],
])("a workflow %s is not waited for", async (_what, settled) => {
  await watched([[settled]], 0).ended;
});
