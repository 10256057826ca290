import { expect, test } from "vitest";
import { type RunHealth, stateOf } from "../../../src/operator/health/state-of.ts";
import type { PodSeen, ReplicaSetSeen } from "../../../src/operator/sight/snapshot.ts";
import { container, minutes, pod, seconds, start } from "./scene.ts";

const now = start + 60 * minutes;
const ready = { readySinceMs: now - 5 * minutes };
const words = (reason: string) => JSON.stringify({ reason, message: `about ${reason}` });
const ended = (exitCode: number, more: { reason?: string; message?: string; ago?: number } = {}) => ({
  exitCode,
  reason: more.reason ?? "Error",
  message: more.message ?? "",
  finishedAtMs: now - (more.ago ?? 10 * seconds),
});
const waitingPod = (reason: string, more: Partial<PodSeen["worker"]> = {}) =>
  pod({ worker: container({ running: false, waiting: { reason, message: "why" }, ...more }) });
const replicaSet = (createFailure: string, run = 1): ReplicaSetSeen => ({
  metadata: { name: "contacts-1", namespace: "crm", uid: "rs", resourceVersion: "1" },
  replicas: 1,
  run,
  status: { observedGeneration: 1, replicas: 0 },
  createFailure,
});

const base: RunHealth = {
  nowMs: now,
  run: 1,
  pods: [],
  replicaSets: [],
  claims: [],
  last: "STARTING",
  lastFailure: undefined,
  ran: false,
  startedAtMs: now - 1 * minutes,
  lastReadyAtMs: undefined,
  lastAliveAtMs: undefined,
  askedReplicas: 1,
};
const wasRunning = { last: "RUNNING", ran: true, startedAtMs: now - 50 * minutes } as const;
const hasFailed = { last: "FAILED", lastFailure: { reason: "OOMKilled", message: "kept" } } as const;

const rows: [sentence: string, health: Partial<RunHealth>, expected: string][] = [
  ["no pod yet is STARTING", {}, "STARTING Starting"],
  ["a pod that is not ready is STARTING", { pods: [pod()] }, "STARTING Starting"],
  ["a ready pod is RUNNING at once", { pods: [pod({ readySinceMs: now })] }, "RUNNING"],
  ["the first look at a new run with a ready pod is RUNNING", { last: undefined, pods: [pod(ready)] }, "RUNNING"],
  [
    "a ready pod that is ending does not count",
    { pods: [pod({ ...ready, deletionTimestamp: "2026-11-21T11:00:30Z" })] },
    "STARTING Starting",
  ],
  [
    "one ready pod of three is RUNNING",
    { askedReplicas: 3, pods: [pod({ name: "a" }), pod({ name: "b", ...ready }), waitingPod("CrashLoopBackOff")] },
    "RUNNING",
  ],

  [
    "after a restart, 59 s of readiness are not believed",
    {
      pods: [
        pod({
          readySinceMs: now - 59 * seconds,
          worker: container({ restarts: 1, ended: ended(1, { ago: 60 * seconds }) }),
        }),
      ],
    },
    "STARTING Starting",
  ],
  [
    "after a restart, 60 s of readiness are believed",
    {
      pods: [
        pod({
          readySinceMs: now - 60 * seconds,
          worker: container({ restarts: 1, ended: ended(1, { ago: 70 * seconds }) }),
        }),
      ],
    },
    "RUNNING",
  ],
  [
    "a restart 10 minutes ago is forgiven",
    {
      pods: [
        pod({
          readySinceMs: now - 1 * seconds,
          worker: container({ restarts: 1, ended: ended(1, { ago: 10 * minutes }) }),
        }),
      ],
    },
    "RUNNING",
  ],
  [
    "a pod that is ready and not yet believed is no evidence, whatever it died of before",
    {
      pods: [
        pod({
          readySinceMs: now - 1 * seconds,
          worker: container({ restarts: 1, ended: ended(78, { message: words("CredentialsRejected") }) }),
        }),
      ],
    },
    "STARTING Starting",
  ],
  [
    "from FAILED, 59 s of readiness are not believed even without a restart",
    { ...hasFailed, pods: [pod({ readySinceMs: now - 59 * seconds })] },
    "FAILED OOMKilled",
  ],
  [
    "from FAILED, 60 s of readiness are",
    { ...hasFailed, pods: [pod({ readySinceMs: now - 60 * seconds })] },
    "RUNNING",
  ],
  [
    "RUNNING goes on over a restart that is ready again at once",
    {
      ...wasRunning,
      lastReadyAtMs: now,
      pods: [pod({ readySinceMs: now - 1 * seconds, worker: container({ restarts: 1, ended: ended(1) }) })],
    },
    "RUNNING",
  ],

  [
    "the worker's final word comes first",
    {
      pods: [
        waitingPod("CrashLoopBackOff", { restarts: 3, ended: ended(78, { message: words("CredentialsRejected") }) }),
      ],
    },
    "FAILED CredentialsRejected",
  ],
  [
    "the final word counts while the container runs again and is not ready",
    { pods: [pod({ worker: container({ restarts: 1, ended: ended(78, { message: words("CredentialsMissing") }) }) })] },
    "FAILED CredentialsMissing",
  ],
  [
    "a final word from before the worker was ready again says nothing of why it is not ready now",
    {
      ...wasRunning,
      lastReadyAtMs: now - 1 * minutes,
      pods: [
        pod({
          worker: container({
            restarts: 1,
            ended: ended(78, { message: words("CredentialsMissing"), ago: 3 * minutes }),
          }),
        }),
      ],
    },
    "STARTING Recovering",
  ],
  [
    "a final word after the last ready worker counts, however long ago",
    {
      ...wasRunning,
      lastReadyAtMs: now - 4 * minutes,
      pods: [
        pod({
          worker: container({
            restarts: 1,
            ended: ended(78, { message: words("CredentialsMissing"), ago: 3 * minutes }),
          }),
        }),
      ],
    },
    "FAILED CredentialsMissing",
  ],
  [
    "exit code 78 without words is CannotRecover",
    { pods: [pod({ worker: container({ running: false, ended: ended(78, { message: "Segmentation fault" }) }) })] },
    "FAILED CannotRecover",
  ],
  [
    "a reason that no condition takes is CannotRecover",
    {
      pods: [
        pod({
          worker: container({ ended: ended(78, { message: JSON.stringify({ reason: "no good!", message: "m" }) }) }),
        }),
      ],
    },
    "FAILED CannotRecover",
  ],
  [
    "a crash loop by memory is OOMKilled",
    { pods: [waitingPod("CrashLoopBackOff", { restarts: 3, ended: ended(137, { reason: "OOMKilled" }) })] },
    "FAILED OOMKilled",
  ],
  [
    "one death by memory is not yet a failure",
    { pods: [pod({ worker: container({ restarts: 1, ended: ended(137, { reason: "OOMKilled" }) }) })] },
    "STARTING Starting",
  ],
  [
    "any other crash loop is CrashLoopBackOff",
    { pods: [waitingPod("CrashLoopBackOff", { restarts: 3, ended: ended(1) })] },
    "FAILED CrashLoopBackOff",
  ],
  [
    "a crash loop of a program that could not even be started is StartError",
    { pods: [waitingPod("CrashLoopBackOff", { restarts: 3, ended: ended(128, { reason: "StartError" }) })] },
    "FAILED StartError",
  ],
  [
    "so is one whose log says that its program is for another processor",
    {
      pods: [
        waitingPod("CrashLoopBackOff", { restarts: 3, ended: ended(255, { message: "exec /a: exec format error" }) }),
      ],
    },
    "FAILED StartError",
  ],
  [
    "a pod of a node that is not heard of may live, and never fails by time",
    { ...wasRunning, last: "STARTING", lastReadyAtMs: now - 40 * minutes, pods: [pod({ nodeSilentSinceMs: now })] },
    "STARTING Recovering",
  ],
  [
    "one crash is not yet a failure",
    { pods: [pod({ worker: container({ restarts: 1, ended: ended(1) }) })] },
    "STARTING Starting",
  ],
  [
    "a crash loop an hour after a good start is FAILED",
    {
      ...wasRunning,
      lastReadyAtMs: now - 1 * seconds,
      pods: [waitingPod("CrashLoopBackOff", { restarts: 5, ended: ended(1) })],
    },
    "FAILED CrashLoopBackOff",
  ],
  ...["ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError"].map(
    (reason): (typeof rows)[number] => [`${reason} is FAILED`, { pods: [waitingPod(reason)] }, `FAILED ${reason}`],
  ),
  ["ErrImagePull alone is not: the next pull may do", { pods: [waitingPod("ErrImagePull")] }, "STARTING Starting"],
  [
    "evidence of a pod that is ending does not count",
    {
      pods: [
        {
          ...waitingPod("CrashLoopBackOff"),
          metadata: { ...pod().metadata, deletionTimestamp: "2026-11-21T11:00:30Z" },
        },
      ],
    },
    "STARTING Starting",
  ],
  [
    "a ReplicaSet that may not create pods is FAILED",
    { replicaSets: [replicaSet("exceeded quota: pods")] },
    "FAILED PodNotCreated",
  ],
  [
    "a ReplicaSet of an earlier run proves nothing",
    { replicaSets: [replicaSet("exceeded quota: pods", 7)] },
    "STARTING Starting",
  ],

  [
    "unschedulable is waited for 5 minutes",
    { startedAtMs: now - 5 * minutes + 1, pods: [pod({ worker: undefined, unschedulable: "0/3 nodes" })] },
    "STARTING Starting",
  ],
  [
    "and then FAILED",
    { startedAtMs: now - 5 * minutes, pods: [pod({ worker: undefined, unschedulable: "0/3 nodes" })] },
    "FAILED Unschedulable",
  ],
  [
    "no container started for 5 minutes is FAILED",
    { startedAtMs: now - 5 * minutes, pods: [waitingPod("ContainerCreating")] },
    "FAILED NotStarted",
  ],
  ["no pod for 5 minutes is FAILED", { startedAtMs: now - 5 * minutes }, "FAILED NotStarted"],
  [
    "once it ran, the 5 minutes count from the last ready pod",
    { ...wasRunning, last: "STARTING", lastReadyAtMs: now - 4 * minutes, pods: [waitingPod("ContainerCreating")] },
    "STARTING Recovering",
  ],
  [
    "and then FAILED too",
    { ...wasRunning, last: "STARTING", lastReadyAtMs: now - 5 * minutes, pods: [waitingPod("ContainerCreating")] },
    "FAILED NotStarted",
  ],
  [
    "a live worker that is not ready never fails by time",
    { ...wasRunning, last: "STARTING", lastReadyAtMs: now - 40 * minutes, pods: [pod()] },
    "STARTING Recovering",
  ],
  [
    "nor one whose pod is ending, with its successor not started or not made: the 5 minutes count from its last life",
    {
      ...wasRunning,
      last: "STARTING",
      lastReadyAtMs: now - 40 * minutes,
      lastAliveAtMs: now - 4 * minutes,
      pods: [pod({ name: "old", deletionTimestamp: "2026-11-21T11:00:30Z" }), waitingPod("ContainerCreating")],
    },
    "STARTING Recovering",
  ],
  [
    "nor one beside which another pod finds no node",
    {
      askedReplicas: 2,
      startedAtMs: now - 40 * minutes,
      lastAliveAtMs: now,
      pods: [pod({ name: "alive" }), pod({ worker: undefined, unschedulable: "0/3 nodes" })],
    },
    "STARTING Starting",
  ],
  ["nor does one that was never ready", { startedAtMs: now - 59 * minutes, pods: [pod()] }, "STARTING Starting"],

  [
    "RUNNING stays for 60 s without a ready pod",
    { ...wasRunning, lastReadyAtMs: now - 59 * seconds, pods: [pod()] },
    "RUNNING",
  ],
  [
    "and is left for STARTING then",
    { ...wasRunning, lastReadyAtMs: now - 60 * seconds, pods: [pod()] },
    "STARTING Recovering",
  ],
  ["FAILED stays when its evidence is gone", { ...hasFailed, pods: [pod()] }, "FAILED OOMKilled"],
  ["FAILED stays when the pod is gone", { ...hasFailed }, "FAILED OOMKilled"],
  [
    "FAILED takes a new reason from new evidence",
    { ...hasFailed, pods: [waitingPod("ImagePullBackOff")] },
    "FAILED ImagePullBackOff",
  ],
];

test.each(rows)("%s", (_sentence, health, expected) => {
  const state = stateOf({ ...base, ...health });
  const told =
    state.state === "FAILED"
      ? `FAILED ${state.evidence.reason}`
      : state.state === "STARTING"
        ? `STARTING ${state.reason}`
        : state.state;
  expect(told).toBe(expected);
});

test("time alone changes the state exactly when it was foretold", () => {
  const cases: Partial<RunHealth>[] = [
    { ...wasRunning, lastReadyAtMs: now - 20 * seconds, pods: [pod()] },
    { startedAtMs: now - 2 * minutes, pods: [waitingPod("ContainerCreating")] },
    { ...hasFailed, pods: [pod({ readySinceMs: now - 20 * seconds })] },
  ];
  for (const health of cases) {
    const first = stateOf({ ...base, ...health });
    expect(first.changesInMs).toBeGreaterThan(0);
    const at = (nowMs: number) => stateOf({ ...base, ...health, nowMs }).state;
    expect(at(now + (first.changesInMs ?? 0) - 1)).toBe(first.state);
    expect(at(now + (first.changesInMs ?? 0))).not.toBe(first.state);
  }
});

test("a message of several replicas says how many are ready, and a single crash's words are quoted", () => {
  const two = stateOf({ ...base, askedReplicas: 2, pods: [pod({ name: "a", ...ready }), pod({ name: "b" })] });
  expect(two).toMatchObject({ state: "RUNNING", message: "1 of 2 workers ready" });
  const crash = stateOf({
    ...base,
    pods: [waitingPod("CrashLoopBackOff", { ended: ended(1, { message: words("StoreBroken") }) })],
  });
  expect(crash).toMatchObject({ evidence: { message: expect.stringContaining("StoreBroken: about StoreBroken") } });
});
