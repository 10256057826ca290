import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { readRecord, runsAnnotation } from "../../../src/api/run-record.ts";
import { Ground } from "./ground.ts";
import type { OperatorProcess } from "./operator-process.ts";

// Each waits many times, for as long as a busy machine may need.
vi.setConfig({ testTimeout: 300_000 });

let ground: Ground;

beforeAll(async () => {
  ground = await Ground.make(inject("kubeconfig"));
});
afterAll(() => ground?.end());

/** A generator of one's own, so that a seed says everything. Source: mulberry32 */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test.each([1, 2, 3, 4])(
  "killed at random moments of start, edit, restart and stop (seed %i), every ask is carried out exactly once",
  async (seed) => {
    const name = `killed-${seed}`;
    const random = randomOf(seed);
    let isOver = false;
    let kills = 0;
    // One operator after the other, each killed when it has written a few times.
    const killing = (async () => {
      while (!isOver) {
        const operator: OperatorProcess = await ground.operator();
        const writes = 1 + Math.floor(random() * 4);
        const written = () => operator.lines.filter(({ message }) => message === "wrote" || message === "state").length;
        await expect
          .poll(() => isOver || written() >= writes, { timeout: 30_000, interval: 1 })
          .toBe(true)
          .catch(() => {});
        await operator.kill();
        kills += 1;
      }
    })();

    await ground.apply(name, { state: "Running" });
    await ground.until(name, { state: "RUNNING", appliedRevision: { run: 1 } as never });
    for (const restart of ["first", "second"]) {
      await ground.patch(name, { restart, worker: { terminationGracePeriodSeconds: 60 + restart.length } });
      await ground.until(name, { state: "RUNNING", handledRestart: restart, pendingRestart: false });
    }
    await ground.patch(name, { state: "Stopped" });
    await ground.until(name, { state: "STOPPED" });
    await ground.patch(name, { state: "Running" });
    await ground.until(name, { state: "RUNNING", appliedRevision: { run: 4 } as never });
    await ground.patch(name, { state: "Stopped" });
    await ground.until(name, { state: "STOPPED" });
    isOver = true;
    await killing;

    const record = readRecord((await ground.deployment(name)).metadata.annotations?.[runsAnnotation]);
    expect(record?.runs.map(({ run }) => run)).toEqual([4, 3, 2, 1]);
    expect(record).toMatchObject({ active: false, handledRestart: "second" });
    expect(await ground.unfinishedPods(name)).toEqual([]);
    expect(ground.kubelet.runsSeen.filter((runs) => runs.length > 1)).toEqual([]);
    expect(kills).toBeGreaterThan(2);
  },
);

test("when the leader is killed, the other takes over, and nothing is done twice", async () => {
  const election = ["--leader-elect", "--leader-election-namespace", ground.namespace];
  const operators = [await ground.operator(...election), await ground.operator(...election)];
  const leader = await Promise.any(
    operators.map(async (operator) => {
      await operator.said("leading");
      return operator;
    }),
  );
  const other = operators.find((operator) => operator !== leader);
  await ground.apply("led", { state: "Running" });
  await ground.until("led", { state: "RUNNING" });
  expect(other?.lines.some(({ message }) => message === "wrote")).toBe(false);
  await ground.patch("led", { restart: "while the leader dies" });
  await leader.kill();
  await ground.until("led", {
    state: "RUNNING",
    handledRestart: "while the leader dies",
    appliedRevision: { run: 2 } as never,
  });
  // A leader that is asked to go gives its lease back: the next need not wait for it to run out.
  expect(await other?.stop()).toBe(0);
  const lease = await ground.kubectl(
    "get",
    "lease",
    "integration-workflow-operator",
    "-o",
    "jsonpath={.spec.holderIdentity}",
  );
  expect(lease).toBe("");
});
