/** `kubectl wait` in all its forms, on the real API server: it ends when it should, and not before. */
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { Ground } from "./ground.ts";
import type { OperatorProcess } from "./operator-process.ts";

// Each waits several times, for as long as a busy machine may need.
vi.setConfig({ testTimeout: 300_000 });

let ground: Ground;
let operator: OperatorProcess;

beforeAll(async () => {
  ground = await Ground.make(inject("kubeconfig"));
});
afterAll(async () => {
  if (operator !== undefined) signal("SIGCONT");
  await ground?.end();
});

/** Far longer than anything takes. */
const patient = "--timeout=90s";
/** For what must not come. */
const brief = "--timeout=2s";

function wait(name: string, what: string, timeout = patient): Promise<string> {
  return ground.kubectl("wait", `--for=${what}`, `iw/${name}`, timeout);
}

/** All at the same time. */
async function waitsInVain(name: string, ...forms: string[]): Promise<void> {
  const waiting = forms.map((what) =>
    expect(wait(name, what, brief), `wait --for=${what}`).rejects.toThrow("timed out waiting for the condition"),
  );
  await Promise.all(waiting);
}

/** A paused operator has not looked: what status says is of before. */
function signal(name: "SIGSTOP" | "SIGCONT"): void {
  if (operator.pid !== undefined) process.kill(operator.pid, name);
}

const edited = { campaign: { engineCallsPerSecond: 25 } };

describe("at create", () => {
  test("nothing is taken for ready before an operator has looked; what waits then ends with its first look", async () => {
    const made = wait("contacts", "create");
    await ground.apply("contacts");
    await made;
    await waitsInVain("contacts", "condition=Ready", "condition=Ready=false", "condition=Running=false");
    const ready = wait("contacts", "condition=Ready");
    operator = await ground.operator();
    await ready;
    await wait("contacts", "jsonpath={.status.state}=STOPPED");
    await wait("contacts", "condition=Running=false");
  });

  test("of one that is made to run, Ready is that it runs", async () => {
    ground.kubelet.behaviour.start = "slow";
    await ground.apply("events", { state: "Running" });
    await wait("events", "jsonpath={.status.state}=STARTING");
    await waitsInVain("events", "condition=Ready");
    const running = Promise.all([wait("events", "condition=Ready"), wait("events", "condition=Running")]);
    ground.kubelet.behaviour.start = "up";
    ground.kubelet.touchAll();
    await running;
    await wait("events", "jsonpath={.status.state}=RUNNING", brief);
  });
});

describe("at start and stop", () => {
  test("a start is waited for by condition and by state", async () => {
    await ground.patch("contacts", { state: "Running" });
    await Promise.all([
      wait("contacts", "condition=Running"),
      wait("contacts", "condition=Ready"),
      wait("contacts", "jsonpath={.status.state}=RUNNING"),
    ]);
  });

  test("a stop that the operator has not seen ends no wait for a condition, and is waited for to its end", async () => {
    signal("SIGSTOP");
    await ground.patch("contacts", { state: "Stopped" });
    await waitsInVain("contacts", "condition=Ready", "condition=Running", "condition=Reconciling=false");
    const stopped = Promise.all([
      wait("contacts", "condition=Running=false"),
      wait("contacts", "jsonpath={.status.state}=STOPPED"),
    ]);
    signal("SIGCONT");
    await stopped;
    await wait("contacts", "condition=Ready");
    expect(await ground.unfinishedPods("contacts")).toEqual([]);
  });

  test("while it stops, it is neither ready nor stopped", async () => {
    ground.kubelet.behaviour.lastWords = "hangs";
    await ground.patch("contacts", { state: "Running" });
    await wait("contacts", "condition=Running");
    await ground.patch("contacts", { state: "Stopped" });
    await wait("contacts", "condition=Reconciling");
    await waitsInVain("contacts", "condition=Ready", "jsonpath={.status.state}=STOPPED");
    const stopped = wait("contacts", "jsonpath={.status.state}=STOPPED");
    ground.kubelet.behaviour.lastWords = undefined;
    ground.kubelet.touchAll();
    await stopped;
  });
});

describe("after an edit of a running workflow", () => {
  test("no wait hangs: it is ready and running still, and waits for a restart beside", async () => {
    await ground.patch("events", edited);
    await Promise.all([
      wait("events", "condition=Ready"),
      wait("events", "condition=Running"),
      wait("events", "condition=RestartRequired"),
      wait("events", "jsonpath={.status.pendingRestart}=true"),
      wait("events", "jsonpath={.status.state}=RUNNING"),
    ]);
  });

  test("no wait for a condition ends before the operator has seen the edit", async () => {
    signal("SIGSTOP");
    await ground.patch("events", { campaign: { engineCallsPerSecond: 20 } });
    await waitsInVain("events", "condition=Ready", "condition=RestartRequired", "condition=RestartRequired=false");
    const seen = Promise.all([wait("events", "condition=Ready"), wait("events", "condition=RestartRequired=false")]);
    signal("SIGCONT");
    await seen;
    const { generation } = (await ground.workflow("events")).metadata;
    await wait("events", `jsonpath={.status.observedGeneration}=${generation}`, brief);
  });

  test("a restart is over for whoever waits for its echo and then for Ready", async () => {
    const { appliedRevision: before } = await ground.status("events");
    await ground.patch("events", { ...edited, restart: "once" });
    await wait("events", "jsonpath={.status.handledRestart}=once");
    await wait("events", "condition=Ready");
    const { appliedRevision, pendingRestart, state } = await ground.status("events");
    expect([state, pendingRestart, appliedRevision?.run]).toEqual(["RUNNING", false, (before?.run ?? 0) + 1]);
  });

  test("Ready alone waits for the whole restart", async () => {
    const { appliedRevision: before } = await ground.status("events");
    await ground.patch("events", { restart: "twice" });
    await wait("events", "condition=Ready");
    const { appliedRevision, handledRestart } = await ground.status("events");
    expect([handledRestart, appliedRevision?.run]).toEqual(["twice", (before?.run ?? 0) + 1]);
  });
});

describe("what does not come about", () => {
  test("a workflow that FAILED ends a wait for Stalled; one for Ready fails rightly, and ends when it is mended", async () => {
    await ground.apply("pictures", { state: "Running", worker: { image: "registry.example/not-permitted:1" } });
    await wait("pictures", "condition=Stalled");
    await wait("pictures", "condition=Ready=false");
    await wait("pictures", "jsonpath={.status.failure.reason}=ImageNotPermitted");
    await waitsInVain("pictures", "condition=Ready");
    const mended = wait("pictures", "condition=Ready");
    await ground.patch("pictures", { worker: { image: null } });
    await mended;
    await wait("pictures", "condition=Stalled=false", brief);
  });

  test("one --timeout is for all of them, and says which were not ready", async () => {
    ground.kubelet.behaviour.start = "slow";
    await ground.apply("opt-outs", { state: "Running" });
    const all = ground.kubectl("wait", "--for=condition=Ready", "iw", "--all", brief);
    await expect(all).rejects.toThrow("timed out waiting for the condition on integrationworkflows/opt-outs");
    ground.kubelet.behaviour.start = "up";
    ground.kubelet.touchAll();
    const said = await ground.kubectl("wait", "--for=condition=Ready", "iw", "--all", patient);
    for (const name of ["contacts", "events", "opt-outs", "pictures"]) {
      expect(said).toContain(`integrationworkflow.integrationworkflow.io/${name} condition met`);
    }
  });
});

test("--for=delete ends when the workflow is gone, operator or none", async () => {
  const gone = wait("pictures", "delete");
  await ground.kubectl("delete", "iw", "pictures");
  await gone;
  signal("SIGSTOP");
  await ground.kubectl("delete", "iw", "events", "--wait=false");
  await wait("events", "delete");
  signal("SIGCONT");
});
