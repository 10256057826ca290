/** One run with so many workflows: everything that is measured, in the order in which a day has it. */

import { deployments, workflows } from "../../../src/operator/shell/projections.ts";
import { percentile } from "../table.ts";
import { echoLabel, startEcho } from "./echo.ts";
import type { Ground } from "./ground.ts";
import { namespace } from "./ground.ts";
import { Observer, type WorkflowSeen } from "./observer.ts";
import { OperatorProcess } from "./operator-process.ts";
import { type Counts, countsOf, decimal, eventsOf, inWords, readsOf, writesOf } from "./requests.ts";
import { inParallel, pause, until } from "./waiting.ts";
import { createDeployment, createWorkflow, names, patchSpec, writersAtOnce } from "./workload.ts";

export interface ScaleOptions {
  readonly count: number;
  readonly program: string;
  readonly profiles: string | undefined;
}

/** What was measured with so many workflows. */
export interface Scale {
  readonly count: number;
  readonly lines: readonly (readonly [label: string, value: string])[];
  /** What one action asks of the API server. */
  readonly requests: readonly (readonly [action: string, words: string])[];
  readonly complaints: readonly string[];
}

/** Of one edit, from when it was sent. */
interface Edited {
  readonly answeredMs: number;
  readonly shownMs: number;
}

const editsOneAtATime = 100;
const editsWhileDown = 10;
const actionsCounted = 5;
/** After an action, for what might still be said of it. */
const quietMs = 3000;
const idleMs = 60_000;

export async function scaleOf(ground: Ground, options: ScaleOptions): Promise<Scale> {
  const run = new Run(ground, options);
  try {
    return await run.measure();
  } finally {
    await run.end();
  }
}

class Run {
  readonly #ground: Ground;
  readonly #options: ScaleOptions;
  readonly #workflows: Observer<WorkflowSeen>;
  readonly #operators = new Set<OperatorProcess>();
  readonly #lines: [string, string][] = [];
  readonly #requests: [string, string][] = [];
  readonly #complaints: string[] = [];

  constructor(ground: Ground, options: ScaleOptions) {
    this.#ground = ground;
    this.#options = options;
    this.#workflows = Observer.workflows(ground.client);
  }

  async measure(): Promise<Scale> {
    const { count } = this.#options;
    const all = names("workflow", count);
    const floor = await this.#floor("floor: Deployments made and ready", count);
    await inParallel(all, writersAtOnce, (name) => createWorkflow(this.#ground.client, name));
    const operator = this.#start();
    await this.#workflows.all(all, ({ state }) => state === "STOPPED");
    await pause(quietMs);
    await this.#idle("idle, all stopped", 10_000);
    await this.#startAll(operator, all, floor);
    await this.#idle("idle, all running", idleMs);
    this.#line("memory at rest", `${Math.round(operator.usage().residentMegabytes)} MiB`);
    await this.#editOneAtATime(all);
    await this.#editBurst(all, floor);
    this.#line("memory at most", `${Math.round(operator.usage().peakMegabytes)} MiB`);
    await this.#stop(operator);
    const second = await this.#coldStart(all);
    await this.#actions();
    await this.#stopAll(all, floor);
    await this.#failover(second, all);
    await Promise.all([...this.#operators].map((one) => one.kill()));
    await this.#floor("floor, once more: how much the machine was others'", count);
    return { count, lines: this.#lines, requests: this.#requests, complaints: this.#complaints };
  }

  async end(): Promise<void> {
    await Promise.all([...this.#operators].map((operator) => operator.kill()));
    await this.#workflows.end();
  }

  /** Deployments made directly, until each is ready: what the cluster does without an operator. @returns how many a second */
  async #floor(label: string, count: number): Promise<number> {
    const { client } = this.#ground;
    const all = names("floor", count);
    const observer = Observer.deployments(client);
    const warm = names("warm", 10);
    await inParallel(warm, writersAtOnce, (name) => createDeployment(client, name));
    await observer.all(warm, ({ isReady }) => isReady);
    const startedAtMs = performance.now();
    const [{ lastAtMs }] = await Promise.all([
      observer.all(all, ({ isReady }) => isReady),
      inParallel(all, writersAtOnce, (name) => createDeployment(client, name)),
    ]);
    const rate = (all.length / (lastAtMs - startedAtMs)) * 1000;
    this.#line(label, `${decimal(rate)}/s`);
    await inParallel([...warm, ...all], writersAtOnce, async (name) => {
      await client.delete(deployments, { namespace, name });
    });
    const areGone = async (): Promise<boolean> =>
      !(await client.getText(`/api/v1/namespaces/${namespace}/pods`)).includes('"name":"floor-');
    await until("the floor's pods to go", areGone, 1000);
    await observer.end();
    return rate;
  }

  /** @returns the median of how long they took to show, in milliseconds */
  #edited(label: string, edits: readonly Edited[]): number {
    const shown = edits.map(({ shownMs }) => shownMs);
    this.#line(`${label}, ms p50 / p95 / p99`, percentiles(shown));
    this.#line("  of it until the edit is answered", percentiles(edits.map(({ answeredMs }) => answeredMs)));
    const told = edits.map(({ shownMs, answeredMs }) => shownMs - answeredMs);
    this.#line("  from then until it shows", percentiles(told));
    return percentile(shown, 0.5);
  }

  async #edit(name: string): Promise<Edited> {
    const before = this.#workflows.get(name)?.generation ?? 0;
    const startedAtMs = performance.now();
    const seen = this.#workflows.all(
      [name],
      ({ pendingRestart, observedGeneration, generation }) =>
        pendingRestart && observedGeneration === generation && generation > before,
    );
    await patchSpec(this.#ground.client, name, rateOf(25));
    const answeredMs = performance.now() - startedAtMs;
    return { answeredMs, shownMs: (await seen).lastAtMs - startedAtMs };
  }

  async #startAll(operator: OperatorProcess, all: readonly string[], floor: number): Promise<void> {
    const before = operator.usage();
    this.#ground.audit.read();
    const rate = await this.#toAll(all, { state: "Running" }, ({ state }) => state === "RUNNING");
    const { cpuSeconds, peakMegabytes } = operator.usage();
    this.#rate("start all", rate, all.length, floor);
    this.#line("  CPU of the operator", `${decimal(cpuSeconds - before.cpuSeconds)} s`);
    this.#line("  memory at most", `${Math.round(peakMegabytes)} MiB`);
    await pause(quietMs);
    this.#count("start all, each", countsOf(this.#ground.audit.read()), all.length);
  }

  async #stopAll(all: readonly string[], floor: number): Promise<void> {
    this.#ground.audit.read();
    const rate = await this.#toAll(all, { state: "Stopped" }, ({ state }) => state === "STOPPED");
    this.#rate("stop all", rate, all.length, floor);
    await pause(quietMs);
    this.#count("stop all, each", countsOf(this.#ground.audit.read()), all.length);
  }

  async #editBurst(all: readonly string[], floor: number): Promise<void> {
    this.#ground.audit.read();
    const took: number[] = [];
    const rate = await this.#toAll(all, rateOf(30), ({ pendingRestart }) => pendingRestart, took);
    this.#rate("edit all, until each shows", rate, all.length, floor);
    this.#line("  each of them, ms p50 / p95 / p99", percentiles(took));
    await pause(quietMs);
    this.#count("edit all, each", countsOf(this.#ground.audit.read()), all.length);
  }

  /**
   * From when the edit is sent until whoever watches sees it in status. In turns with edits that a client answers that decides
   * nothing: what the API server takes for both writes, in the same minute.
   */
  async #editOneAtATime(all: readonly string[]): Promise<void> {
    const { client, operatorKubeconfig } = this.#ground;
    const step = Math.max(1, Math.floor(all.length / editsOneAtATime));
    const edited = all.filter((_, index) => index % step === 0).slice(0, editsOneAtATime);
    const echoed = names("echo", edited.length);
    const echo = await startEcho(operatorKubeconfig);
    await inParallel(echoed, writersAtOnce, (name) => createWorkflow(client, name, echoLabel));
    await this.#workflows.all(echoed, ({ pendingRestart }) => pendingRestart);
    await pause(quietMs);
    const [ours, floor]: [Edited[], Edited[]] = [[], []];
    for (const [index, name] of edited.entries()) {
      ours.push(await this.#edit(name));
      floor.push(await this.#edit(echoed[index] ?? name));
    }
    const oursMs = this.#edited("one edit until it shows", ours);
    const floorMs = this.#edited("the same, answered by a client that decides nothing", floor);
    this.#line("  p50 of the operator, of that", decimal(oursMs / floorMs));
    await echo.end();
    await inParallel(echoed, writersAtOnce, async (name) => void (await client.delete(workflows, { namespace, name })));
    await inParallel(edited, writersAtOnce, (name) => patchSpec(client, name, rateOf(20)));
    await this.#workflows.all(edited, ({ pendingRestart }) => !pendingRestart);
  }

  /** The program's own start, the lists, and what was edited meanwhile. */
  async #coldStart(all: readonly string[]): Promise<OperatorProcess> {
    const step = Math.max(1, Math.floor(all.length / editsWhileDown));
    const edited = all.filter((_, index) => index % step === 0).slice(0, editsWhileDown);
    await inParallel(edited, writersAtOnce, (name) => patchSpec(this.#ground.client, name, rateOf(20)));
    this.#ground.audit.read();
    const startedAtMs = performance.now();
    const operator = this.#start();
    const { firstAtMs, lastAtMs } = await this.#workflows.all(edited, ({ pendingRestart }) => !pendingRestart);
    this.#line("cold start until the first edit shows", `${decimal((firstAtMs - startedAtMs) / 1000)} s`);
    this.#line("  until all edits made meanwhile show", `${decimal((lastAtMs - startedAtMs) / 1000)} s`);
    await pause(quietMs);
    this.#line("  memory at most", `${Math.round(operator.usage().peakMegabytes)} MiB`);
    this.#line("  CPU of the operator", `${decimal(operator.usage().cpuSeconds)} s`);
    this.#requests.push(["cold start", inWords(countsOf(this.#ground.audit.read()), 1)]);
    return operator;
  }

  /** One at a time, while nothing else happens. */
  async #actions(): Promise<void> {
    const some = names("action", actionsCounted);
    await inParallel(some, writersAtOnce, (name) => createWorkflow(this.#ground.client, name));
    await this.#workflows.all(some, ({ state }) => state === "STOPPED");
    await pause(quietMs);
    const act = async (action: string, change: object, isSo: (seen: WorkflowSeen) => boolean): Promise<void> => {
      this.#ground.audit.read();
      for (const name of some) {
        const seen = this.#workflows.all([name], isSo);
        await patchSpec(this.#ground.client, name, change);
        await seen;
      }
      await pause(quietMs);
      this.#count(action, countsOf(this.#ground.audit.read()), some.length);
    };
    await act("first start", { state: "Running" }, ({ state }) => state === "RUNNING");
    await act("stop", { state: "Stopped" }, ({ state }) => state === "STOPPED");
    await act("later start", { state: "Running" }, ({ state }) => state === "RUNNING");
    await act("edit", rateOf(30), ({ pendingRestart }) => pendingRestart);
    await act("restart", { restart: "once" }, ({ state, run }) => state === "RUNNING" && run === 3);
  }

  /** Of two replicas the one that leads goes: an edit made then shows when the other has taken over. */
  async #failover(leader: OperatorProcess, all: readonly string[]): Promise<void> {
    const [name = ""] = all;
    let leads = leader;
    for (const [how, label] of [
      ["stop", "failover, until an edit shows: leader asked to end"],
      ["kill", "  leader killed"],
    ] as const) {
      const next = this.#start();
      await pause(quietMs);
      const generation = this.#workflows.get(name)?.generation ?? 0;
      const startedAtMs = performance.now();
      const gone = how === "stop" ? this.#stop(leads) : leads.kill();
      await patchSpec(this.#ground.client, name, rateOf(how === "stop" ? 40 : 41));
      const { lastAtMs } = await this.#workflows.all([name], (seen) => (seen.observedGeneration ?? 0) > generation);
      await gone;
      this.#line(label, `${decimal((lastAtMs - startedAtMs) / 1000)} s`);
      leads = next;
    }
  }

  async #idle(label: string, ms: number): Promise<void> {
    this.#ground.audit.read();
    await pause(ms);
    const counts = countsOf(this.#ground.audit.read());
    const perMinute = (count: number): string => decimal((count * 60_000) / ms);
    this.#line(
      `${label}: requests a minute, the lease apart`,
      perMinute(writesOf(counts) + readsOf(counts) + eventsOf(counts)),
    );
    if (writesOf(counts) + readsOf(counts) > 0) this.#requests.push([label, inWords(counts, ms / 60_000)]);
  }

  /**
   * Changes all specs, and waits until all are as they should be.
   * @param took gets the milliseconds of each, from when its change is sent
   * @returns how many a second
   */
  async #toAll(
    all: readonly string[],
    change: object,
    isSo: (seen: WorkflowSeen) => boolean,
    took: number[] = [],
  ): Promise<number> {
    const sentAtMs = new Map<string, number>();
    const startedAtMs = performance.now();
    const [{ lastAtMs, atMs }] = await Promise.all([
      this.#workflows.all(all, isSo),
      inParallel(all, writersAtOnce, async (name) => {
        sentAtMs.set(name, performance.now());
        await patchSpec(this.#ground.client, name, change);
      }),
    ]);
    for (const [name, seenAtMs] of atMs) took.push(seenAtMs - (sentAtMs.get(name) ?? startedAtMs));
    return (all.length / (lastAtMs - startedAtMs)) * 1000;
  }

  #start(): OperatorProcess {
    const { program, profiles } = this.#options;
    const nodeFlags = profiles === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profiles}`];
    const operator = new OperatorProcess({ program, kubeconfig: this.#ground.operatorKubeconfig, nodeFlags });
    this.#operators.add(operator);
    return operator;
  }

  async #stop(operator: OperatorProcess): Promise<void> {
    await operator.stop();
    this.#operators.delete(operator);
    this.#complaints.push(...operator.complaints);
  }

  #count(action: string, counts: Counts, of: number): void {
    const words = `${decimal(writesOf(counts) / of)} writes, ${decimal(readsOf(counts) / of)} reads, ${decimal(eventsOf(counts) / of)} Events`;
    this.#requests.push([action, `${words} (${inWords(counts, of)})`]);
  }

  #rate(label: string, rate: number, count: number, floor: number): void {
    this.#line(label, `${decimal(count / rate)} s, ${decimal(rate)}/s`);
    this.#line("  of the floor's rate", decimal(rate / floor));
  }

  #line(label: string, value: string): void {
    this.#lines.push([label, value]);
    console.error(`bench: ${label}: ${value}`);
  }
}

/** @param times are put in ascending order */
function percentiles(times: number[]): string {
  times.sort((left, right) => left - right);
  return [0.5, 0.95, 0.99].map((share) => percentile(times, share).toFixed(1)).join(" / ");
}

/** An edit of the spec that needs a restart. */
function rateOf(engineCallsPerSecond: number): object {
  return { campaign: { engineCallsPerSecond } };
}
