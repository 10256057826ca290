import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import type { WorkflowStatus } from "../../../src/api/integration-workflow.ts";
import { type Screen, statusPage } from "../../../src/kubectl/status.ts";
import type { Pod } from "../../../src/kubectl/workers.ts";
import { workflow } from "../operator/scene.ts";

/** One workflow on one screen: every state at 80 columns, as a person at a terminal sees it. */

const now = Date.parse("2026-11-22T03:00:00Z");
const ago = (seconds: number): string => new Date(now - seconds * 1000).toISOString();

const screen = (columns: number | undefined): Screen => ({
  out: Object.assign(new PassThrough(), { isTTY: columns !== undefined, columns }) as unknown as NodeJS.WriteStream,
  now: () => now,
  hint: (words) => `kubectl iw ${words} -n crm`,
});

const ready = (status: "True" | "False", reason: string, message: string) =>
  ({ type: "Ready", status, reason, message, lastTransitionTime: ago(600) }) as const;
const transitions = [
  { from: "STARTING", to: "RUNNING", at: ago(8000), reason: "WorkerReady", revision: "contacts-3a4b6999" },
] as const;
const drift =
  "Paused where it hurts. new_membershipapplication: column new_level of table new_membershipapplication is gone: somebody deleted it, or took the right to see it";

const busy: WorkflowStatus = {
  observedGeneration: 1,
  state: "RUNNING",
  backlog: 1_204_000,
  lastSyncTime: ago(12),
  pendingRestart: true,
  pendingChangeCount: 9,
  pendingChanges: [
    {
      path: "ingress.mappings[table=contact].fields[field=firstName].applyUpdates",
      from: "true",
      to: "false",
      source: "Spec",
    },
    { path: "worker.image", from: "registry.example/iw:1.0.0", to: "registry.example/iw:1.1.0", source: "Operator" },
  ],
  appliedRevision: { name: "contacts-3a4b6999", run: 12, generation: 1, appliedAt: ago(8000) },
  mappings: [
    {
      name: "contact",
      phase: "Incremental",
      backlog: 1_204_000,
      read: 2_000_000,
      written: 795_668,
      deadLettered: 12,
      recordsPerSecond: 820,
      secondsToDrain: 1469,
      lastSyncTime: ago(12),
    },
    {
      name: "new_membershipapplication",
      phase: "Paused",
      reason: "ColumnMissing",
      message: drift,
      backlog: 0,
      read: 10,
      written: 10,
      deadLettered: 0,
    },
  ],
  transitions: [...transitions],
  conditions: [
    ready("True", "Running", "1 of 1 workers ready"),
    { type: "SchemaDrift", status: "True", reason: "SchemaChanged", message: drift, lastTransitionTime: ago(300) },
  ],
};

const crashed = {
  metadata: { name: "contacts-778fdb97cd-94hqq", namespace: "crm" },
  spec: { nodeName: "node-7" },
  status: {
    containerStatuses: [
      {
        name: "worker",
        restartCount: 7,
        state: { waiting: { reason: "CrashLoopBackOff" } },
        lastState: { terminated: { exitCode: 1, message: "no room left", finishedAt: ago(40) } },
      },
    ],
  },
} as unknown as Pod;

const failed: WorkflowStatus = {
  observedGeneration: 1,
  state: "FAILED",
  failure: {
    reason: "CrashLoopBackOff",
    message: "The worker keeps ending: no room left on its volume",
    since: ago(600),
  },
  conditions: [ready("False", "CrashLoopBackOff", "The worker keeps ending: no room left on its volume")],
};

const cases: Readonly<
  Record<string, readonly [status: WorkflowStatus, spec: object, pods: readonly Pod[] | undefined]>
> = {
  "not seen yet": [{ observedGeneration: -1 }, { state: "Running" }, []],
  stopped: [
    { observedGeneration: 1, state: "STOPPED", backlog: 7, conditions: [ready("True", "Stopped", "It is stopped")] },
    { state: "Stopped" },
    [],
  ],
  starting: [
    {
      observedGeneration: 1,
      state: "STARTING",
      conditions: [
        ready(
          "False",
          "Starting",
          `Pod ${"contacts-778fdb97cd-94hqq"} waits for an answer of Dataverse, which says nothing`,
        ),
      ],
    },
    { state: "Running" },
    undefined,
  ],
  busy: [busy, { state: "Running" }, []],
  failed: [failed, { state: "Running" }, [crashed]],
};

const events = [
  {
    type: "Warning",
    reason: "SharesAbove100",
    note: `The running workflows ${"use more than they may ".repeat(9)}`,
    count: 3,
    at: ago(90),
    by: "",
  },
];
const page = (columns: number | undefined, [status, spec, pods]: (typeof cases)[string]) =>
  stripVTControlCharacters(statusPage(screen(columns), workflow(spec, status), events, pods));

test.each(Object.entries(cases))("%s: no line is longer than 80 columns", (_, one) => {
  for (const line of page(80, one).split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
});

test("at any width a command stands whole on its line, and a pipe gets every column", () => {
  for (const columns of [40, 80, undefined]) {
    expect(page(columns, cases["busy"] ?? expect.fail())).toMatch(/^ +-> kubectl iw dead list contacts -n crm$/m);
  }
  expect(page(undefined, [busy, { state: "Running" }, []])).toMatch(
    /NAME +PHASE +BACKLOG +PER SECOND +DRAINS IN +READ +WRITTEN/,
  );
});

test("it says how it is and since when, how long the backlog takes, what waits, and the last words", () => {
  const text = page(80, [busy, { state: "Running" }, []]);
  expect(text).toMatch(/^crm\/contacts {3}Ingress {3}RUNNING for 2h {3}asked: Running\n1 of 1 workers ready\n/);
  expect(text).toContain("Backlog 1,204,000, written in about 24 min");
  expect(text).toMatch(/iw:1\.0\.0 -> registry\.example\/iw:1\.1\.0 {3}\(an upgrade of the\n +operator\)/);
  expect(text).toContain("and 7 more: kubectl iw diff contacts -n crm");
  expect(text).toContain("(3 times)");
  const broken = page(undefined, [failed, { state: "Running" }, [crashed]]);
  expect(broken).toMatch(
    /contacts-778fdb97cd-94hqq +CrashLoopBackOff +7 +node-7\n +last words: 40s ago, exit code 1: no room left/,
  );
  expect(page(80, cases["starting"] ?? expect.fail())).toContain("(you may not list pods in this namespace)");
});
